"""Served models that crash, hang, grow or never open: each costs its own requests and no others, and comes back."""

import http.server
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import onnx
import pytest

from conftest import Served

FLOAT, INT64, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL
helper = onnx.helper
MEMORY = ("--memory-limit-bytes", str(256 << 20))
AT_ONCE = 5.0
"""Seconds that an answer takes which nobody has to wait for, on a machine with other work."""


def constant(name, kind, shape, values):
    return helper.make_node("Constant", [], [name], value=helper.make_tensor(name, kind, shape, values))


@pytest.fixture
def sound(broken):
    return broken("sound", [helper.make_node("Identity", ["x"], ["y"])], [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])


@pytest.fixture
def grows(broken):
    """A model whose answer takes 4 KiB times its input. Where the runtime has room for it and its copy has not, the process aborts."""
    return broken(
        "grows",
        [
            constant("wide", INT64, [1], [1 << 10]),
            constant("one", INT64, [1], [1]),
            helper.make_node("ReduceMax", ["x"], ["largest"], axes=[0, 1], keepdims=0),
            helper.make_node("Cast", ["largest"], ["whole"], to=INT64),
            helper.make_node("Reshape", ["whole", "one"], ["rows"]),
            helper.make_node("Concat", ["rows", "wide"], ["shape"], axis=0),
            helper.make_node("Expand", ["x", "shape"], ["y"]),
        ],
        [("x", FLOAT, [1, 1])],
        [("y", FLOAT, [None, None])],
    )


@pytest.fixture
def folds(broken):
    """A model whose constants are multiplied while it is opened, a thousand times 54 billion additions."""
    turns = 1000
    return broken(
        "folds",
        [
            constant("small", FLOAT, [1, 1], [1e-3]),
            constant("shape", INT64, [2], [3000, 3000]),
            helper.make_node("Expand", ["small", "shape"], ["m0"]),
            *(helper.make_node("MatMul", [f"m{turn}", "m0"], [f"m{turn + 1}"]) for turn in range(turns)),
            helper.make_node("ReduceMax", [f"m{turns}"], ["z"], axes=[0, 1], keepdims=1),
            helper.make_node("Mul", ["x", "z"], ["y"]),
        ],
        [("x", FLOAT, [None, 1])],
        [("y", FLOAT, [None, 1])],
    )


BODY = helper.make_graph(
    [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Add", ["v", "v"], ["w"])],
    "body",
    [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("c", BOOL, []), helper.make_tensor_value_info("v", FLOAT, None)],
    [helper.make_tensor_value_info("d", BOOL, []), helper.make_tensor_value_info("w", FLOAT, None)],
)


@pytest.fixture
def endless(broken):
    """A model that turns for as long as its input is above a half."""
    return broken(
        "endless",
        [
            constant("half", FLOAT, [], [0.5]),
            helper.make_node("ReduceMax", ["x"], ["largest"], axes=[0, 1], keepdims=0),
            helper.make_node("Greater", ["largest", "half"], ["turns"]),
            helper.make_node("Loop", ["", "turns", "x"], ["y"], body=BODY),
        ],
        [("x", FLOAT, [None, 1])],
        [("y", FLOAT, [None, 1])],
    )


@pytest.fixture
def slow(broken):
    """A model that takes about a second."""
    return broken(
        "slow",
        [
            constant("turns", INT64, [], [200_000]),
            constant("always", BOOL, [], [True]),
            helper.make_node("Loop", ["turns", "always", "x"], ["y"], body=BODY),
        ],
        [("x", FLOAT, [None, 1])],
        [("y", FLOAT, [None, 1])],
    )


def ask(models: Served, name: str, x: float = 0.0) -> tuple[int, dict, float]:
    """Status, document and seconds of one request."""
    body = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [x]}]}
    request = urllib.request.Request(
        f"{models.url}/v2/models/{name}/infer", json.dumps(body).encode(), {"Content-Type": "application/json"})
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), time.monotonic() - began
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused), time.monotonic() - began


def lost(models: Served, name: str, cause: str) -> float:
    return models.counted(f'windvane_shadow_processes_lost_total{{model="{name}",cause="{cause}"}}')


def count(models: Served, name: str, outcome: str) -> float:
    return models.counted(f'windvane_shadow_requests_total{{model="{name}",outcome="{outcome}"}}')


def answers(models: Served, name: str) -> bool:
    return ask(models, name)[0] == 200


