"""Models that are broken, huge or endless: the gate says so, in time, with the right exit code."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import onnx
import pytest

from conftest import WINDVANE, gate

FLOAT, INT64, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL
helper = onnx.helper


@pytest.fixture
def traffic(tmp_path):
    path = tmp_path / "traffic.npz"
    np.savez(path, x=np.ones((5, 1), dtype=np.float32))
    return path


@pytest.fixture
def sound(broken):
    return broken("sound", [helper.make_node("Identity", ["x"], ["y"])], [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])


def check(document, name):
    return next(check for check in document["checks"] if check["check"] == name)


def test_an_endless_model_is_broken_off_and_fails(broken, sound, traffic):
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Add", ["v", "v"], ["w"])],
        "body",
        [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("c", BOOL, []), helper.make_tensor_value_info("v", FLOAT, None)],
        [helper.make_tensor_value_info("d", BOOL, []), helper.make_tensor_value_info("w", FLOAT, None)],
    )
    endless = broken(
        "endless",
        [
            helper.make_node("Constant", [], ["always"], value=helper.make_tensor("a", BOOL, [], [True])),
            helper.make_node("Loop", ["", "always", "x"], ["y"], body=body),
        ],
        [("x", FLOAT, [None, 1])],
        [("y", FLOAT, [None, 1])],
    )
    found = gate(sound, endless, traffic, "--call-limit-s", "1", "--time-limit-s", "60")
    assert found.code == 1, found.error
    errors = check(found.document, "errors")
    assert errors["verdict"] == "fail" and "within 1 s" in errors["reason"], errors


def test_a_huge_answer_is_an_error_and_not_the_end_of_the_machine(broken, sound, traffic):
    huge = broken(
        "huge",
        [
            helper.make_node("Constant", [], ["shape"], value=helper.make_tensor("s", INT64, [2], [1 << 20, 1 << 20])),
            helper.make_node("Expand", ["x", "shape"], ["y"]),
        ],
        [("x", FLOAT, [None, 1])],
        [("y", FLOAT, [None, None])],
    )
    found = gate(sound, huge, traffic)
    assert found.code in (1, 65), found.error
    if found.code == 1:
        assert check(found.document, "errors")["verdict"] == "fail"


def test_memory_has_a_bound(broken, sound, traffic):
    """2 GB of answers where 512 MB are allowed."""
    large = broken(
        "large",
        [
            helper.make_node("Constant", [], ["shape"], value=helper.make_tensor("s", INT64, [2], [1 << 9, 1 << 20])),
            helper.make_node("Expand", ["x", "shape"], ["y"]),
        ],
        [("x", FLOAT, [None, 1])],
        [("y", FLOAT, [None, None])],
    )
    found = gate(sound, large, traffic, "--memory-limit-bytes", str(512 << 20))
    assert found.code in (1, 65), found.error
    if found.code == 1:
        assert check(found.document, "errors")["verdict"] == "fail"


def test_no_time_is_left_at_the_time_limit(sound, traffic):
    found = gate(sound, sound, traffic, "--pace", "constant:1", "--time-limit-s", "2")
    assert found.code == 65 and "longer than 2 s" in found.error, found.error


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_cut_model_is_refused(keep, sound, traffic, tmp_path):
    whole = sound.read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole[: int(len(whole) * keep)])
    found = gate(sound, cut, traffic)
    assert found.code == 65 and "cut.onnx" in found.error, found.error


def test_unknown_operators_are_refused(broken, sound, traffic):
    node = helper.make_node("Steal", ["x"], ["y"], domain="somebody.else")
    strange = broken("strange", [node], [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])
    found = gate(sound, strange, traffic)
    assert found.code == 65 and "strange.onnx" in found.error, found.error


def test_values_that_are_not_finite_fail_whatever_the_rate(broken, sound, tmp_path):
    """One request in two thousand makes the candidate divide by zero."""
    x = np.ones((2000, 1), dtype=np.float32)
    x[777] = 0.0
    np.savez(tmp_path / "traffic.npz", x=x)
    divide = broken("divide", [helper.make_node("Div", ["x", "x"], ["r"]), helper.make_node("Mul", ["r", "x"], ["y"])],
                    [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])
    policy = tmp_path / "gate.toml"
    policy.write_text("[agreement]\nrate_min = 0.99\n")
    found = gate(sound, divide, tmp_path / "traffic.npz", "--policy", policy)
    assert (found.code, check(found.document, "finite")["observed"]) == (1, 1.0)
    assert check(found.document, "agreement")["verdict"] == "pass"


def test_another_output_fails_whatever_the_rate(broken, sound, traffic):
    other = broken("other", [helper.make_node("Identity", ["x"], ["z"])], [("x", FLOAT, [None, 1])], [("z", FLOAT, [None, 1])])
    found = gate(sound, other, traffic)
    outputs = check(found.document, "outputs")
    assert found.code == 1 and "`y`" in outputs["reason"] and "`z`" in outputs["reason"], outputs
    wide = broken("wide", [helper.make_node("Concat", ["x", "x"], ["y"], axis=1)], [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 2])])
    found = gate(sound, wide, traffic)
    assert found.code == 1 and check(found.document, "outputs")["verdict"] == "fail"


def test_a_request_that_the_candidate_alone_does_not_take_fails_and_is_not_skipped(broken, sound, tmp_path):
    """One of three hundred has two rows, which the champion answers; the skipped share would have been small enough."""
    one = broken("one", [helper.make_node("Identity", ["x"], ["y"])], [("x", FLOAT, [1, 1])], [("y", FLOAT, [1, 1])])
    requests = tmp_path / "requests"
    requests.mkdir()
    for i in range(300):
        rows = 2 if i == 0 else 1
        body = {"inputs": [{"name": "x", "shape": [rows, 1], "datatype": "FP32", "data": [0.5] * rows}]}
        (requests / f"{i:03}.json").write_text(json.dumps(body))
    policy = tmp_path / "gate.toml"
    policy.write_text("[agreement]\nrate_min = 0.9\n")
    found = gate(sound, one, requests, "--policy", policy)
    errors = check(found.document, "errors")
    assert (found.code, errors["observed"], found.document["skipped"]["n"]) == (1, 1.0, 0), found.document["checks"]
    assert "one.onnx" in errors["reason"] and found.document["requests"] == 300
    # Broken for the champion, too, it is nobody's error.
    found = gate(one, one, requests, "--policy", policy)
    assert (found.code, found.document["skipped"]["n"]) == (0, 1), found.document["checks"]


def test_a_static_batch_is_asked_row_by_row(broken, sound, tmp_path):
    one = broken("one", [helper.make_node("Identity", ["x"], ["y"])], [("x", FLOAT, [1, 1])], [("y", FLOAT, [1, 1])])
    np.savez(tmp_path / "traffic.npz", x=np.arange(500, dtype=np.float32)[:, np.newaxis])
    policy = tmp_path / "gate.toml"
    policy.write_text("[agreement]\nrate_min = 0.99\n")
    found = gate(sound, one, tmp_path / "traffic.npz", "--policy", policy, "--batch-max", "8")
    assert found.code == 0, found.error or found.document["checks"]
    assert "the candidate takes one request at a time" in found.document["notes"]


@pytest.mark.parametrize("shape", [[2, None, 4], [3, 4], []])
def test_a_model_with_a_fixed_first_axis_is_benched_without_traffic(broken, shape):
    model = broken("fixed", [helper.make_node("Identity", ["x"], ["y"])], [("x", FLOAT, shape)], [("y", FLOAT, shape)])
    words = ["shadow", "bench", "--offline", "--format", "json", "--seconds", "0.01", "--batches", "1,4", "--sessions", "1", str(model)]
    ran = subprocess.run([WINDVANE, *words], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert [point["batch"] for point in json.loads(ran.stdout)["points"]] == [1]


def test_a_run_that_is_told_to_end_leaves_nothing_behind(sound, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    np.savez(tmp_path / "traffic.npz", x=np.ones((200, 1), dtype=np.float32))
    words = ["shadow", "run", "--offline", "--champion", sound, "--candidate", sound, "--traffic", tmp_path / "traffic.npz", "--pace", "constant:1"]
    process = subprocess.Popen([WINDVANE, *map(str, words)], env={**os.environ, "TMPDIR": str(scratch)}, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 60
        # The folder of the process with the models is inside of that of whoever started it.
        while not any(scratch.glob("*/scratch/*")):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert (process.returncode, list(scratch.iterdir())) == (70, []), said
        assert "before there was an answer" in said
    finally:
        process.kill()
