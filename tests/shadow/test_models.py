"""Public models answer here as they do under Python's ONNX Runtime, request by request."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from conftest import CASES, Served, gate

TOLERANCE = 1e-6
"""Both sides are the same kernels in the same release with one thread; another processor may choose other kernels."""


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_python(name, served):
    case = CASES[name]
    session = case.session()
    for row in range(min(3, len(next(iter(case.rows.values()))))):
        request = case.request(session, row)
        expected = dict(zip([port.name for port in session.get_outputs()], session.run(None, request)))
        found = served.infer(name.replace(" ", "-"), request)
        assert set(found) == set(expected)
        for output, value in expected.items():
            assert found[output]["shape"] == list(value.shape)
            flat = value.reshape(-1)
            if value.dtype.kind in "OU":
                assert found[output]["data"] == list(flat)
            else:
                got = np.array(found[output]["data"], dtype=np.float64)
                np.testing.assert_allclose(got, flat.astype(np.float64), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_a_model_passes_against_itself_on_arrays_of_numpy(name, tmp_path):
    case = CASES[name]
    traffic = tmp_path / "traffic.npz"
    # Both ways to write an archive.
    (np.savez if len(name) % 2 else np.savez_compressed)(traffic, **case.rows)
    policy = tmp_path / "gate.toml"
    policy.write_text("[agreement]\nrate_min = 0.1\n")
    found = gate(case.model, case.model, traffic, "--policy", policy)
    assert found.code in (0, 2), found.error
    assert found.document["agreement"]["rate"] == 1.0, found.document["agreement"]
    assert found.document["requests"] == len(next(iter(case.rows.values())))
    for output in found.document["agreement"]["outputs"]:
        assert output["nonfinite"] == 0 or name == "flights"


def test_metadata_is_that_of_the_protocol(served):
    assert served.get("/v2/health/ready") == {"ready": True}
    metadata = served.get("/v2/models/silero")
    assert {"name": "state", "datatype": "FP32", "shape": [2, -1, 128]} in metadata["inputs"]


@pytest.mark.parametrize("name", ["flights", "magika"])
def test_requests_at_the_same_time_share_calls_and_each_gets_its_own_answer(name):
    case = CASES[name]
    session = case.session()
    rows = min(6, len(next(iter(case.rows.values()))))
    requests = [case.request(session, row) for row in range(rows)] * 4
    models = Served({name: case.model}, "--batch-max", "8", "--batch-wait-us", "2000000")
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda request: models.infer(name, request), requests))
        assert models.counted(f'windvane_shadow_requests_total{{model="{name}",outcome="answered"}}') == len(requests)
        assert models.counted("windvane_shadow_calls_total") <= len(requests) / 2
    finally:
        code = models.close()
    assert code == 0
    for request, found in zip(requests, answers):
        for port, value in zip(session.get_outputs(), session.run(None, request)):
            assert found[port.name]["shape"] == list(value.shape)
            if value.dtype.kind in "OU":
                assert found[port.name]["data"] == list(value.reshape(-1))
            else:
                got = np.array(found[port.name]["data"], dtype=np.float64)
                np.testing.assert_allclose(got, value.reshape(-1).astype(np.float64), rtol=1e-5, atol=1e-5)
