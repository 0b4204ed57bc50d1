"""Tells a Prefect server of the work pool, the deployments of prefect.yaml and the alerts.

    PREFECT_API_URL=http://SERVER:4200/api python -m flows.registration

Deployments name the folder that this is called in: every worker's checkout lies there.
"""

import subprocess
import sys

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

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
        known = _has_pool()
    except httpx.HTTPError as error:
        raise RegistrationError(f"PREFECT_API_URL={url}: {error}") from error
    if not known:
        _prefect("work-pool", "create", "--type", "process", POOL)
    _prefect("deploy", "--all")
    alerts.main()


def _has_pool() -> bool:
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(POOL)
        except ObjectNotFound:
            return False
    return True


def _prefect(*arguments: str) -> None:
    """Run a `prefect` command to its end; what it says is told only where it fails."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = f"{done.stdout}{done.stderr}".rstrip()
        raise RegistrationError(f"prefect {' '.join(arguments)} failed:\n{told}")


def main() -> None:
    """Register with the server that the environment or the profile names."""
    try:
        register()
    except RegistrationError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
