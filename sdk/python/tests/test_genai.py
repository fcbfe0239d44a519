"""The clients of OpenAI and Anthropic, the real ones, against a provider that is none: each call is a span."""

import asyncio

import anthropic
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fake_llm import FakeProvider
from windvane.hooks.genai import instrument

ASK = {"messages": [{"role": "user", "content": "will it be late?"}]}


@pytest.fixture
def llm():
    provider = FakeProvider()
    yield provider.url
    provider.stop()


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    class Spans:
        tracer_provider = provider

        def one(self):
            (span,) = exporter.get_finished_spans()
            return span

    return Spans()


def check(span, **expected):
    found = {name.removeprefix("gen_ai."): value for name, value in span.attributes.items()}
    assert {name: found.get(name) for name in expected["attributes"]} == expected["attributes"]
    assert "will it be late" not in str(span.attributes), "prompts are not recorded"


OPENAI = {
    "operation.name": "chat", "provider.name": "openai", "request.model": "gpt-x", "response.model": "gpt-x-2026",
    "usage.input_tokens": 12, "usage.output_tokens": 5, "usage.cache_read.input_tokens": 3,
    "usage.reasoning.output_tokens": 2, "response.finish_reasons": ("stop",), "response.id": "chatcmpl-1",
    "request.temperature": 0.5,
}  # fmt: skip
ANTHROPIC = {
    "operation.name": "chat", "provider.name": "anthropic", "request.model": "claude-x",
    "response.model": "claude-x-2026", "usage.input_tokens": 10, "usage.output_tokens": 4,
    "usage.cache_read.input_tokens": 6, "response.finish_reasons": ("end_turn",), "response.id": "msg_1",
    "request.max_tokens": 50,
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_openai(stream, asynchronous, llm, spans):
    kind = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    client = instrument(instrument(kind(base_url=llm, api_key="k"), spans.tracer_provider), spans.tracer_provider)
    asked = {"model": "gpt-x", "temperature": 0.5, "stream": stream, **ASK}
    if stream:
        asked["stream_options"] = {"include_usage": True}

    async def run():
        answer = await client.chat.completions.create(**asked)
        return [chunk async for chunk in answer] if stream else answer

    if asynchronous:
        answer = asyncio.run(run())
    else:
        answer = client.chat.completions.create(**asked)
        answer = list(answer) if stream else answer
    text = "".join(c.choices[0].delta.content or "" for c in answer if c.choices) if stream else answer.choices[0].message.content
    assert text == "late"
    check(spans.one(), attributes=OPENAI)
    assert spans.one().name == "chat gpt-x"
    assert ("gen_ai.response.time_to_first_chunk" in spans.one().attributes) is stream


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_anthropic(stream, llm, spans):
    client = instrument(anthropic.Anthropic(base_url=llm, api_key="k"), spans.tracer_provider)
    answer = client.messages.create(model="claude-x", max_tokens=50, stream=stream, **ASK)
    if stream:
        with answer as events:
            assert [event.type for event in events][-1] == "message_stop"
    else:
        assert answer.content[0].text == "late"
    check(spans.one(), attributes=ANTHROPIC)


def test_embeddings(llm, spans):
    client = instrument(openai.OpenAI(base_url=llm, api_key="k"), spans.tracer_provider)
    assert client.embeddings.create(model="embed", input="x", encoding_format="float").data[0].embedding == [0.5, -0.5]
    check(spans.one(), attributes={"operation.name": "embeddings", "usage.input_tokens": 4})


def test_what_the_provider_refuses_is_raised_and_recorded(llm, spans):
    client = instrument(openai.OpenAI(base_url=llm, api_key="k", max_retries=0), spans.tracer_provider)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="broken", **ASK)
    assert spans.one().attributes["error.type"] == "InternalServerError"
    assert not spans.one().status.is_ok
