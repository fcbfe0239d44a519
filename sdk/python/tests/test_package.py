"""Wheel and source distribution: built, installed into a clean environment, and used there."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.suffix: path for path in folder.iterdir()}


def test_both_distributions_hold_the_package_and_nothing_else(built):
    names = zipfile.ZipFile(built[".whl"]).namelist()
    assert {"windvane/__init__.py", "windvane/py.typed", "windvane/hooks/asgi.py"} <= set(names)
    assert all(name.startswith(("windvane/", "windvane-0.1.0.dist-info/")) for name in names)
    assert not [name for name in tarfile.open(built[".gz"]).getnames() if "tests" in name or ".pyc" in name]


def test_the_readmes_code_runs_with_the_wheel_in_a_clean_environment(built, collector, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, built[".whl"]], check=True, timeout=120)
    (snippet,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)
    code = f"{snippet}\nassert windvane.flush(20)\nassert 'site-packages' in windvane.__file__, windvane.__file__\n"
    code = code.replace("http://127.0.0.1:8080", collector.url)
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert {kind: len(records) for kind, records in collector.records.items()} == {
        "predictions": 2, "outcomes": 1, "exposures": 1, "measurements": 1,
    }  # fmt: skip
