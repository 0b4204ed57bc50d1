"""Marks dead runs as crashed, and calls a webhook when a run fails, crashes or is late.

    EILEV_WEBHOOK=https://... python -m flows.alerts

`make prefect-up` does so. Without the variable, what calls a webhook stays as it is.
"""

import os
import sys
from datetime import timedelta
from typing import cast
from uuid import UUID

from prefect.automations import Automation, AutomationCore, EventTrigger
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events import Posture
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.settings import get_current_settings
from prefect.types import SecretDict
from pydantic import HttpUrl, SecretStr, TypeAdapter, ValidationError

WEBHOOK = "EILEV_WEBHOOK"
# By what Prefect calls the state that a run comes to.
STATES = {"failed": ("Failed", "TimedOut"), "crashed": ("Crashed",), "late": ("Late",)}
ENDS = ("Completed", "Cancelled", *STATES["failed"], *STATES["crashed"])
# Heartbeats that a run misses before it is taken for dead.
MISSED = 3
BEAT = "heartbeat"
DEAD = "eilev: a run is dead"
# As long as Prefect keeps the deployment's slot for a run that has yet to begin.
BEGIN = timedelta(minutes=5)
UNBEGUN = "eilev: a run did not begin"
# "text" is what chat services show.
PAYLOAD = """{
  "text": {{ (flow.name ~ "/" ~ flow_run.name ~ ": " ~ flow_run.state.name)|tojson }},
  "state": {{ flow_run.state.name|tojson }},
  "message": {{ (flow_run.state.message or "")|tojson }},
  "deployment": {{ (deployment.name if deployment else "")|tojson }},
  "url": {{ (flow_run|ui_url)|tojson }}
}"""


def mark_dead(within: timedelta) -> None:
    """Let runs become "Crashed" of which nothing was heard for a time.

    A process that is killed with its worker tells nobody: its run would stay "Running".

    Args:
        within: 10 seconds at least.
    """
    told = f"nothing was heard of it for {within.total_seconds():.0f} seconds"
    _crash_without(DEAD, {"Running", BEAT}, {BEAT}, within, told)


def mark_unbegun(within: timedelta = BEGIN) -> None:
    """Let runs become "Crashed" that a worker has taken and that did not begin in a time.

    A worker that is killed at that moment tells nobody: its run would stay "Pending". One that
    begins later all the same goes on.

    Args:
        within: 10 seconds at least.
    """
    told = f"it did not begin within {within.total_seconds():.0f} seconds"
    # A server that is too busy may lose one of its events, so either will do.
    _crash_without(UNBEGUN, {"Pending"}, {"Running", BEAT}, within, told)


def _crash_without(
    name: str, after: set[str], expected: set[str], within: timedelta, told: str
) -> None:
    """Let runs become "Crashed" where none of the expected events follows others in time."""
    event = "prefect.flow-run.{}".format
    _keep(
        Automation(
            name=name,
            trigger=EventTrigger(
                after={event(one) for one in after},
                expect={event(one) for one in (*expected, *ENDS)},
                match={"prefect.resource.id": "prefect.flow-run.*"},
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                within=within,
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.CRASHED, name="Crashed", force=False, message=told
                )
            ],
        )
    )


def register(url: str) -> None:
    """Let failed, crashed and late runs call `url`, in place of what was registered before.

    Raises:
        ValidationError: `url` is none.
    """
    TypeAdapter(HttpUrl).validate_python(url)
    block = Webhook(url=SecretStr(url), headers=SecretDict({"Content-Type": "application/json"}))
    block_id = cast("UUID", block.save("eilev", overwrite=True))
    for name, states in STATES.items():
        _keep(
            Automation(
                name=f"eilev: a run is {name}",
                trigger=EventTrigger(
                    expect={f"prefect.flow-run.{state}" for state in states},
                    match={"prefect.resource.id": "prefect.flow-run.*"},
                ),
                actions=[CallWebhook(block_document_id=block_id, payload=PAYLOAD)],
            )
        )


def _keep(automation: Automation) -> None:
    """Put it in place of those of its name; the same one stays, as it knows who is due."""
    with get_client(sync_client=True) as client:
        formers = client.read_automations_by_name(automation.name)
        if [_meaning(former) for former in formers] == [_meaning(automation)]:
            return
        for former in formers:
            client.delete_automation(former.id)
    automation.create()


def _meaning(automation: AutomationCore) -> tuple[object, ...]:
    return automation.trigger.model_dump(exclude={"id"}), automation.actions


def main() -> None:
    """Register what marks runs as crashed, and the address that the environment names."""
    mark_unbegun()
    if seconds := get_current_settings().flows.heartbeat_frequency:
        mark_dead(timedelta(seconds=MISSED * seconds))
    if url := os.environ.get(WEBHOOK):
        try:
            register(url)
        except ValidationError:
            sys.exit(f"error: {WEBHOOK}={url}: not a URL such as https://hooks.example.org/x")


if __name__ == "__main__":
    main()
