"""Tells a Prefect server of the work pool, the deployments of prefect.yaml and the alerts.

    PREFECT_API_URL=http://SERVER:4200/api python -m flows.registration

Deployments name the folder that this is called in: every worker's checkout lies there.
"""

import subprocess
import sys

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.workers.process import ProcessWorker

from flows import alerts

POOL = "eilev"


class RegistrationError(RuntimeError):
    """There is no server, or it refuses; the message says why."""


def register() -> None:
    """Bring the server up to what the files here say; what it has besides stays.

    Raises:
        RegistrationError: no server is named, it does not answer, or it refuses.
    """
    if not (url := PREFECT_API_URL.value()):
        raise RegistrationError("no server is named: set PREFECT_API_URL=http://SERVER:4200/api")
    try:
        _make_pool()
    except httpx.HTTPError as error:
        raise RegistrationError(f"PREFECT_API_URL={url}: {_cause(error)}") from error
    _deploy()
    alerts.main()


def _cause(error: httpx.HTTPError) -> str:
    if not isinstance(error, httpx.HTTPStatusError):
        return str(error) or type(error).__name__
    answer = error.response
    advice = "; PREFECT_API_AUTH_STRING=NAME:PASSWORD says who asks"
    refused = advice if answer.status_code == httpx.codes.UNAUTHORIZED else ""
    return f"{answer.status_code} {answer.reason_phrase}{refused}"


def _make_pool() -> None:
    template = ProcessWorker.get_default_base_job_template()
    pool = WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template)
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(POOL)
        except ObjectNotFound:
            client.create_work_pool(pool)


def _deploy() -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = f"{done.stdout}{done.stderr}".rstrip()
        raise RegistrationError(f"prefect deploy --all failed:\n{told}")


def main() -> None:
    """Register with the server that the environment or the profile names."""
    try:
        register()
    except RegistrationError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
