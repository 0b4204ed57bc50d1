"""Endpoints over real HTTP that answer as a test wants it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The body of a request and how many came before it, to status, headers and body.
Response = tuple[int, dict[str, str], Any]
Respond = Callable[[dict[str, Any], int], Response]


def completion(text: str) -> Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    choice["finish_reason"] = "stop"
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return 200, {}, {"choices": [choice], "usage": usage}


def error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return status, headers or {}, {"error": {"message": message, "type": "error"}}


def last_text(body: dict[str, Any]) -> str:
    """What the last example says; what to say without one is up to the caller."""
    answers = [m["content"] for m in body["messages"] if m["role"] == "assistant"]
    return answers[-1] if answers else "The camera wearer opens the cup."


@dataclass
class Standing:
    url: str
    # Bodies of all requests, and the headers of each.
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def standing(respond: Respond) -> Iterator[Standing]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(endpoint.bodies)
                endpoint.bodies.append(body)
                endpoint.headers.append(dict(self.headers))
            self.answer(*respond(body, number))

        def do_GET(self) -> None:
            self.answer(200, {}, {"data": [{"id": "one"}, {"id": "two"}]})

        def answer(self, status: int, headers: dict[str, str], body: Any) -> None:
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint = Standing(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield endpoint
    server.shutdown()
    thread.join()
    server.server_close()
