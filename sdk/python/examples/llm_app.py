"""An LLM app whose calls are recorded by OpenTelemetry's conventions, with a provider that is none.

    python llm_app.py [--calls 20]

Take `instrument` and leave `FakeProvider` out where there is a real one.
"""

import argparse
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai

import windvane
from windvane.hooks.genai import instrument, provider


class FakeProvider(BaseHTTPRequestHandler):
    """Answers each question with the same word, and bills for it."""

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        words = sum(len(message["content"].split()) for message in asked["messages"])
        answer = {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "late"}}],
            "usage": {"prompt_tokens": words, "completion_tokens": 1, "total_tokens": words + 1},
        }  # fmt: skip
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20)
    calls = parser.parse_args().calls
    url = os.environ.get("WINDVANE_SDK_URL", "http://127.0.0.1:8080")
    fake = ThreadingHTTPServer(("127.0.0.1", 0), FakeProvider)
    threading.Thread(target=fake.serve_forever, daemon=True).start()

    windvane.init(url, model="will-it-be-late", version="prompt-3")
    tracers = provider(url, service="llm-app")
    client = instrument(openai.OpenAI(base_url=f"http://127.0.0.1:{fake.server_port}", api_key="none"), tracers)
    tracer = tracers.get_tracer("llm-app")
    for number in range(calls):
        question = f"Flight {number} leaves at {5 + number % 18}:00. Will it be late? One word."
        # The call is a span of its own, and the app's answer a prediction of the same trace.
        with tracer.start_as_current_span("answer"), windvane.monitor(features={"hour": 5 + number % 18}) as call:
            answer = client.chat.completions.create(model="small", messages=[{"role": "user", "content": question}])
            call.set(label=answer.choices[0].message.content)
    tracers.shutdown()
    windvane.flush(60)
    print(windvane.stats())


if __name__ == "__main__":
    main()
