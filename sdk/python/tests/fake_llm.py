"""A provider of LLMs that is none: answers in the shapes of OpenAI and Anthropic, whole and streamed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OPENAI = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x-2026",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "late"}}],
    "usage": {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x-2026",
    "content": [{"type": "text", "text": "late"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 4, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 0},
}
EMBEDDINGS = {
    "object": "list",
    "model": "embed-x",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}],
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}


def _openai_stream():
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x-2026"}
    for delta, reason in [({"content": "la"}, None), ({"content": "te"}, None), ({}, "stop")]:
        yield None, {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    yield None, {**base, "choices": [], "usage": OPENAI["usage"]}
    yield None, "[DONE]"


def _anthropic_stream():
    head = {**ANTHROPIC, "content": [], "stop_reason": None, "usage": {**ANTHROPIC["usage"], "output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": head}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "late"}}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 4}}
    yield "message_stop", {"type": "message_stop"}


class FakeProvider:
    """Serves on a free port until it is stopped."""

    def __init__(self):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if asked["model"] == "broken":
                    return self._send(500, "application/json", b'{"error": {"message": "on purpose", "type": "server_error"}}')
                anthropic = self.path.endswith("/messages")
                if asked.get("stream"):
                    events = _anthropic_stream() if anthropic else _openai_stream()
                    lines = [
                        (f"event: {name}\n" if name else "") + f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"
                        for name, data in events
                    ]
                    return self._send(200, "text/event-stream", "".join(lines).encode())
                answer = EMBEDDINGS if self.path.endswith("/embeddings") else ANTHROPIC if anthropic else OPENAI
                self._send(200, "application/json", json.dumps(answer).encode())

            def _send(self, status, kind, body):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
