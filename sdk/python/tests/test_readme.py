"""What the README shows, run as it stands there."""

import re
from pathlib import Path

import windvane

README = Path(__file__).parents[1] / "README.md"


def test_the_readmes_code_runs_verbatim(collector):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    assert code.count("http://127.0.0.1:8080") == 1
    exec(compile(code.replace("http://127.0.0.1:8080", collector.url), "README.md", "exec"), {})
    assert windvane.flush()
    first, second = collector.records["predictions"]
    assert (first["model"], first["version"], first["prediction"]) == ("delay", "7", {"score": 0.12})
    assert (second["prediction"], second["features"]) == ({"score": 0.1}, {"distance": 1400, "carrier": "UA"})
    assert collector.records["outcomes"][0]["event_id"] == first["event_id"]
    assert collector.records["exposures"][0]["arm"] == "B"
    assert collector.records["measurements"][0]["value"] == 12.5
    windvane.close()
