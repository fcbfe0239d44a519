"""What KServe's and Seldon's loggers and Seldon's server of detectors send, and what becomes of it."""

import json
import struct

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


def post(service, kind: str, event_id: str, second: int, body: bytes, **more) -> tuple[int, dict]:
    headers = {**HEADERS, "ce_id": event_id, "ce_type": kind, "ce_time": f"2023-11-14T22:13:{second:02}.5Z", **more}
    status, answer = service.post("/v1/cloudevents", body, **headers)
    return status, json.loads(answer)


def log(service, side: str, event_id: str, second: int, body: dict | bytes, **more):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = post(service, f"org.kubeflow.serving.inference.{side}", event_id, second, data, **more)
    assert answer == (200, {"accepted": 1, "rejected": []})


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


def binary(field: str, tensors: list[tuple[str, str, list[int], bytes]]) -> tuple[bytes, int]:
    """A body of the binary tensor data extension, as clients of Triton's write it, and the length of its JSON."""
    described = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
        for name, datatype, shape, data in tensors
    ]
    header = json.dumps({field: described}, separators=(",", ":")).encode()
    return header + b"".join(data for *_, data in tensors), len(header)


def test_binary_tensors_become_what_plain_ones_do(service):
    texts = b"".join(struct.pack("<I", len(text)) + text for text in (b"UA", b"AA"))
    inputs = [("distance", "FP32", [2, 1], struct.pack("<2f", 1400, 7.5)), ("carrier", "BYTES", [2, 1], texts)]
    body, length = binary("inputs", inputs)
    log(service, "request", "binary", 1, body, content_type="application/octet-stream", Inference_Header_Content_Length=str(length))
    body, _ = binary("outputs", [("y", "FP16", [2], struct.pack("<2e", 0.5, -2))])
    # KServe's logger gives the response the headers of the request.
    metadata = json.dumps({"Inference-Header-Content-Length": [str(length)]})
    log(service, "response", "binary", 2, body, content_type="application/octet-stream", ce_metadata=metadata)
    service.stored("SELECT count() FROM windvane.predictions WHERE startsWith(event_id, 'binary#')", 2)
    rows = service.query(
        """SELECT num['distance'] AS distance, cat['carrier'] AS carrier, value
        FROM windvane.predictions WHERE startsWith(event_id, 'binary#') ORDER BY event_id"""
    )
    assert rows == [{"distance": 1400, "carrier": "UA", "value": 0.5}, {"distance": 7.5, "carrier": "AA", "value": -2}]
    tensors = "JSONExtractArrayRaw(inputs)"
    service.stored(f"SELECT max(length({tensors})) FROM windvane.payloads FINAL WHERE event_id = 'binary'", 2)


def test_a_binary_tensor_that_does_not_fit_its_shape_is_refused(service):
    body, _ = binary("inputs", [("x", "FP32", [3], struct.pack("<2f", 1, 2))])
    status, answer = post(service, "org.kubeflow.serving.inference.request", "short", 1, body)
    assert (status, answer["rejected"][0]["code"]) == (400, "tensor_invalid")
    assert "accepted are 4 bytes an element" in answer["rejected"][0]["message"]


def test_a_row_that_cannot_be_kept_is_refused_alone(service):
    body = json.dumps({"predictions": ["late", "l" * 5000, "on_time"]}).encode()
    status, answer = post(service, "org.kubeflow.serving.inference.response", "partly", 1, body)
    refused = [(refusal["index"], refusal["row"], refusal["code"]) for refusal in answer["rejected"]]
    assert (status, answer["accepted"], refused) == (200, 1, [(0, 1, "string_too_long")])
    labels = "SELECT arraySort(groupArray(label)) FROM windvane.predictions WHERE startsWith(event_id, 'partly#')"
    service.stored(labels, ["late", "on_time"])


def of_seldon(service, kind: str, request_id: str, body: dict):
    more = {"ce_requestid": request_id, "ce_modelid": "classifier"}
    answer = post(service, f"io.seldon.serving.{kind}", f"event of {request_id}", 4, json.dumps(body).encode(), **more)
    assert answer == (200, {"accepted": 1, "rejected": []})


def test_what_seldon_says_of_a_prediction_is_joined_to_it(service):
    of_seldon(service, "inference.request", "s1", {"data": {"names": ["distance"], "ndarray": [[1400.5]]}})
    of_seldon(service, "inference.response", "s1", {"data": {"names": ["t:0", "t:1"], "ndarray": [[0.25, 0.75]]}})
    of_seldon(service, "inference.outlier", "s1", {"data": {"is_outlier": [1], "instance_score": [2.5], "feature_score": None}})
    truth = {"response": {"meta": {"puid": "s1"}, "data": {"ndarray": [[0.25, 0.75]]}}, "truth": {"data": {"ndarray": [[0, 1]]}}}
    of_seldon(service, "feedback", "s2", truth)
    joined = """FROM windvane.predictions AS p JOIN windvane.measurements AS m ON m.event_id = p.event_id
        JOIN windvane.outcomes AS o ON o.model = p.model AND o.event_id = p.event_id
        WHERE p.model = 'classifier' AND p.num['distance'] = 1400.5"""
    service.stored(f"SELECT count() {joined}", 2)
    rows = service.query(f"SELECT m.metric AS metric, m.value AS value, p.label = o.label AS agrees {joined} ORDER BY metric")
    assert rows == [
        {"metric": "outlier", "value": 1, "agrees": 1},
        {"metric": "outlier_score", "value": 2.5, "agrees": 1},
    ]


def test_a_drift_is_gauges_of_its_model(service):
    of_seldon(service, "inference.drift", "s3", {"data": {"is_drift": 1, "p_val": [0.01, 0.5]}, "meta": {"name": "KSDrift"}})
    gauges = "FROM windvane.metrics_gauge WHERE ServiceName = 'classifier' AND ScopeName = 'KSDrift'"
    service.stored(f"SELECT count() {gauges}", 3)
    rows = service.query(f"SELECT MetricName AS name, Attributes['feature'] AS feature, Value AS value {gauges} ORDER BY name, feature")
    assert rows == [
        {"name": "detector.is_drift", "feature": "", "value": 1},
        {"name": "detector.p_value", "feature": "0", "value": 0.01},
        {"name": "detector.p_value", "feature": "1", "value": 0.5},
    ]


def test_another_type_of_event_is_refused(service):
    status, answer = post(service, "io.seldon.serving.feedback.metrics", "x", 1, b"{}")
    assert (status, answer["rejected"][0]["code"]) == (400, "event_type_unsupported")
    assert "io.seldon.serving.inference.drift" in answer["rejected"][0]["message"]
