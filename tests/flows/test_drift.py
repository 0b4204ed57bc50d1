"""The flow on a real server: what leaves a bound starts the deployment that it names."""

from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient

from eilev.traffic import LOG_FILE, LoggedRequest
from flows.commands import CommandError
from flows.drift import drift
from tests.drift.places import write_params, write_reference
from tests.flows.conftest import Prefect

FLOW = "from prefect import flow\n\n@flow\ndef refresh() -> None:\n    print('fresh')\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a request that is unlike the training."""
    write_params(tmp_path, min_requests=1)
    write_reference(tmp_path / "data/drift/reference.json", "eilev-1")
    request = LoggedRequest(
        time=1.0,
        model="eilev",
        fingerprint="eilev-1",
        shots=2,
        context=("the camera wearer cuts the onion", "the camera wearer _ _"),
        answer="the camera wearer cuts the onion",
        confidence=0.9,
        feature_mean=0.0,
        feature_std=0.0,
        prompt_tokens=10,
        completion_tokens=5,
        seconds=0.1,
    )
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / LOG_FILE).write_text(request.model_dump_json() + "\n")
    (tmp_path / "refreshing.py").write_text(FLOW)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_left_bound_starts_the_refresh(prefect: Prefect, place: Path) -> None:
    prefect.run("work-pool", "create", "--type", "process", "drift", folder=place)
    entry = ["refreshing.py:refresh", "--name", "small", "--pool", "drift"]
    prefect.run("deploy", *entry, folder=place)
    assert drift(requests="requests", refresh="refresh/small")
    with SyncPrefectClient(prefect.api) as client:
        wanted = client.read_deployment_by_name("refresh/small")
        runs = [run for run in client.read_flow_runs() if run.deployment_id == wanted.id]
        assert [run.state_name for run in runs] == ["Scheduled"]
        assert runs[0].parent_task_run_id is None  # it goes on by itself
        client.delete_deployment(wanted.id)


def test_what_can_not_be_judged_or_started_fails(prefect: Prefect, place: Path) -> None:
    with pytest.raises(CommandError, match="exit status 1"):
        drift(requests="nowhere")
    with pytest.raises(CommandError, match="no deployment 'refresh/nowhere'"):
        drift(requests="requests", refresh="refresh/nowhere")
