"""Wheel and source distribution: built, installed into a clean environment, and used there."""

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


def test_the_wheel_works_in_a_clean_environment(built, collector, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, built[".whl"]], check=True, timeout=120)
    code = (
        "import sys, windvane; windvane.init(sys.argv[1], model='m'); "
        "windvane.log_prediction({'x': 1}, score=0.5); assert windvane.flush(20); "
        "assert 'site-packages' in windvane.__file__, windvane.__file__"
    )
    done = subprocess.run([python, "-I", "-c", code, collector.url], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert collector.count() == 1
