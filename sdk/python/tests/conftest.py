"""What the tests share: a faulty collector, a real `windvane serve`, and clients that end with their test."""

import os
from pathlib import Path

import pytest

import windvane
from kit import FaultyCollector, Service
from windvane import _encode

# Children of the tests find the package, too.
# One thread for each library: the tests share two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")
VECTORS = Path(__file__).parents[2] / "vectors"


@pytest.fixture
def collector():
    """A collector on a free port that misbehaves as it is told."""
    server = FaultyCollector()
    yield server
    server.stop()


@pytest.fixture
def client(collector):
    """The process's client, with short delays, against the faulty collector."""
    made = windvane.init(
        collector.url,
        model="m",
        flush_interval_s=0.02,
        retry_delay_s=0.01,
        retry_delay_max_s=0.05,
        timeout_s=2.0,
        exit_timeout_s=0.2,
    )
    yield made
    made.close()


@pytest.fixture(params=["json", "orjson"])
def encoder(request, monkeypatch):
    """Each of the two encoders in turn."""
    monkeypatch.setattr(_encode, "fast", getattr(_encode, f"_line_by_{request.param}"))


@pytest.fixture(scope="session")
def windvane_binary():
    """The binary that WINDVANE names; tests that need it fail without."""
    path = os.environ.get("WINDVANE", str(Path(__file__).parents[3] / "target/debug/windvane"))
    assert Path(path).exists(), f"{path} is not there; build it, or name one in WINDVANE"
    return path


@pytest.fixture(scope="session")
def service(windvane_binary, tmp_path_factory):
    """One real service for all tests; each test uses a model of its own."""
    running = Service(windvane_binary, tmp_path_factory.mktemp("service"))
    running.start()
    yield running
    running.stop()
