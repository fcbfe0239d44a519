"""Arrow's own writer in Python: the layouts that it makes of records are taken, and give what the same records give as JSON."""

import io
import json
from datetime import datetime, timezone

import pyarrow as pa
import pytest

STREAM = "application/vnd.apache.arrow.stream"
RECORDS = [
    {
        "model": "arrow",
        "version": "7",
        "ts": datetime(2023, 11, 14, 22, 13, 20, 123456, timezone.utc),
        "features": {"distance": float(n), "carrier": "UA" if n % 2 else None, "holiday": n % 3 == 0},
        "prediction": {"label": "late", "probabilities": {"late": 0.75, "on_time": 0.25}},
        "tags": {"region": "east"},
        "latency_us": n,
    }
    for n in range(1000)
]


def written(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=300)
    return sink.getvalue()


def table_of(way: str) -> pa.Table:
    named = [{**record, "event_id": f"{way}-{n}"} for n, record in enumerate(RECORDS)]
    table = pa.Table.from_pylist(named)
    if way == "dictionaries":
        column = table.column("model").dictionary_encode()
        table = table.set_column(table.schema.get_field_index("model"), "model", column)
    return table


@pytest.mark.parametrize(
    ("way", "options"), [("plain", {}), ("dictionaries", {}), ("zstd", {"compression": "zstd"}), ("lz4", {"compression": "lz4"})]
)
def test_what_arrow_makes_of_records_is_what_json_makes(service, way, options):
    status, answer = service.post("/v1/predictions", written(table_of(way), **options), content_type=STREAM)
    assert (status, json.loads(answer)) == (200, {"accepted": 1000, "rejected": []})
    lines = (
        json.dumps({**record, "event_id": f"json-{way}-{n}", "ts": record["ts"].isoformat()})
        for n, record in enumerate(RECORDS)
    )
    status, _ = service.post("/v1/predictions", "\n".join(lines).encode(), content_type="application/x-ndjson")
    assert status == 200
    columns = "model, version, ts, num, cat, kind, label, probabilities, tags, latency_us, status"
    sums = f"SELECT count(), sum(cityHash64({columns})) FROM windvane.predictions WHERE startsWith(event_id, '{{}}-')"
    service.stored("SELECT count() FROM windvane.predictions WHERE startsWith(event_id, 'json-%s-')" % way, 1000)
    service.stored(f"SELECT count() FROM windvane.predictions WHERE startsWith(event_id, '{way}-')", 1000)
    assert service.query(sums.format(way)) == service.query(sums.format(f"json-{way}"))


def test_a_bad_row_is_rejected_alone(service):
    table = pa.table({"experiment": ["e"] * 3, "unit_id": ["u", None, "w"], "arm": ["A", "B", "C"]})
    status, answer = service.post("/v1/exposures", written(table), content_type=STREAM)
    answer = json.loads(answer)
    assert (status, answer["accepted"], [(bad["index"], bad["code"]) for bad in answer["rejected"]]) == (
        200,
        2,
        [(1, "missing_field")],
    )
