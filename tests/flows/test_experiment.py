import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dvc.api import params_show
from mlflow import MlflowClient
from prefect.exceptions import ParameterTypeError

from flows.experiment import experiment
from flows.stages import run_dvc
from tests.flows.conftest import write_project
from tests.flows.test_pipeline import artifacts

DVC_YAML = """
stages:
  train:
    cmd: python make.py
    deps: [make.py]
    params: [rate]
    metrics: [data/evaluate/metrics.json]
    outs: [data/train/live]
"""
# The score is the rate; a negative one is refused as a stage refuses.
MAKE = r"""
import json, pathlib, sys, yaml
rate = yaml.safe_load(open("params.yaml"))["rate"]
if rate < 0:
    sys.exit(f"error: rate: {rate} is negative")
score = {"novel": {"bursty": {"shots": {"8": {"action_accuracy": rate}}}}}
path = pathlib.Path("data/evaluate/metrics.json")
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(score))
curve = pathlib.Path("data/train/live/plots/metrics/train/loss.tsv")
curve.parent.mkdir(parents=True, exist_ok=True)
curve.write_text(f"step\tloss\n1\t{rate}\n")
"""

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: a DVC project under Git with a result that is committed."""
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path, DVC_YAML)
    (tmp_path / ".dvc" / "config").write_text("")
    (tmp_path / "make.py").write_text(MAKE)
    (tmp_path / "params.yaml").write_text("rate: 0.5\n")
    (tmp_path / ".gitignore").write_text("/data\n/.dvc/cache\n/.dvc/tmp\n/mlruns\n")
    git("init", "--quiet")
    git("config", "user.name", "Test")
    git("config", "user.email", "test@example.com")
    run_dvc(["repro"], print)
    git("add", ".")
    git("commit", "--quiet", "--message", "Begin")
    yield tmp_path
    assert (tmp_path / "params.yaml").read_text() == "rate: 0.5\n"
    assert "0.5" in (tmp_path / "data" / "evaluate" / "metrics.json").read_text()
    assert git("status", "--porcelain") == ""


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def test_other_parameters_leave_the_workspace_alone(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    experiment(["rate=0.75"], name="faster", mlflow=store)
    assert params_show(rev="faster") == {"rate": 0.75}
    (table,) = artifacts("experiment-faster")
    assert yaml.safe_load(table.data) == [{"split": "novel", "condition": "bursty", "8": 0.75}]
    mlflow = MlflowClient(store)
    known = mlflow.get_experiment_by_name("eilev")
    assert known is not None
    (run,) = mlflow.search_runs([known.experiment_id])
    assert run.info.run_name == "faster"
    assert run.data.metrics["train/loss"] == 0.75


def test_a_failed_experiment_says_what_its_stage_says(project: Path) -> None:
    state = experiment(["rate=-1"], return_state=True)
    assert state.is_failed()
    assert state.message.startswith("Flow run encountered an exception")
    assert "stage 'train' failed: rate: -1 is negative" in state.message


@pytest.mark.parametrize("changes", [["nothing"], ["no_such_profile=1"]])
def test_a_change_of_nothing_is_refused(project: Path, changes: list[str]) -> None:
    state = experiment(changes, return_state=True)
    assert state.is_failed()
    assert changes[0].split("=")[0] in state.message


def test_no_change_is_refused(project: Path) -> None:
    with pytest.raises(ParameterTypeError, match="changes"):
        experiment([])
