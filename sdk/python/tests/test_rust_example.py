"""The batch scorer of `sdk/rust/examples`, with the ONNX Runtime of this environment, against the real service."""

import os
import subprocess
from pathlib import Path

import onnxruntime

from kit import eventually


def test_the_batch_scorer_in_rust(service, windvane_binary):
    program = Path(windvane_binary).parent / "examples/ort"
    model = Path(__file__).parents[2] / "rust/examples/halves.onnx"
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*")
    done = subprocess.run(
        [program, model, service.url], env={**os.environ, "ORT_DYLIB_PATH": str(library)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    eventually(lambda: service.count("scorer") == 1_000)
    rows = service.query("SELECT num, value FROM predictions WHERE model = 'scorer'")
    assert all(row["value"] == row["num"]["x0"] * 0.5 + row["num"]["x1"] * 0.25 for row in rows)
