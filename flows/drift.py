"""The check for drift as a Prefect flow, which starts the pipeline where a bound is left."""

from typing import cast

from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger

from eilev.traffic import DRIFTED
from flows.commands import CommandError, run_eilev


@flow(persist_result=False)
def drift(
    requests: str | None = None,
    annotations: str | None = None,
    refresh: str | None = "refresh/refresh",
) -> bool:
    """Hold requests and new annotations against what was trained on, as `eilev drift` does.

    Args:
        requests: folder of `eilev serve --request-log`.
        annotations: new ones, where they lie.
        refresh: FLOW/DEPLOYMENT that is started where a bound is left; none if None.

    Returns:
        Whether a bound is left.

    Raises:
        CommandError: the check failed, or there is no such deployment.
    """
    given = {"--requests": requests, "--annotations": annotations}
    flags = [part for flag, value in given.items() if value for part in (flag, value)]
    status = run_eilev(["drift", *flags], get_run_logger().info, expected=(0, DRIFTED))
    if status == DRIFTED and refresh is not None:
        start(refresh)
    return status == DRIFTED


def start(deployment: str) -> None:
    """Start a run of a deployment, which goes on when this flow has ended."""
    try:
        # Neither waited for nor a part of this run.
        run = cast("FlowRun", run_deployment(deployment, timeout=0, as_subflow=False))
    except ObjectNotFound as error:
        raise CommandError(f"a bound is left, but there is no deployment '{deployment}'") from error
    get_run_logger().warning("a bound is left: started %s as '%s'", deployment, run.name)
