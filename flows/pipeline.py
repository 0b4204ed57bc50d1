"""The pipeline as Prefect flows: every stage of the DVC graph is one task.

    python -m flows.pipeline [TARGET ...]

DVC decides what is up to date; Prefect adds logs, the record of runs, schedules and cancellation.
"""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

from dvc.exceptions import DvcException
from dvc.lock import LockError
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.states import Completed
from pydantic import Field

from eilev.io import DataError
from eilev.lifetime.mend import mend
from eilev.paths import DROP_UNFINISHED
from flows import records, stages
from flows.commands import CommandError, run_eilev

RETRIES = 3
RETRY_S = 30

Seconds = Annotated[float, Field(gt=0)]


def may_pass(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task is worth another try: a lock or a remote, never a stage."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, (stages.UnavailableError, LockError))


# DVC is the cache, and what fails for good is not tried again.
DVC_TASK: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": RETRIES,
    "retry_delay_seconds": RETRY_S,
    "retry_condition_fn": may_pass,
}

WHY_CACHED = {
    "unchanged": "did not change",
    "restored": "was made before from the same data, parameters and code",
}


@task(**DVC_TASK)
def look(targets: list[str] | None) -> list[stages.Stage]:
    """Look which stages changed."""
    return stages.look(targets)


@task(task_run_name="{stage}", **DVC_TASK)
def repro(
    stage: str,
    *,
    started: bool,
    force: bool,
    environment: dict[str, str],
    seconds: float | None,
) -> State[None] | None:
    """Bring one stage up to date; without a process where it is, by a look before (`started`)."""
    log = get_run_logger().info
    fate: stages.Fate = "unchanged"
    if started:
        watch = records.watching(stage, log)
        fate = stages.run_stage(stage, watch, environment=environment, force=force, seconds=seconds)
    return None if fate == "ran" else Completed(name="Cached", message=WHY_CACHED[fate])


@task(**DVC_TASK)
def update(imports: list[str]) -> None:
    """Fetch anew what `dvc import` and `dvc import-url` fetched once."""
    stages.run_dvc(["update", *imports], get_run_logger().info)


@task(cache_policy=NO_CACHE, persist_result=False)
def track(store: str, revision: str | None = None) -> None:
    """Put a finished run into MLflow: that of the working tree, or of an experiment."""
    revisions = [] if revision is None else [revision]
    run_eilev(["track", f"--uri={store}", *revisions], get_run_logger().info)


@flow(persist_result=False)
def pipeline(
    targets: list[str] | None = None,
    force: bool = False,
    drop_unfinished: bool = False,
    stage_seconds: Seconds | None = None,
    mlflow: str | None = None,
) -> None:
    """Bring the pipeline up to date, as `dvc repro` does.

    Args:
        targets: stages to bring up to date with all that they depend on; all stages if None.
        force: whether stages run that did not change, too.
        drop_unfinished: whether the checkpoint of a training that was begun with other parameters
            or data makes way; else such a training stops the run.
        stage_seconds: how long one stage may take; then its processes are ended and the run fails.
        mlflow: address of the store that the finished run is put into (docs/tracking.md), if any.
    """
    for line in mend(Path.cwd()):
        get_run_logger().warning(line)
    environment = {DROP_UNFINISHED: "1"} if drop_unfinished else {}
    if bring_up_to_date(targets, force, environment, stage_seconds) or records.new():
        records.show_results()
    records.show_report()
    if mlflow is not None:
        track(mlflow)


def bring_up_to_date(
    targets: list[str] | None,
    force: bool,
    environment: dict[str, str],
    stage_seconds: float | None,
) -> bool:
    """Run the stages that changed, and those that read what has become another thing by that.

    Returns:
        Whether a result is another one than before.
    """
    moved: set[str] = set()
    rows: list[dict[str, Any]] = []
    try:
        for stage in look(targets):
            before, start = records.outputs(stage.name), time.monotonic()
            started = force or stage.changed or not moved.isdisjoint(stage.needs)
            state = repro(
                stage.name,
                started=started,
                force=force,
                environment=environment,
                seconds=stage_seconds,
                return_state=True,
            )
            after = records.outputs(stage.name)
            if after != before:
                moved.add(stage.name)
            rows.append(records.stage_row(stage.name, state, time.monotonic() - start, after))
            state.result()  # raises what made it fail
    finally:
        if rows:
            records.show_stages(rows)
    return bool(moved)


@flow(persist_result=False)
def refresh(
    drop_unfinished: bool = False,
    stage_seconds: Seconds | None = None,
    mlflow: str | None = None,
) -> None:
    """Look at the sources again, then bring the pipeline up to date.

    The pipeline itself sees new videos and annotations that lie in its folders. What was imported
    with DVC from elsewhere it takes as it was fetched: that is fetched anew here.
    """
    if imports := stages.imports():
        update(imports)
    pipeline(drop_unfinished=drop_unfinished, stage_seconds=stage_seconds, mlflow=mlflow)


def main() -> None:
    """Run the flow in this process."""
    try:
        pipeline(sys.argv[1:] or None)
    except (CommandError, DvcException, DataError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
