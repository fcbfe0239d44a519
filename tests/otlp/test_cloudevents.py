"""What KServe's request logger sends: halves of a pair become one payload and one prediction an instance."""

import json

HEADERS = {
    "ce_specversion": "1.0",
    "ce_source": "http://localhost:9081/",
    "ce_inferenceservicename": "flights",
    "ce_namespace": "prod",
    "ce_component": "predictor",
    "ce_endpoint": "default",
    "content_type": "application/json",
}
REQUEST = {"inputs": [{"name": "distance", "shape": [2, 1], "datatype": "FP32", "data": [1400.0, 7.5]}]}
RESPONSE = {"outputs": [{"name": "late", "shape": [2, 2], "datatype": "FP32", "data": [0.25, 0.75, 0.875, 0.125]}]}


def log(service, side: str, event_id: str, second: int, body: dict):
    headers = {**HEADERS, "ce_id": event_id, "ce_type": f"org.kubeflow.serving.inference.{side}"}
    headers["ce_time"] = f"2023-11-14T22:13:{second:02}.5Z"
    status, answer = service.post("/v1/cloudevents", json.dumps(body).encode(), **headers)
    assert (status, json.loads(answer)) == (200, {"accepted": 1, "rejected": []})


def test_a_pair_becomes_predictions_and_a_payload(service):
    log(service, "request", "pair", 1, REQUEST)
    log(service, "response", "pair", 3, RESPONSE)
    payloads = "FROM windvane.payloads FINAL WHERE event_id = 'pair' AND model = 'flights'"
    service.stored(f"SELECT countIf(inputs != '' AND outputs != '') {payloads}", 1)
    service.stored("SELECT count() FROM windvane.predictions WHERE startsWith(event_id, 'pair#')", 2)
    rows = service.query(
        """SELECT event_id, num['distance'] AS distance, label, probabilities['1'] AS late, latency_us, environment, tags['component'] AS of
        FROM windvane.predictions WHERE startsWith(event_id, 'pair#') ORDER BY event_id"""
    )
    common = {"environment": "prod", "of": "predictor"}
    for row in rows:
        assert int(row.pop("latency_us")) == 2_000_000
    assert rows == [
        {"event_id": "pair#0", "distance": 1400, "label": "1", "late": 0.75, **common},
        {"event_id": "pair#1", "distance": 7.5, "label": "0", "late": 0.125, **common},
    ]


def test_halves_that_stay_alone_are_both_kept(service):
    log(service, "request", "asked", 1, REQUEST)
    log(service, "response", "answered", 3, RESPONSE)
    service.stored("SELECT count() FROM windvane.payloads WHERE event_id = 'asked' AND outputs = ''", 1)
    service.stored("SELECT count() FROM windvane.predictions WHERE startsWith(event_id, 'answered#') AND empty(num)", 2)


def test_another_type_of_event_is_refused(service):
    headers = {**HEADERS, "ce_id": "x", "ce_type": "io.seldon.serving.inference.drift"}
    status, answer = service.post("/v1/cloudevents", b"{}", **headers)
    assert (status, json.loads(answer)["rejected"][0]["code"]) == (400, "event_type_unsupported")
