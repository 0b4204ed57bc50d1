"""Automations on a real server, and a real receiver of what they send."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.states import Pending, Running, Scheduled
from pydantic import ValidationError

from flows.alerts import STATES, mark_dead, mark_unbegun, register
from flows.pipeline import pipeline
from tests.flows.test_pipeline import child_environment

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    """Of a server that has no automations afterwards."""
    with get_client(sync_client=True) as client:
        yield client
        for automation in client.read_automations():
            client.delete_automation(automation.id)


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


def test_a_failed_run_calls_the_webhook(
    project: Path, client: SyncPrefectClient, receiver: tuple[str, Queue[Any]]
) -> None:
    url, posted = receiver
    register("http://127.0.0.1:9/")
    register(url)  # in its place
    (project / "second.sh").write_text("echo 'error: x.mp4: \"broken\"'\nexit 3\n")
    pipeline(["second"], return_state=True)
    call = posted.get(timeout=60)
    assert len(client.read_automations()) == len(STATES)
    assert call["state"] == "Failed"
    assert "stage 'second' failed: x.mp4: \"broken\"" in call["message"]


@pytest.mark.usefixtures("client")
def test_a_killed_run_crashes_and_calls_the_webhook(
    project: Path, receiver: tuple[str, Queue[Any]]
) -> None:
    url, posted = receiver
    register(url)
    mark_dead(timedelta(seconds=10))
    (project / "second.sh").write_text("touch begun\nsleep 600\n")
    process = subprocess.Popen([sys.executable, "-m", "flows.pipeline"], env=child_environment())
    while not (project / "begun").exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    mark_dead(timedelta(seconds=10))  # `make prefect-up`, of one who finds the worker gone
    call = posted.get(timeout=120)
    assert call["state"] == "Crashed"
    assert call["message"] == "nothing was heard of it for 10 seconds"


def test_runs_whose_worker_died_too_early_crash(client: SyncPrefectClient) -> None:
    """After it took the run, and after the run's begin; had it been slow, the run would go on."""
    mark_unbegun(timedelta(seconds=10))
    mark_dead(timedelta(seconds=10))
    taken, begun = (client.create_flow_run(pipeline, state=Scheduled()).id for _ in range(2))
    for run in (taken, begun):
        client.set_flow_run_state(run, Pending())
    client.set_flow_run_state(begun, Running())
    assert crash(client, taken) == "it did not begin within 10 seconds"
    assert crash(client, begun) == "nothing was heard of it for 10 seconds"
    client.set_flow_run_state(taken, Running())
    assert client.read_flow_run(taken).state_name == "Running"


def crash(client: SyncPrefectClient, run: UUID) -> str | None:
    """Wait for a run to become "Crashed"; the message."""
    deadline = time.monotonic() + 120
    while (state := client.read_flow_run(run).state) is None or not state.is_final():
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert state.is_crashed()
    return state.message


def test_a_late_run_calls_the_webhook(
    client: SyncPrefectClient, receiver: tuple[str, Queue[Any]]
) -> None:
    url, posted = receiver
    register(url)
    deployment = client.create_deployment(client.create_flow(pipeline), "without-a-worker")
    due = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(minutes=1))
    client.create_flow_run_from_deployment(deployment, state=due)
    call = posted.get(timeout=60)
    client.delete_deployment(deployment)
    assert call["state"] == "Late"
    assert call["deployment"] == "without-a-worker"


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValidationError):
        register("hooks.example.org")
