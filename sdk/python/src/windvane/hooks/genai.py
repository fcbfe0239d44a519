"""LLM clients in the shape of OpenAI's and Anthropic's: each call is a span by OpenTelemetry's conventions for generative AI.

    windvane.hooks.genai.instrument(client)                    # spans go to the process's tracer provider
    windvane.hooks.genai.instrument(client, provider("http://127.0.0.1:8080"))  # or to Windvane alone

Needs the extra `opentelemetry`; `provider` needs `opentelemetry-exporter-otlp-proto-http`, too. Prompts and answers are not recorded: a
span has counts, names and times.
"""

from __future__ import annotations

import functools
import inspect
import time
from typing import Any, AsyncIterator, Callable, Dict, Iterator, Mapping, Optional

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

# Where each client has its calls, and which operation they are.
_CALLS = (
    (("chat", "completions", "create"), "chat"),
    (("responses", "create"), "chat"),
    (("completions", "create"), "text_completion"),
    (("embeddings", "create"), "embeddings"),
    (("messages", "create"), "chat"),
)
_REQUEST = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "n": "choice.count",
}
_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")


def provider(url: str, token: Optional[str] = None, service: str = "llm-app", environment: str = "") -> Any:
    """A tracer provider that exports to Windvane's OTLP endpoint, in batches and in the background."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    attributes = {"service.name": service}
    if environment:
        attributes["deployment.environment.name"] = environment
    headers = {"authorization": f"Bearer {token}"} if token else None
    made = TracerProvider(resource=Resource.create(attributes))
    exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", headers=headers)
    made.add_span_processor(BatchSpanProcessor(exporter))
    return made


def instrument(client: Any, tracer_provider: Any = None, *, provider_name: Optional[str] = None) -> Any:
    """Wraps the calls that the client has, in place, and returns it. Calling it twice wraps once."""
    name = provider_name or type(client).__module__.partition(".")[0]
    tracer = trace.get_tracer("windvane", tracer_provider=tracer_provider)
    for (*path, method), operation in _CALLS:
        held = client
        for part in path:
            held = getattr(held, part, None)
        call = getattr(held, method, None)
        if call is not None and not hasattr(call, "_windvane_wrapped"):
            wrapped = _wrapped(call, tracer, name, operation)
            wrapped._windvane_wrapped = True  # type: ignore[attr-defined]
            setattr(held, method, wrapped)
    return client


def _wrapped(call: Callable[..., Any], tracer: Any, provider_name: str, operation: str) -> Callable[..., Any]:
    @functools.wraps(call)
    def sync(*args: Any, **kwargs: Any) -> Any:
        spoken = _Spoken(tracer, provider_name, operation, kwargs)
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            spoken.fail(error)
            raise
        return _Stream(result, spoken) if kwargs.get("stream") else spoken.finish(result)

    @functools.wraps(call)
    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        spoken = _Spoken(tracer, provider_name, operation, kwargs)
        try:
            result = await call(*args, **kwargs)
        except BaseException as error:
            spoken.fail(error)
            raise
        return _Stream(result, spoken) if kwargs.get("stream") else spoken.finish(result)

    return asynchronous if inspect.iscoroutinefunction(inspect.unwrap(call)) else sync


class _Spoken:
    """The span of one call. Reading a response never raises: what is not there is not recorded."""

    def __init__(self, tracer: Any, provider_name: str, operation: str, request: Mapping[str, Any]) -> None:
        model = str(request.get("model", ""))
        attributes: Dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider_name,
            "gen_ai.request.model": model,
        }
        for name, attribute in _REQUEST.items():
            if isinstance(request.get(name), (int, float)):
                attributes[f"gen_ai.request.{attribute}"] = request[name]
        if request.get("stream"):
            attributes["gen_ai.request.stream"] = True
        self._span: Span = tracer.start_span(f"{operation} {model}", kind=SpanKind.CLIENT, attributes=attributes)
        self._begun = time.perf_counter()
        self._found: Dict[str, Any] = {}
        self._ended = False

    def finish(self, result: Any) -> Any:
        """The answer came as a whole."""
        self.read(result)
        self.end()
        return result

    def chunk(self, piece: Any) -> None:
        """A piece of the answer came."""
        self._found.setdefault("gen_ai.response.time_to_first_chunk", time.perf_counter() - self._begun)
        self.read(piece)
        for part in ("message", "response"):  # Anthropic's first event and OpenAI's last one hold the answer's head
            if getattr(piece, part, None) is not None:
                self.read(getattr(piece, part))

    def fail(self, error: BaseException) -> None:
        """The call, or the reading of its stream, raised."""
        self._found["error.type"] = type(error).__name__
        self._span.set_status(StatusCode.ERROR, str(error)[:200])
        self.end()

    def read(self, answer: Any) -> None:
        """Takes what an answer or a piece of one says of itself."""
        try:
            self._read(answer)
        except Exception as error:
            self._found["windvane.fault"] = repr(error)[:200]

    def _read(self, answer: Any) -> None:
        for name in ("id", "model"):
            value = getattr(answer, name, None)
            if isinstance(value, str):
                self._found[f"gen_ai.response.{name}"] = value
        self._read_usage(getattr(answer, "usage", None))
        delta = getattr(answer, "delta", None)
        reasons = [getattr(choice, "finish_reason", None) for choice in getattr(answer, "choices", None) or ()]
        reasons += [getattr(held, "stop_reason", None) for held in (answer, delta)]
        said = [reason for reason in reasons if isinstance(reason, str)]
        if said:
            self._found["gen_ai.response.finish_reasons"] = said

    def _read_usage(self, usage: Any) -> None:
        if usage is None:
            return
        found = self._found
        _count(found, "gen_ai.usage.input_tokens", usage, _INPUT)
        _count(found, "gen_ai.usage.output_tokens", usage, _OUTPUT)
        _count(found, "gen_ai.usage.cache_read.input_tokens", usage, ("cache_read_input_tokens",))
        _count(found, "gen_ai.usage.cache_creation.input_tokens", usage, ("cache_creation_input_tokens",))
        for details in ("prompt_tokens_details", "input_tokens_details"):
            cached = getattr(usage, details, None)
            _count(found, "gen_ai.usage.cache_read.input_tokens", cached, ("cached_tokens",))
        for details in ("completion_tokens_details", "output_tokens_details"):
            thought = getattr(usage, details, None)
            _count(found, "gen_ai.usage.reasoning.output_tokens", thought, ("reasoning_tokens",))

    def end(self) -> None:
        """Ends the span, once."""
        if not self._ended:
            self._ended = True
            self._span.set_attributes(self._found)
            self._span.end()


class _Stream:
    """Stands in for a streamed answer; the span ends when the stream does, or is closed."""

    def __init__(self, stream: Any, spoken: _Spoken) -> None:
        self._windvane_stream = stream
        self._windvane_spoken = spoken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._windvane_stream, name)

    def __iter__(self) -> Iterator[Any]:
        spoken = self._windvane_spoken
        try:
            for piece in self._windvane_stream:
                spoken.chunk(piece)
                yield piece
        except Exception as error:
            spoken.fail(error)
            raise
        finally:
            spoken.end()

    async def __aiter__(self) -> AsyncIterator[Any]:
        spoken = self._windvane_spoken
        try:
            async for piece in self._windvane_stream:
                spoken.chunk(piece)
                yield piece
        except Exception as error:
            spoken.fail(error)
            raise
        finally:
            spoken.end()

    def __enter__(self) -> "_Stream":
        self._windvane_stream.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        self._windvane_spoken.end()
        return self._windvane_stream.__exit__(*error)

    async def __aenter__(self) -> "_Stream":
        await self._windvane_stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        self._windvane_spoken.end()
        return await self._windvane_stream.__aexit__(*error)


def _count(found: Dict[str, Any], attribute: str, usage: Any, names: "tuple[str, ...]") -> None:
    for name in names:
        value = getattr(usage, name, None)
        if isinstance(value, int):
            found[attribute] = value
