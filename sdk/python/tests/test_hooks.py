"""Hooks against the real libraries: what a model answers stays the same, and is logged row by row."""

import pickle
import types

import lightgbm
import numpy
import onnxruntime
import pandas
import pytest
import xgboost
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import windvane
from kit import run_python

X, Y = load_iris(return_X_y=True)
BINARY = Y > 0
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
FRAME = pandas.DataFrame(X, columns=NAMES)


def sent(collector):
    assert windvane.flush(20)
    return collector.records.get("predictions", [])


def check_features(records, names=NAMES):
    got = [[record["features"][name] for name in names] for record in records]
    numpy.testing.assert_allclose(got, X[: len(records)], rtol=1e-6)
    assert all(record["latency_us"] >= 0 for record in records)


def scores(records):
    return [record["prediction"]["score"] for record in records]


def test_a_pipeline_of_scikit_learn_is_watched(client, collector):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, BINARY)
    watched = windvane.watch(model, model="iris", version="3")
    expected = model.predict_proba(FRAME)
    numpy.testing.assert_array_equal(watched.predict_proba(FRAME), expected)
    ids = list(windvane.event_ids())
    records = sent(collector)
    assert len(records) == len(X) and ids == [record["event_id"] for record in records]
    assert {(record["model"], record["version"]) for record in records} == {("iris", "3")}
    check_features(records)
    numpy.testing.assert_allclose(scores(records), expected[:, 1])


def test_classes_labels_and_values_are_told_apart(client, collector):
    classifier = LogisticRegression(max_iter=500).fit(X, numpy.array(["setosa", "versicolor", "virginica"])[Y])
    regression = LinearRegression().fit(X, X[:, 0])
    windvane.watch(classifier).predict_proba(X[:2])
    windvane.watch(classifier).predict(X[:2])
    windvane.watch(regression).predict(X[:2])
    windvane.watch(regression, answer="score", features=False).predict(X[:1])
    first, _, third, _, fifth, _, last = [(record["prediction"], record.get("features")) for record in sent(collector)]
    assert first[0]["label"] == "setosa" and set(first[0]["probabilities"]) == {"setosa", "versicolor", "virginica"}
    assert third[0] == {"label": "setosa"}
    assert fifth[0]["value"] == pytest.approx(X[0, 0]) and set(fifth[1]) == {"x0", "x1", "x2", "x3"}
    assert list(last[0]) == ["score"] and last[1] is None


def test_a_watched_model_is_still_the_model(client, collector):
    model = LogisticRegression(max_iter=500).fit(X, Y)
    watched = pickle.loads(pickle.dumps(windvane.watch(model, model="iris")))
    assert (watched.n_features_in_, watched.get_params()) == (4, model.get_params())
    numpy.testing.assert_array_equal(watched.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="features"):
        watched.predict(X[:, :2])
    with pytest.raises(AttributeError):
        watched.no_such_attribute
    records = sent(collector)
    (error,) = [record for record in records if "status" in record]
    assert len(records) == len(X) + 1 and (error["status"], error["tags"]) == ("error", {"error": "ValueError"})


def test_what_cannot_be_read_is_counted_and_the_answer_still_given(client, collector):
    odd = types.SimpleNamespace(predict=lambda given: {"neither": "array", "nor": "table"})
    assert windvane.watch(odd).predict(object()) == {"neither": "array", "nor": "table"}
    broken = windvane.watch(LinearRegression().fit(X, Y), answer=lambda result: 1 / 0)
    assert broken.predict(X).shape == (150,)
    assert windvane.flush()
    stats = windvane.stats()
    assert stats.logged == stats.received + sum(stats.dropped.values()) and stats.received == 0


def test_boosters_are_watched(client, collector):
    parameters = {"verbose": -1, "num_threads": 1, "objective": "binary"}
    light = lightgbm.train(parameters, lightgbm.Dataset(FRAME, BINARY), num_boost_round=3)
    expected = light.predict(FRAME)
    numpy.testing.assert_array_equal(windvane.watch(light, answer="score").predict(FRAME), expected)
    matrix = xgboost.DMatrix(FRAME, BINARY)
    extreme = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, num_boost_round=3)
    numpy.testing.assert_array_equal(windvane.watch(extreme, answer="score").predict(matrix), extreme.predict(matrix))
    inplace = windvane.watch(extreme, answer="score").inplace_predict(FRAME)
    numpy.testing.assert_array_equal(inplace, extreme.inplace_predict(FRAME))
    sklearn_like = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(FRAME, BINARY)
    windvane.watch(sklearn_like).predict_proba(FRAME)
    records = sent(collector)
    assert len(records) == 4 * len(X)
    for part in range(4):
        check_features(records[part * len(X) : (part + 1) * len(X)])
    numpy.testing.assert_allclose(scores(records[: len(X)]), expected)


