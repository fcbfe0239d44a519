"""What the tests share: public models with inputs for them, a gate, and models that are served."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

WINDVANE = os.environ["WINDVANE"]
ROOT = Path(__file__).parent.parent.parent
TYPES = {"float": "FP32", "double": "FP64", "float16": "FP16", "int64": "INT64", "int32": "INT32", "string": "BYTES", "bool": "BOOL"}


def packaged(package: str, path: str) -> Path:
    """A file of an installed package, which is not imported: its dependencies are not there."""
    return Path(importlib.util.find_spec(package).origin).parent / path


@dataclass
class Case:
    """A model, and requests for it: arrays whose first axis counts them, without or with the model's own first axis."""

    model: Path
    rows: dict[str, np.ndarray]

    def session(self, threads: int = 1) -> onnxruntime.InferenceSession:
        """Python's ONNX Runtime on the model, with the settings of the other side."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        return onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])

    def request(self, session: onnxruntime.InferenceSession, row: int) -> dict[str, np.ndarray]:
        """One request as the model takes it."""
        def one(port):
            value = self.rows[port.name][row]
            return value if value.ndim == len(port.shape) else value[np.newaxis]
        return {port.name: np.asarray(one(port)) for port in session.get_inputs()}


def flights() -> dict[str, np.ndarray]:
    golden = json.loads((ROOT / "tests/golden/onnx/flights.json").read_text())["inputs"]
    return {
        name: np.array(column, dtype=str if isinstance(column[0], str) else np.float32)[:, np.newaxis]
        for name, column in golden.items()
    }


def cases() -> dict[str, Case]:
    """Float, integer and text inputs; open shapes; several inputs and outputs; recurrent state."""
    rng = np.random.default_rng(7)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    light = packaged("onnx", "backend/test/data/light")
    ocr = packaged("rapidocr_onnxruntime", "models")
    silero = packaged("silero_vad", "data")
    return {
        "flights": Case(ROOT / "data/models/champion.onnx", flights()),
        "magika": Case(
            packaged("magika", "models/standard_v3_3/model.onnx"),
            {"bytes": rng.integers(0, 257, (6, 2048), dtype=np.int32)},
        ),
        "silero": Case(
            silero / "silero_vad.onnx",
            {"input": normal(4, 1, 576) / 10, "state": normal(4, 2, 1, 128), "sr": np.full(4, 16000, dtype=np.int64)},
        ),
        "silero sequence": Case(
            silero / "silero_vad_16k_sequence.onnx",
            {"input": normal(3, 5, 576) / 10, "h": normal(3, 1, 1, 128), "c": normal(3, 1, 1, 128)},
        ),
        "ocr classifier": Case(ocr / "ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": normal(3, 3, 48, 192)}),
        "ocr recogniser": Case(ocr / "ch_PP-OCRv4_rec_infer.onnx", {"x": normal(2, 3, 48, 160)}),
        "ocr detector": Case(ocr / "ch_PP-OCRv4_det_infer.onnx", {"x": normal(2, 3, 96, 128)}),
        "squeezenet": Case(light / "light_squeezenet.onnx", {"data_0": normal(2, 3, 224, 224)}),
        "shufflenet": Case(light / "light_shufflenet.onnx", {"gpu_0/data_0": normal(2, 3, 224, 224)}),
    }


CASES = cases()


@dataclass
class Gate:
    """A gate that was run."""

    code: int
    document: dict
    error: str


def gate(champion: Path, candidate: Path, traffic: Path, *more: str) -> Gate:
    """Runs `windvane shadow run`."""
    words = [WINDVANE, "shadow", "run", "--offline", "--format", "json"]
    words += ["--champion", champion, "--candidate", candidate, "--traffic", traffic, *more]
    ran = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120, check=False)
    return Gate(ran.returncode, json.loads(ran.stdout) if ran.returncode < 64 else {}, ran.stderr)


class Served:
    """Models behind the Open Inference Protocol. It waits until those of `ready` are; all, where none are named."""

    def __init__(self, models: dict[str, Path], *more: str, ready: tuple[str, ...] | None = None):
        words = [WINDVANE, "--log-format", "json", "shadow", "serve", "--offline", "--listen", "127.0.0.1:0"]
        words += more if "--deadline-ms" in more else ["--deadline-ms", "60000", *more]
        for name, path in models.items():
            words += ["--model", f"{name}={path}"]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.url, self.log = None, []
        listening = threading.Event()
        def read():
            for line in self.process.stderr:
                self.log.append(line)
                if found := re.search(r'"address":"(http://[^"]+)"', line):
                    self.url = found[1]
                    listening.set()
            listening.set()
        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()
        listening.wait(60)
        try:
            assert self.url, f"the models are not served: {self.log}"
            for name in models if ready is None else ready:
                self.until(lambda name=name: self.status(f"/v2/models/{name}/ready")[0] == 200, f"{name} is ready")
        except BaseException:
            self.process.kill()
            raise

    def until(self, holds, what: str, seconds: float = 60):
        """Waits until something holds, and gives it."""
        end = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < end, (what, self.log[-20:])
            time.sleep(0.02)
        return found

    def status(self, path: str) -> tuple[int, dict]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def pids(self, name: str) -> list[int]:
        """The processes that had this model open, the latest last."""
        lines = [json.loads(line) for line in list(self.log) if line.startswith("{")]
        return [line["pid"] for line in lines if line.get("message") == "a model is open" and line["model"] == name]

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def counted(self, metric: str) -> float:
        """A counter of the only model."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(metric))

    def infer(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, dict]:
        """Asks a model, and gives its outputs by name."""
        ports = {port["name"]: port["datatype"] for port in self.get(f"/v2/models/{name}")["inputs"]}
        body = {"id": "one", "inputs": [
            {"name": port, "shape": list(value.shape), "datatype": ports[port], "data": json_of(value)}
            for port, value in inputs.items()
        ]}
        request = urllib.request.Request(
            f"{self.url}/v2/models/{name}/infer", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            document = json.load(answer)
        assert document["id"] == "one"
        return {output["name"]: output for output in document["outputs"]}

    def close(self) -> int:
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.reader.join(timeout=30)
        return code


def json_of(value: np.ndarray) -> list:
    flat = value.reshape(-1).tolist()
    return [None if isinstance(x, float) and x != x else x for x in flat]


@pytest.fixture(scope="session")
def served():
    models = Served({name.replace(" ", "-"): case.model for name, case in CASES.items()})
    yield models
    assert models.close() == 0


@pytest.fixture
def broken(tmp_path):
    """A model of hand-made nodes: `make(nodes, inputs, outputs)` writes it and gives its path."""
    def make(name, nodes, inputs, outputs):
        info = lambda ports: [onnx.helper.make_tensor_value_info(*port) for port in ports]
        graph = onnx.helper.make_graph(nodes, name, info(inputs), info(outputs))
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
        path = tmp_path / f"{name}.onnx"
        onnx.save(model, path)
        return path
    return make
