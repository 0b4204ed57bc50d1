"""The OpenAPI document tells the truth: requests are drawn from it, answers are held against it."""

import json

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving.asking import URL, body
from tests.serving.conftest import make_app

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def document(models, decoders):
    app = make_app(models, decoders)

    async def never_ending(scope, receive, send):
        """Every call starts and ends the application, which would end models that others use."""
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    return schemathesis.openapi.from_asgi("/openapi.json", never_ending)


def test_answers_are_as_described(document):
    """Without schemathesis' own plugin, which is older than pytest 9."""
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:

        @given(operation.as_strategy())
        @settings(
            max_examples=8,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def answers_as_described(case):
            case.call_and_validate(checks=CHECKS)
            # Nearly all that is drawn is refused for its model's name.
            if isinstance(case.body, dict):
                case.body["model"] = "eilev"
            if "model_id" in (case.path_parameters or {}):
                case.path_parameters["model_id"] = "eilev"
            case.call_and_validate(checks=CHECKS)

        answers_as_described()


def test_the_document_describes_bodies_and_needs_no_network(client, video_urls):
    document = client.get("/openapi.json").json()
    chat = document["paths"][URL]["post"]
    assert chat["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ChatRequest"
    }
    schemas = document["components"]["schemas"]
    assert {"temperature", "stop", "seed"} <= set(schemas["ChatRequest"]["properties"])
    whole = {"$defs": schemas, "$ref": "#/$defs/ChatCompletion"}
    text = json.dumps(whole).replace("#/components/schemas/", "#/$defs/")
    jsonschema.validate(client.post(URL, json=body(video_urls[0])).json(), json.loads(text))
    assert "https://" not in client.get("/docs").text