def test_a_model_that_crashes_the_runtime_costs_its_own_requests_and_comes_back(sound, grows):
    models = Served({"sound": sound, "grows": grows}, *MEMORY)
    try:
        assert answers(models, "grows")
        # 400 MB twice, where 256 MB and 512 MB for the process itself are allowed: the second time is one too many.
        status, document, seconds = ask(models, "grows", 100_000.0)
        assert (status, document["code"]) == (503, "model_unavailable") and "SIGABRT" in document["detail"], document
        assert seconds < AT_ONCE
        # Whoever comes now is not made to wait for the next process.
        assert ask(models, "grows")[2] < AT_ONCE
        models.until(lambda: answers(models, "grows"), "it answers again")
        assert answers(models, "sound") and len(models.pids("sound")) == 1
        assert (lost(models, "grows", "crashed"), lost(models, "sound", "crashed")) == (1, 0)
    finally:
        assert models.close() == 0


def test_a_huge_answer_is_an_error_and_its_process_goes_on(sound, grows):
    models = Served({"sound": sound, "grows": grows}, *MEMORY)
    try:
        status, document, _ = ask(models, "grows", float(1 << 30))
        assert (status, document["code"]) == (500, "model_failed"), document
        assert answers(models, "grows") and len(models.pids("grows")) == 1
    finally:
        assert models.close() == 0


def test_an_endless_call_is_broken_off_and_the_process_goes_on(endless):
    models = Served({"endless": endless}, "--call-limit-s", "1")
    try:
        status, document, seconds = ask(models, "endless", 1.0)
        assert (status, document["code"]) == (500, "model_failed") and "within 1 s" in document["detail"], document
        assert 1.0 <= seconds < 1.0 + AT_ONCE
        assert answers(models, "endless") and len(models.pids("endless")) == 1
    finally:
        assert models.close() == 0


def test_what_becomes_of_each_request_is_counted_once(endless):
    models = Served({"endless": endless}, "--call-limit-s", "2", "--deadline-ms", "500")
    became = lambda: {outcome: count(models, "endless", outcome) for outcome in ("answered", "failed", "shed", "late", "unavailable")}
    none = {"answered": 0, "failed": 0, "shed": 0, "late": 0, "unavailable": 0}
    try:
        assert became() == none
        assert ask(models, "endless")[0] == 200
        assert became() == {**none, "answered": 1}
        # A shape that the model does not take: the model's process says so.
        wrong = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.0, 0.0]}]}
        request = urllib.request.Request(
            f"{models.url}/v2/models/endless/infer", json.dumps(wrong).encode(), {"Content-Type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        assert refused.value.code == 400
        assert became() == {**none, "answered": 1, "failed": 1}
        status, document, _ = ask(models, "endless", 1.0)
        assert (status, document["code"]) == (503, "deadline_exceeded")
        # It is counted when the call is broken off, long after the client was told.
        models.until(lambda: count(models, "endless", "late") == 1, "it is counted as late")
        assert became() == {**none, "answered": 1, "failed": 1, "late": 1}
        os.kill(models.pids("endless")[0], signal.SIGKILL)
        codes = []
        models.until(lambda: codes.append(ask(models, "endless")[1].get("code")) or codes[-1] is None, "it answers again")
        assert codes.count("model_unavailable") == len(codes) - 1 >= 1, codes
        assert became() == {"answered": 2, "failed": 1, "shed": 0, "late": 1, "unavailable": len(codes) - 1}
    finally:
        assert models.close() == 0


def test_a_process_that_hangs_is_ended_and_nobody_waits_longer_than_the_deadline(sound):
    """Stopped by a signal, as it is where an operator never returns; what it is told it does not hear."""
    models = Served({"champion": sound, "candidate": sound}, "--call-limit-s", "1", "--deadline-ms", "500")
    try:
        hung = models.pids("candidate")[0]
        os.kill(hung, signal.SIGSTOP)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: ask(models, "candidate"), range(8)))
        assert {status for status, _, _ in found} == {503}, found
        assert max(seconds for *_, seconds in found) < 0.5 + AT_ONCE
        assert answers(models, "champion")
        models.until(lambda: len(models.pids("candidate")) == 2 and answers(models, "candidate"), "it answers again")
        assert lost(models, "candidate", "hung") == 1 and lost(models, "champion", "hung") == 0
    finally:
        assert models.close() == 0


