"""A run with other parameters as a Prefect flow: an experiment of DVC's, beside the workspace.

    python -m flows.experiment CHANGE [CHANGE ...]

DVC copies the repository to a folder of its own, runs there what follows from the changes, with the
cache of this checkout, and keeps the result as a commit of its own under a name. What lies in the
workspace stays as it is, and so does what a server has loaded.
"""

import sys
from typing import Annotated

from dvc.api import metrics_show
from dvc.exceptions import DvcException
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from eilev.paths import METRICS
from flows import records
from flows.commands import CommandError
from flows.pipeline import Seconds, track
from flows.stages import run_dvc


@flow(persist_result=False)
def experiment(
    changes: Annotated[list[str], Field(min_length=1)],
    targets: list[str] | None = None,
    name: str | None = None,
    seconds: Seconds | None = None,
    mlflow: str | None = None,
) -> None:
    """Run the pipeline with other parameters, as `dvc exp run --temp --set-param` does.

    Args:
        changes: profiles and parameters, such as `model=smollm2-135m` or `train.seed=1`.
        targets: stages to run with all that they depend on; all stages if None.
        name: of the experiment; the name of this run in Prefect if None.
        seconds: how long it may take; then its processes are ended and the run fails.
        mlflow: address of the store that the experiment is put into (docs/tracking.md), if any.

    Raises:
        CommandError: a change names nothing that there is, a stage failed, or it took too long.
    """
    name = name or str(flow_run.get_name())
    log = get_run_logger().info
    sets = [word for change in changes for word in ("--set-param", change)]
    command = ["exp", "run", "--temp", "--name", name, *sets, *(targets or [])]
    run_dvc(command, records.watching(name, log), seconds=seconds)
    log(f"compare: dvc exp diff HEAD {name}; take it over: dvc exp apply {name}")
    if METRICS.exists():  # so they are part of the pipeline
        table = records.accuracy_table(metrics_show(str(METRICS), rev=name))
        create_table_artifact(table, f"experiment-{records.key(name)}", f"Action accuracy, {name}")
    if mlflow is not None:
        track(mlflow, name)


def main() -> None:
    """Run the flow in this process."""
    try:
        experiment(sys.argv[1:])
    except (CommandError, DvcException) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
