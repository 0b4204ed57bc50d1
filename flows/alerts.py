"""Calls a webhook when a run fails, crashes or is late.

    EILEV_WEBHOOK=https://... python -m flows.alerts

`make prefect-up` does so. Without the variable, what was registered before stays as it is.
"""

import os
import sys
from typing import cast
from uuid import UUID

from prefect.automations import Automation, EventTrigger
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.actions import CallWebhook
from prefect.types import SecretDict
from pydantic import HttpUrl, SecretStr, TypeAdapter, ValidationError

WEBHOOK = "EILEV_WEBHOOK"
# By what Prefect calls the state that a run comes to.
STATES = {"failed": ("Failed", "TimedOut"), "crashed": ("Crashed",), "late": ("Late",)}
# "text" is what chat services show.
PAYLOAD = """{
  "text": {{ (flow.name ~ "/" ~ flow_run.name ~ ": " ~ flow_run.state.name)|tojson }},
  "state": {{ flow_run.state.name|tojson }},
  "message": {{ (flow_run.state.message or "")|tojson }},
  "deployment": {{ (deployment.name if deployment else "")|tojson }},
  "url": {{ (flow_run|ui_url)|tojson }}
}"""


def register(url: str) -> None:
    """Let failed, crashed and late runs call `url`, in place of what was registered before.

    Raises:
        ValidationError: `url` is none.
    """
    TypeAdapter(HttpUrl).validate_python(url)
    block = Webhook(url=SecretStr(url), headers=SecretDict({"Content-Type": "application/json"}))
    block_id = cast("UUID", block.save("eilev", overwrite=True))
    for name, states in STATES.items():
        _forget(f"eilev: a run is {name}")
        Automation(
            name=f"eilev: a run is {name}",
            trigger=EventTrigger(
                expect={f"prefect.flow-run.{state}" for state in states},
                match={"prefect.resource.id": "prefect.flow-run.*"},
            ),
            actions=[CallWebhook(block_document_id=block_id, payload=PAYLOAD)],
        ).create()


def _forget(name: str) -> None:
    with get_client(sync_client=True) as client:
        for automation in client.read_automations_by_name(name):
            client.delete_automation(automation.id)


def main() -> None:
    """Register the address that the environment names."""
    if url := os.environ.get(WEBHOOK):
        try:
            register(url)
        except ValidationError:
            sys.exit(f"error: {WEBHOOK}={url}: not a URL such as https://hooks.example.org/x")


if __name__ == "__main__":
    main()
