"""BentoML, MLflow and Ray Serve, the real ones. They are large, so `make sdk-hooks` runs them and `make test` does not."""

import numpy
import pandas

import windvane
from kit import eventually


def test_what_a_monitor_of_bentoml_logs_are_predictions(collector):
    import bentoml

    options = {"url": collector.url, "model": "delay", "flush_interval_s": 0.02, "answer": "score"}
    for distance in (1400, 500):
        with bentoml.monitor("delay", "windvane.hooks.bentoml.Monitor", options) as monitor:
            monitor.log(distance, name="distance", role="feature", data_type="numerical")
            monitor.log("UA", name="carrier", role="feature", data_type="categorical")
            monitor.log(0.25, name="score", role="prediction", data_type="numerical")
            monitor.log("late", name="late", role="target", data_type="categorical")
    assert windvane.flush(20)
    first, second = collector.records["predictions"]
    assert first["features"] == {"distance": 1400, "carrier": "UA"} and second["features"]["distance"] == 500
    assert first["prediction"] == {"score": 0.25} and first["model"] == "delay"
    outcomes = collector.records["outcomes"]
    assert [outcome["event_id"] for outcome in outcomes] == [first["event_id"], second["event_id"]]
    assert outcomes[0]["label"] == "late"


def test_models_of_mlflow_are_watched_where_they_are_loaded_and_where_they_are_logged(client, collector, tmp_path):
    import mlflow

    from windvane.hooks.mlflow import watched

    class Doubles(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["x"].to_numpy() * 2

    frame = pandas.DataFrame({"x": [1.5, 2.5], "carrier": ["UA", "DL"]})
    mlflow.pyfunc.save_model(str(tmp_path / "plain"), python_model=Doubles())
    plain = windvane.watch(mlflow.pyfunc.load_model(str(tmp_path / "plain")), model="plain")
    numpy.testing.assert_array_equal(plain.predict(frame), [3.0, 5.0])
    mlflow.pyfunc.save_model(str(tmp_path / "watched"), python_model=watched(Doubles(), model="watched", version="7"))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "watched"))
    numpy.testing.assert_array_equal(loaded.predict(frame), [3.0, 5.0])
    assert windvane.flush(20)
    records = collector.records["predictions"]
    assert [record["model"] for record in records] == ["plain", "plain", "watched", "watched"]
    assert [record["prediction"]["value"] for record in records] == [3.0, 5.0] * 2
    assert records[2]["features"] == {"x": 1.5, "carrier": "UA"} and records[2]["version"] == "7"


def test_replicas_of_ray_serve_log_their_calls(collector):
    import ray
    from ray import serve

    from windvane.hooks.ray import watched

    @serve.deployment(num_replicas=1, ray_actor_options={"num_cpus": 0.1})
    @watched(collector.url, model="delay", answer="score", flush_interval_s=0.05)
    class Delay:
        async def __call__(self, flight):
            return flight["distance"] / 10_000

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(proxy_location="Disabled")
        handle = serve.run(Delay.bind())
        assert handle.remote({"distance": 1400, "carrier": "UA"}).result(timeout_s=60) == 0.14
        eventually(collector.count)
    finally:
        serve.shutdown()
        ray.shutdown()
    (record,) = collector.records["predictions"]
    assert record["features"] == {"distance": 1400, "carrier": "UA"}
    assert (record["model"], record["prediction"]) == ("delay", {"score": 0.14})