def test_a_model_that_never_opens_is_not_ready_and_takes_nothing_out_of_service(sound, folds):
    models = Served({"sound": sound, "folds": folds}, "--open-limit-s", "5", ready=("sound",))
    try:
        status, document = models.status("/v2/models/folds/ready")
        assert (status, document["ready"]) == (503, False) and document["reason"], document
        status, document, seconds = ask(models, "folds")
        assert (status, document["code"]) == (503, "model_unavailable") and seconds < AT_ONCE, document
        assert count(models, "folds", "unavailable") == 1
        models.until(lambda: lost(models, "folds", "hung") >= 1, "it is given up")
        assert "within 5 s" in models.status("/v2/models/folds/ready")[1]["reason"]
        assert models.status("/v2/health/ready") == (200, {"ready": True})
        assert answers(models, "sound") and models.pids("folds") == []
    finally:
        assert models.close() == 0


def test_a_champion_that_never_opens_ends_the_command(folds):
    models = Served({"folds": folds}, "--open-limit-s", "1", ready=())
    assert models.process.wait(timeout=60) == 65
    models.reader.join()
    assert "within 1 s" in models.log[-1], models.log


def test_a_model_that_is_lost_again_and_again_is_not_ready_though_it_answers(sound):
    models = Served({"champion": sound, "candidate": sound})
    try:
        for turn in range(5):
            models.until(lambda: len(models.pids("candidate")) == turn + 1, "it is open")
            os.kill(models.pids("candidate")[turn], signal.SIGKILL)
        models.until(lambda: answers(models, "candidate"), "it answers again")
        status, document = models.status("/v2/models/candidate/ready")
        assert status == 503 and "5 times in a row" in document["reason"], document
        assert models.status("/v2/health/ready")[0] == 200
        assert lost(models, "candidate", "crashed") == 5
    finally:
        assert models.close() == 0


def test_each_size_of_a_call_is_made_before_a_model_is_ready(sound):
    models = Served({"sound": sound}, "--batch-max", "12")
    try:
        line = next(json.loads(line) for line in models.log if "a model is open" in line)
        assert line["calls"] == "[1, 2, 4, 8, 12]", line
        assert models.counted("windvane_shadow_calls_total") == 0
    finally:
        assert models.close() == 0


@pytest.fixture
def collector():
    """Takes what is recorded: its address, the records, and the tokens that they came with."""
    records, tokens = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            tokens.append(self.headers["Authorization"])
            lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
            records.extend(map(json.loads, lines))
            answer = json.dumps({"accepted": len(lines)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", records, tokens
    server.shutdown()
    server.server_close()


def test_what_is_under_way_is_answered_and_recorded_where_all_processes_are_told_to_end(slow, collector):
    """As a terminal does by Ctrl-C, and a supervisor that signals every process of a service."""
    address, records, _ = collector
    models = Served({"slow": slow}, "--record", address)
    try:
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(ask, models, "slow")
            models.until(lambda: models.counted('windvane_shadow_calls_total{model="slow"}') == 1, "it is asked")
            for process in (*models.pids("slow"), models.process.pid):
                os.kill(process, signal.SIGINT)
            assert under_way.result()[0] == 200
        assert models.process.wait(timeout=30) == 0
        assert "the process of a model was lost" not in "".join(models.log)
        assert [(record["model"], record["tags"]) for record in records] == [("slow", {"role": "shadow"})]
    finally:
        models.close()


def test_predictions_go_to_a_collector_that_asks_for_a_token(sound, collector, tmp_path):
    address, records, tokens = collector
    file = tmp_path / "token"
    file.write_text("wv_secret\n")
    models = Served({"sound": sound}, "--record", address, "--token-file", str(file))
    try:
        assert answers(models, "sound")
        models.until(lambda: len(records) == 1, "it is recorded")
        assert set(tokens) == {"Bearer wv_secret"}
        assert records[0]["event_id"].endswith(":sound")
    finally:
        assert models.close() == 0


def test_a_second_signal_waits_for_nothing(endless):
    models = Served({"endless": endless}, "--call-limit-s", "60")

    def asked():
        # The server is gone before it has answered.
        with pytest.raises(OSError):
            ask(models, "endless", 1.0)

    try:
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(asked)
            models.until(lambda: models.counted("windvane_shadow_calls_total") == 1, "it is asked")
            models.process.terminate()
            models.until(lambda: any("finishing" in line for line in models.log), "it is told to end")
            models.process.terminate()
            assert models.process.wait(timeout=30) == 70
            under_way.result()
        models.reader.join(timeout=30)
        assert "a second SIGTERM" in models.log[-1], models.log
    finally:
        models.process.kill()
