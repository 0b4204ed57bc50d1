"""Automations on a real server, and a real receiver of what they send."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from pydantic import ValidationError

from flows.alerts import STATES, register
from flows.pipeline import pipeline

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture
def receiver() -> Iterator[tuple[str, Queue[Any]]]:
    """An address, and what is posted there."""
    posted: Queue[Any] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", posted
    server.shutdown()
    server.server_close()


def test_a_failed_run_calls_the_webhook(project: Path, receiver: tuple[str, Queue[Any]]) -> None:
    url, posted = receiver
    register("http://127.0.0.1:9/")
    register(url)  # in its place
    (project / "second.sh").write_text("echo 'error: x.mp4: \"broken\"'\nexit 3\n")
    pipeline(["second"], return_state=True)
    call = posted.get(timeout=60)
    with get_client(sync_client=True) as client:
        automations = client.read_automations()
        for automation in automations:
            client.delete_automation(automation.id)
    assert len(automations) == len(STATES)
    assert call["state"] == "Failed"
    assert "stage 'second' failed: x.mp4: \"broken\"" in call["message"]


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValidationError):
        register("hooks.example.org")