@pytest.mark.parametrize("zipmap", [True, False], ids=["zipmap", "arrays"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_session_of_onnxruntime_is_watched(classes, zipmap, client, collector):
    model = LogisticRegression(max_iter=500).fit(X, BINARY if classes == 2 else Y)
    exported = to_onnx(model, X[:1].astype(numpy.float32), options={"zipmap": zipmap})
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
    watched = windvane.watch(session, model="iris", feature_names=NAMES)
    feeds = {watched.get_inputs()[0].name: X.astype(numpy.float32)}
    labels, probabilities = watched.run(None, feeds)
    expected = session.run(None, feeds)
    numpy.testing.assert_array_equal(labels, expected[0])
    records = sent(collector)
    assert len(records) == len(X) == len(windvane.event_ids())
    check_features(records)
    if classes == 2:
        numpy.testing.assert_allclose(scores(records), model.predict_proba(X)[:, 1], rtol=1e-4)
    else:
        assert [record["prediction"]["label"] for record in records] == model.predict(X).tolist()
        assert set(records[0]["prediction"]["probabilities"]) == {"0", "1", "2"}
    if not zipmap and classes == 2:
        windvane.watch(session, answer="score").run(None, feeds)
        windvane.watch(session, answer="label").run(None, feeds)
        score, label = sent(collector)[2 * len(X) - 1], sent(collector)[-1]
        assert list(score["prediction"]) == ["score"] and label["prediction"] == {"label": bool(labels[-1])}
    with pytest.raises(Exception, match="(?i)invalid|rank|dimension"):
        watched.run(None, {watched.get_inputs()[0].name: X[0].astype(numpy.float32)})
    assert sent(collector)[-1]["status"] == "error"


def test_a_sample_of_inputs_is_captured_for_replay(client, collector):
    model = LogisticRegression(max_iter=500).fit(X, BINARY)
    exported = to_onnx(model, X[:1].astype(numpy.float32), options={"zipmap": False}).SerializeToString()
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    rows = X.astype(numpy.float32)
    watched = windvane.watch(session, model="iris", version="3", payloads=0.25)
    watched.run(None, {name: rows})
    ids = list(windvane.event_ids())
    assert windvane.flush(20)
    payloads = collector.records["payloads"]
    expected = [i for i, event_id in enumerate(ids) if windvane.sampling.keeps(event_id, 0.25)]
    assert [payload["event_id"] for payload in payloads] == [ids[i] for i in expected] and 15 < len(expected) < 70
    (tensor,) = payloads[0]["inputs"]
    assert (tensor["name"], tensor["datatype"], tensor["shape"]) == (name, "FP32", [1, 4])
    numpy.testing.assert_array_equal(numpy.float32(tensor["data"]), rows[expected[0]])
    assert (payloads[0]["model"], payloads[0]["version"]) == ("iris", "3")
    windvane.watch(session, model="iris").run(None, {name: rows})
    assert windvane.flush(20) and len(collector.records["payloads"]) == len(payloads), "captured only where asked for"


def test_images_and_tokens_are_no_features(client, collector):
    watched = windvane.watch(types.SimpleNamespace(predict=lambda images: numpy.array([3, 1])))
    watched.predict(numpy.zeros((2, 3, 32, 32)))
    watched.predict(numpy.zeros((2, 5_000)))
    assert [(r["prediction"], "features" in r) for r in sent(collector)] == [({"label": i}, False) for i in (3, 1, 3, 1)]


class Module:
    """What torch.nn.Module offers to hooks; `make sdk-torch` runs the real one, which is too large for `make test`."""

    __module__ = "torch.nn.modules.module"

    def __init__(self):
        self.before, self.after = [], []

    def register_forward_pre_hook(self, hook):
        self.before.append(hook)
        return types.SimpleNamespace(remove=lambda: self.before.remove(hook))

    def register_forward_hook(self, hook):
        self.after.append(hook)
        return types.SimpleNamespace(remove=lambda: self.after.remove(hook))

    def __call__(self, given):
        for hook in self.before:
            hook(self, (given,))
        output = given.sum(axis=1, keepdims=True)
        for hook in self.after:
            hook(self, (given,), output)
        return output


def test_the_forward_hook_follows_the_protocol_of_torch(client, collector):
    from windvane.hooks.torch import hook

    module = Module()
    assert windvane.watch(module, model="net", feature_names=NAMES) is module
    module(X)
    records = sent(collector)
    check_features(records)
    numpy.testing.assert_allclose([record["prediction"]["value"] for record in records], X.sum(axis=1))
    hook(module, {})()
    assert (len(module.before), len(module.after)) == (1, 1)


def test_modules_of_hooks_are_there_after_windvane_is_imported():
    code = """
import sys, windvane
assert not [name for name in sys.modules if name in ("windvane.hooks.asgi", "windvane.hooks.genai")]
windvane.hooks.asgi.Middleware(None, routes={"/predict": windvane.hooks.asgi.Route(model="delay")})
windvane.hooks.wsgi.Middleware, windvane.hooks.genai.instrument, windvane.hooks.ray.watched
assert not hasattr(windvane.hooks, "nothing")
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
