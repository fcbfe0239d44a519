"""Instrumentations of OpenAI's client that others wrote: their spans are calls with the tokens and the cost of what was answered."""

import pytest
from openai import NotFoundError, OpenAI
from openinference.instrumentation import using_session
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as OpenTelemetry
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# 600 tokens at 2.5, 400 from the cache at 1.25, 100 at 10 for a million; without the cache's 1000 at 2.5.
COST = (600 * 2.5 + 400 * 1.25 + 100 * 10.0) / 1e6
COST_WITHOUT_CACHE = (1000 * 2.5 + 100 * 10.0) / 1e6


class Conversation(SpanProcessor):
    """Says on each span to which conversation it belongs, as applications do; OpenInference has a context for it."""

    def on_start(self, span, parent_context=None):
        span.set_attribute("gen_ai.conversation.id", "of gen_ai")


@pytest.mark.parametrize(
    ("name", "instrumentation", "convention"),
    [("opentelemetry", OpenTelemetry, "gen_ai"), ("openinference", OpenInference, "openinference")],
)
def test_calls_have_their_tokens_and_their_cost(service, openai_url, name, instrumentation, convention):
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    if convention == "gen_ai":
        provider.add_span_processor(Conversation())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{service.url}/v1/traces")))
    instrumentor = instrumentation()
    instrumentor.instrument(tracer_provider=provider)
    client = OpenAI(base_url=openai_url, api_key="none", max_retries=0)
    messages = [{"role": "user", "content": "say hello"}]
    try:
        with using_session("of openinference"):
            client.chat.completions.create(model="gpt-4o", messages=messages)
        options = {"stream": True, "stream_options": {"include_usage": True}}
        assert len(list(client.chat.completions.create(model="gpt-4o", messages=messages, **options))) == 3
        with pytest.raises(NotFoundError):
            client.chat.completions.create(model="gpt-forbidden", messages=messages)
    finally:
        instrumentor.uninstrument()
        provider.shutdown()
    where = f"FROM windvane.llm_calls FINAL WHERE service = '{name}'"
    service.stored(f"SELECT count() {where}", 3)
    good = service.query(f"SELECT * {where} AND status = 'ok'")
    assert len(good) == 2
    for call in good:
        assert (call["convention"], call["operation"], call["provider"].lower()) == (convention, "chat", "openai")
        assert call["response_model"] == "gpt-4o-2024-08-06"
        assert (int(call["input_tokens"]), int(call["output_tokens"])) == (1000, 100)
        cached = call["cache_read_tokens"] is not None
        assert call["cost"] == pytest.approx(COST if cached else COST_WITHOUT_CACHE)
        assert call["currency"] == "USD"
    conversations = {call["conversation_id"] for call in good}
    # OpenInference's context was around the first call only.
    assert conversations == ({"of gen_ai"} if convention == "gen_ai" else {"of openinference", ""})
    # OpenTelemetry's instrumentation does not say why a stream ended.
    assert {reason for call in good for reason in call["finish_reasons"]} == {"stop"}
    [bad] = service.query(f"SELECT * {where} AND status != 'ok'")
    assert (bad["request_model"], bad["cost"], bad["input_tokens"]) == ("gpt-forbidden", None, None)
