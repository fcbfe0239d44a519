"""The contract that all SDKs and the collector share: event encoding, sampling, assignment."""

import ast
import json
import math
from pathlib import Path

import pytest

import windvane
from conftest import VECTORS
from windvane import sampling
from windvane.assignment import _point

SOURCES = sorted((Path(windvane.__file__).parent).rglob("*.py"))


def load(name):
    vectors = json.loads((VECTORS / f"{name}.json").read_text())["vectors"]
    assert vectors
    return vectors


def value_of(written):
    """JSON has no NaN; the vectors write {"float": "nan"}."""
    if isinstance(written, dict):
        if set(written) == {"float"}:
            return float(written["float"])
        return {key: value_of(held) for key, held in written.items()}
    return [value_of(held) for held in written] if isinstance(written, list) else written


@pytest.mark.parametrize("vector", load("events"), ids=lambda vector: vector["name"])
def test_an_event_is_encoded_as_the_contract_says(vector, client, collector, encoder, monkeypatch):
    call = value_of(vector["call"])
    if vector["kind"] == "predictions":
        windvane.log_prediction(call.pop("features", None), **call)
    elif vector["kind"] == "outcomes":
        windvane.log_outcome(call.pop("event_id"), **call)
    else:  # the SDK makes these ids itself
        made = call.pop("event_id")
        monkeypatch.setattr(type(client._ids), "make", lambda self: made)
        log = windvane.log_exposure if vector["kind"] == "exposures" else windvane.log_measurement
        log(**call)
    assert windvane.flush()
    assert collector.records[vector["kind"]] == [vector["record"]]


@pytest.mark.parametrize("vector", load("sampling"), ids=lambda vector: ascii(vector["event_id"])[:40])
def test_sampling_decides_as_every_language_does(vector):
    assert sampling.point(vector["event_id"]) == vector["point"]
    for rate, kept in vector["kept"].items():
        assert sampling.keeps(vector["event_id"], float(rate)) is kept, rate


def test_assignment_answers_every_vector():
    for vector in load("assignment"):
        definition, unit, points = vector["definition"], vector["unit"], vector["points"]
        assignment = windvane.Experiment.from_definition(definition).assign(unit)
        assert (assignment.outcome, assignment.arm) == (vector["outcome"], vector["arm"]), vector["name"]
        assert _point("arm", definition["salt"], unit) == points["arm"]


def test_an_experiment_that_cannot_be_dealt_out_is_refused():
    for arguments, named in [
        ({"name": "", "arms": {"A": 1}}, "name"),
        ({"name": "x", "arms": {}}, "weights"),
        ({"name": "x", "arms": {"A": 0}}, "weights"),
        ({"name": "x", "arms": {"A": -1, "B": 2}}, "weights"),
        ({"name": "x", "arms": {"A": math.nan}}, "weights"),
        ({"name": "x", "arms": {"A": 1e308, "B": 1e308}}, "weights"),
        ({"name": "x", "arms": {"A": 1, "": 1}}, "names"),
        ({"name": "x", "arms": {"A": 1}, "ramp": 1.5}, "ramp"),
        ({"name": "x", "arms": {"A": 1}, "layer": windvane.Layer("l", 0.5, 0.5)}, "layer"),
        ({"name": "x", "arms": {"A": 1}, "holdout": windvane.Holdout("h", -0.1)}, "holdout"),
    ]:
        with pytest.raises(ValueError, match=named):
            windvane.Experiment(**arguments)
    twice = [{"arm": "A", "weight": 0.2}, {"arm": "B", "weight": 0.5}, {"arm": "A", "weight": 0.3}]
    with pytest.raises(ValueError, match="each name once"):
        windvane.Experiment.from_definition({"salt": "x", "arms": twice})


def test_assign_logs_the_exposure_of_units_that_have_an_arm(client, collector):
    experiment = windvane.Experiment("checkout-test", {"A": 0.5, "B": 0.5}, ramp=0.5)
    arms = {f"u{i}": windvane.assign(experiment, f"u{i}").arm for i in range(50)}
    windvane.assign(experiment, "silent", expose=False)
    assert windvane.flush()
    exposed = {record["unit_id"]: record["arm"] for record in collector.records["exposures"]}
    assert exposed == {unit: arm for unit, arm in arms.items() if arm is not None}
    assert 10 < len(exposed) < 40


def test_assign_of_what_is_no_unit_raises_nothing(client, collector):
    experiment = windvane.Experiment("checkout-test", {"A": 0.5, "B": 0.5})
    for unit in (None, 42, b"u", "\ud800"):
        assignment = windvane.assign(experiment, unit)
        assert (assignment.outcome, assignment.arm) == ("undefined", None), unit
    assert "cannot assign" in windvane.stats().last_fault
    assert windvane.flush()
    assert not collector.records.get("exposures")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_file_is_python_3_9(path):
    ast.parse(path.read_text(), feature_version=(3, 9))
