"""A small server that speaks the OpenAI API on loopback, answers sums, and fails as it is told."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Fault = tuple[int, dict[str, str], dict] | str | None


class Served:
    """The server's state: what it was asked, and how to fail. `fault(n, path, body)` may return a status,
    headers and a body to send for request n, from 1, or "cut", which closes the connection."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict, str]] = []
        self.fault: Callable[[int, str, dict], Fault] = lambda n, path, body: None
        self.choice: dict = {}
        self.lock = threading.Lock()
        state = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self.send(200, {}, {"object": "list", "data": [{"id": "m", "object": "model"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with state.lock:
                    state.asked.append((self.path, body, self.headers.get("authorization", "")))
                    fault = state.fault(len(state.asked), self.path, body)
                if fault == "cut":
                    self.close_connection = True
                    self.connection.close()
                elif fault:
                    self.send(*fault)
                else:
                    self.send(200, {}, state.answer(self.path, body))

            def send(self, status: int, headers: dict[str, str], body: dict) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.end_headers()
                with suppress(BrokenPipeError, ConnectionResetError):  # The asking process was killed.
                    self.wfile.write(content)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path: str, body: dict) -> dict:
        text = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        left, right = map(int, re.findall(r"\d+", text)[:2])
        said = f"\\boxed{{{left + right + (body['seed'] % 3 == 0)}}}"
        content = (
            {"message": {"role": "assistant", "content": said}} if "messages" in body else {"text": said}
        )
        choice = {"index": 0, "finish_reason": "stop", **content, **self.choice}
        usage = {"prompt_tokens": len(text), "completion_tokens": len(said), "total_tokens": 0}
        kind = "chat.completion" if "messages" in body else "text_completion"
        return {"id": "1", "object": kind, "created": 0, "model": "m", "choices": [choice], "usage": usage}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[], Served]]:
    started: list[Served] = []

    def start() -> Served:
        started.append(Served())
        return started[-1]

    yield start
    for one in started:
        one.close()
