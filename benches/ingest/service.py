"""The service that a bench of ingestion sends to, in a folder of the run. Python's own library is all it needs."""

import base64
import http.client
import json
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

UP_S = 90
CONFIG = """[server]
listen = "127.0.0.1:0"
[otlp]
grpc_listen = "127.0.0.1:0"
[store]
data_dir = "data"
engine_listen = "127.0.0.1:0"
"""


class Service:
    """`windvane serve` in a folder of this run."""

    def __init__(self, binary: str, folder: Path) -> None:
        config = folder / "windvane.toml"
        config.write_text(CONFIG)
        self.folder, self.log = folder, folder / "log"
        command = [binary, "--log-format", "json", "serve", "--offline", "--config", str(config)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log)
        up = self.wait_until_up()
        self.address, self.grpc, self.store = urlsplit(up["address"]).netloc, up["otlp"], urlsplit(up["store"]).netloc

    def wait_until_up(self) -> dict:
        deadline = time.monotonic() + UP_S
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.log.read_text().splitlines():
                if "windvane is up" in line:
                    return json.loads(line)
            time.sleep(0.1)
        raise SystemExit(f"the service did not come up: {self.log.read_text()[-2000:]}")

    def metrics(self) -> dict[str, int]:
        """The sums of the collector's counters over their labels."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request("GET", "/metrics")
        sums: dict[str, int] = {}
        for line in connection.getresponse().read().decode().splitlines():
            name, _, rest = line.partition("{")
            if rest and name.startswith("windvane_collector_") and not name.endswith("_bucket"):
                sums[name.removeprefix("windvane_collector_")] = sums.get(name.removeprefix("windvane_collector_"), 0) + int(
                    float(rest.rsplit(" ", 1)[1])
                )
        connection.close()
        return sums

    def empty(self) -> None:
        """Empties the table, so that the disk does not fill."""
        access = json.loads((self.folder / "data/access.json").read_text())
        word = base64.b64encode(f"{access['user']}:{access['password']}".encode()).decode()
        connection = http.client.HTTPConnection(self.store, timeout=120)
        connection.request("POST", "/?database=windvane", "TRUNCATE TABLE predictions", {"Authorization": f"Basic {word}"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"the table was not emptied: {text!r}")

    def memory_mib(self) -> tuple[float, float]:
        """What the service holds now, and the most that it ever held; its engine is another process."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines())
        return tuple(round(int(status[name].split()[0]) / 1024, 1) for name in ("VmRSS", "VmHWM"))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)
