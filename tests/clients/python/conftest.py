"""Starts `windvane engine` over a temporary folder for the tests of this folder."""

import json
import os
import re
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

READY_WITHIN_S = 60


@dataclass(frozen=True)
class Engine:
    """A running engine: where it listens and who may talk to it."""

    host: str
    port: int
    user: str
    password: str
    reader_user: str
    reader_password: str
    pid: int


@pytest.fixture(scope="session")
def engine():
    """The engine of all tests. It ends with the pipe on its standard input, however this process ends."""
    program = os.environ["WINDVANE"]
    with tempfile.TemporaryDirectory(prefix="windvane-clients-") as folder:
        process = subprocess.Popen(
            [program, "engine", "--data", folder, "--listen", "127.0.0.1:0", "--exit-with-stdin"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        port = _port(process)
        access = json.loads((Path(folder) / "access.json").read_text())
        yield Engine(host="127.0.0.1", port=port, pid=process.pid, **access)
        process.stdin.close()
        assert process.wait(timeout=30) == 0, "the engine did not end cleanly"


def _port(process):
    """Reads log lines until the one that names the address, then drains the rest in a thread."""
    deadline = time.monotonic() + READY_WITHIN_S
    seen = []
    for line in process.stderr:
        seen.append(line)
        found = re.search(r"address=\S*?127\.0\.0\.1:(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", line))
        if found:
            threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
            return int(found.group(1))
        assert time.monotonic() < deadline, "".join(seen)
    raise AssertionError("the engine ended before it was ready:\n" + "".join(seen))
