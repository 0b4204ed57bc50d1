"""The pipeline as a Prefect flow: every stage of the DVC graph is one task.

    python -m flows.pipeline [TARGET ...]

DVC decides what is up to date; Prefect adds logs, the record of runs, schedules and cancellation.
"""

import sys
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from eilev.io import DataError, read_json
from eilev.lifetime.mend import mend
from eilev.paths import DROP_UNFINISHED, METRICS
from eilev.schema import SPLITS
from flows import stages


@task(task_run_name="{stage}", cache_policy=NO_CACHE, persist_result=False)
def repro(stage: str, environment: dict[str, str]) -> None:
    """Bring one stage up to date."""
    stages.run_stage(stage, get_run_logger().info, environment=environment)


@flow(persist_result=False)
def pipeline(targets: list[str] | None = None, drop_unfinished: bool = False) -> None:
    """Bring the pipeline up to date, as `dvc repro` does.

    Args:
        targets: stages to bring up to date with all that they depend on; all stages if None.
        drop_unfinished: whether the checkpoint of a training that was begun with other parameters
            or data makes way; else such a training stops the run.
    """
    for line in mend(Path.cwd()):
        get_run_logger().warning(line)
    environment = {DROP_UNFINISHED: "1"} if drop_unfinished else {}
    for stage in stages.stage_order(targets):
        repro(stage, environment)
    if METRICS.exists():
        table = accuracy_table(read_json(METRICS))
        create_table_artifact(table, key="metrics", description="Action accuracy by shots")


def accuracy_table(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per split and condition of metrics.json, one column per number of shots."""
    return [
        {"split": split, "condition": condition}
        | {shots: scores.get("action_accuracy") for shots, scores in curve["shots"].items()}
        for split in SPLITS
        for condition, curve in metrics.get(split, {}).items()
    ]


def main() -> None:
    """Run the flow in this process."""
    try:
        pipeline(sys.argv[1:] or None)
    except (stages.StageError, DvcException, DataError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
