"""Words beyond `limits.words_max`: what OpenTelemetry's own SDK exports is all stored, and can be asked for."""

import urllib.request

from conftest import running
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

SPANS = 60
WORDS = 10


def test_spans_with_ids_in_names_and_keys_are_all_stored(tmp_path):
    with running(tmp_path, f"[limits]\nwords_max = {WORDS}\n") as service:
        resource = Resource.create({"service.name": "shop"})
        provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{service.url}/v1/traces")
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("tests")
        for n in range(SPANS):
            with tracer.start_as_current_span(f"GET /users/{n}", attributes={f"user.{n}": n}) as span:
                span.add_event(f"seen {n}")
        provider.shutdown()
        service.stored("SELECT count() FROM windvane.spans", SPANS)
        [seen] = service.query(
            """SELECT uniqExact(SpanName) AS names, uniqExact(arrayJoin(mapKeys(SpanAttributes))) AS keys,
                uniqExact(arrayJoin(Events.Name)) AS events FROM windvane.spans"""
        )
        # The bound and `_OTHER`; the resource has some of the keys, and `span.name_original` is one beyond them.
        keys = WORDS - len(resource.attributes) + 2
        assert {key: int(value) for key, value in seen.items()} == {"names": WORDS + 1, "keys": keys, "events": WORDS + 1}
        [seen] = service.query(
            """SELECT uniqExact(if(SpanName = '_OTHER', SpanAttributes['span.name_original'], SpanName)) AS names,
                countIf(JSONExtractInt(SpanAttributes['_OTHER'], 'user.59') = 59) AS last,
                countIf(Events.Attributes[1]['event.name_original'] = 'seen 59') AS event FROM windvane.spans"""
        )
        assert {key: int(value) for key, value in seen.items()} == {"names": SPANS, "last": 1, "event": 1}
        with urllib.request.urlopen(f"{service.url}/metrics", timeout=20) as answer:
            metrics = answer.read().decode()
        assert f'windvane_collector_replaced_words_total{{word="span"}} {SPANS - WORDS}\n' in metrics
        told = [line for line in (tmp_path / "log").read_text().splitlines() if "more words than are kept apart" in line]
        assert len(told) == 3, "once of each kind: names, keys and events"
