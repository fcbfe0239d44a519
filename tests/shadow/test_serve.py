"""Served models keep their deadline: what cannot be answered in time is refused and counted, and a slow candidate delays nobody."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import onnx
import pytest

from conftest import WINDVANE, Served

FLOAT, INT64, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL
helper = onnx.helper
TURNS = 100_000
"""Turns of the slow model's loop: a tenth of a second to half of one, by the machine."""


@pytest.fixture
def sound(broken):
    return broken("sound", [helper.make_node("Identity", ["x"], ["y"])], [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])


@pytest.fixture
def slow(broken):
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Add", ["v", "v"], ["w"])],
        "body",
        [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("c", BOOL, []), helper.make_tensor_value_info("v", FLOAT, None)],
        [helper.make_tensor_value_info("d", BOOL, []), helper.make_tensor_value_info("w", FLOAT, None)],
    )
    return broken(
        "slow",
        [
            helper.make_node("Constant", [], ["turns"], value=helper.make_tensor("a", INT64, [], [TURNS])),
            helper.make_node("Constant", [], ["always"], value=helper.make_tensor("b", BOOL, [], [True])),
            helper.make_node("Loop", ["turns", "always", "x"], ["y"], body=body),
        ],
        [("x", FLOAT, [None, 1])],
        [("y", FLOAT, [None, 1])],
    )


def ask(models: Served, path: str, **more) -> tuple[int, dict, float]:
    """Status, document and seconds of one request."""
    body = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [2.0]}], **more}
    request = urllib.request.Request(models.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), time.monotonic() - began
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused), time.monotonic() - began


def count(models: Served, model: str, outcome: str) -> float:
    return models.counted(f'windvane_shadow_requests_total{{model="{model}",outcome="{outcome}"}}')


def test_no_answer_comes_later_than_the_deadline_and_what_is_shed_is_counted(slow):
    models = Served({"slow": slow}, "--queue", "2", "--deadline-ms", "20")
    try:
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: ask(models, "/v2/models/slow/infer"), range(12)))
        codes = [document.get("code") for _, document, _ in answers]
        assert {status for status, _, _ in answers} == {429, 503}, answers
        assert {"queue_full", "deadline_exceeded"} == set(codes)
        # The deadline, and what a machine with other work takes to wake a thread.
        assert max(seconds for _, _, seconds in answers) < 5.0, answers
        assert count(models, "slow", "shed") == codes.count("queue_full")
    finally:
        models.close()


def test_a_candidate_that_falls_behind_loses_requests_and_delays_nothing(sound, slow):
    models = Served({"sound": sound, "slow": slow}, "--queue", "1")
    try:
        answers = [ask(models, "/v2/models/sound/infer") for _ in range(50)]
        assert {status for status, _, _ in answers} == {200}
        assert all(document["outputs"][0]["data"] == [2.0] for _, document, _ in answers)
        assert (count(models, "sound", "answered"), count(models, "sound", "shed")) == (50, 0)
        lost, done = count(models, "slow", "shed"), count(models, "slow", "answered")
        # All but the one in work and the one that waits are either answered or counted as lost.
        assert lost > 0 and 48 <= lost + done <= 50, (lost, done)
    finally:
        models.close()


def test_a_model_that_mixes_the_requests_of_a_call_answers_each_as_if_it_were_alone(broken):
    # Its axis is open, and each number becomes how far it is from the mean of all: of one alone that is nothing.
    nodes = [helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1), helper.make_node("Sub", ["x", "mean"], ["y"])]
    mixes = broken("mixes", nodes, [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])
    models = Served({"mixes": mixes}, "--batch-max", "8", "--batch-wait-us", "2000000")
    one = lambda x: {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [x]}
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda x: ask(models, "/v2/models/mixes/infer", inputs=[one(x)]), map(float, range(16))))
        assert [document["outputs"][0]["data"] for _, document, _ in answers] == [[0.0]] * 16
        # A call of several, and one of them alone, beside that of each: there was something to mix.
        assert models.counted("windvane_shadow_calls_total") >= 16 + 2
    finally:
        models.close()


def test_two_models_of_one_name_are_refused(sound):
    words = ["shadow", "serve", "--offline", "--listen", "127.0.0.1:0", "--model", f"a={sound}", "--model", f"a={sound}"]
    refused = subprocess.run([WINDVANE, *words], capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "second model `a`" in refused.stderr) == (64, True), refused.stderr


def test_a_wait_for_others_as_long_as_the_deadline_is_refused(sound):
    words = ["shadow", "serve", "--offline", "--model", f"sound={sound}", "--deadline-ms", "100", "--batch-wait-us", "100000"]
    refused = subprocess.run([WINDVANE, *words], capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "--batch-wait-us" in refused.stderr) == (64, True), refused.stderr


def test_a_collector_without_an_address_is_refused(sound):
    words = ["shadow", "serve", "--offline", "--model", f"sound={sound}", "--record", "collector:8080"]
    refused = subprocess.run([WINDVANE, *words], capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "http://127.0.0.1:8080" in refused.stderr) == (64, True), refused.stderr


def test_clients_may_name_the_version_and_the_outputs_and_no_inputs_without_end(sound):
    models = Served({"sound": sound})
    try:
        status, document, _ = ask(models, "/v2/models/sound/versions/1/infer", outputs=[{"name": "y"}])
        assert (status, [output["name"] for output in document["outputs"]]) == (200, ["y"])
        assert models.get("/v2/models/sound/versions/1/ready")["ready"]
        status, document, _ = ask(models, "/v2/models/sound/versions/2/infer")
        assert (status, document["code"]) == (404, "unknown_version")
        status, document, _ = ask(models, "/v2/models/sound/infer", outputs=[{"name": "z"}])
        assert (status, document["code"]) == (400, "unknown_output") and "y" in document["detail"]
        no_end = [{"name": f"x{at}", "shape": [1, 1], "datatype": "FP32", "data": [2.0]} for at in range(10_001)]
        status, document, _ = ask(models, "/v2/models/sound/infer", inputs=no_end)
        assert (status, document["code"]) == (400, "too_many_inputs") and "10000" in document["detail"]
    finally:
        models.close()
