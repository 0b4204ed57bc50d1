"""What is answered, as the OpenAPI document describes it, and the document itself."""

from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from eilev.serving.open_inference import InferRequest
from eilev.serving.protocol import ChatRequest, ExampleRequest, ScoreRequest, Usage

_REFERENCE = "#/components/schemas/{model}"
# Read by the server itself, within its bounds, so FastAPI does not know of them.
_BODIES: dict[str, type[BaseModel]] = {
    "/v1/chat/completions": ChatRequest,
    "/v1/score": ScoreRequest,
    "/v2/models/{model_id}/infer": InferRequest,
    "/v1/bank": ExampleRequest,
}


class Likely(BaseModel):
    """A token and how likely it was; `bytes` are those of its text."""

    token: str
    logprob: float
    bytes: list[int]


class Written(Likely):
    """A token that was written, and the likeliest ones in its place."""

    top_logprobs: list[Likely]


class Logprobs(BaseModel):
    """Of each token of an answer."""

    content: list[Written]


class AnswerMessage(BaseModel):
    """What was written."""

    role: Literal["assistant"]
    content: str


class Choice(BaseModel):
    """One of the answers."""

    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length"]


class BankExample(BaseModel):
    """A narrated clip of the bank; `file` is null for one that was sent."""

    id: str
    narration: str
    file: str | None


class UsedExample(BankExample):
    """One that stood before the request's own clips, and how alike it and the query are."""

    similarity: float


class AddedExample(BankExample):
    """One that was taken in, and how many there are now."""

    num_examples: int


class TriedRound(BaseModel):
    """The answer of a round, and the geometric mean of its tokens' probabilities."""

    answer: str
    confidence: float


class ChatCompletion(BaseModel):
    """Answers. `notes` say what of the request was left out, and what it was taken for.

    examples_used and rounds: only where examples of the bank were asked for.
    """

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    notes: list[str]
    choices: list[Choice]
    usage: Usage
    examples_used: list[UsedExample] = []
    rounds: list[TriedRound] = []


class Score(BaseModel):
    """Of one candidate: the mean log-likelihood of its tokens."""

    index: int
    text: str
    score: float


class Scores(BaseModel):
    """Of all candidates, in the order in which they were sent."""

    object: Literal["list"]
    model: str
    notes: list[str]
    data: list[Score]
    prompt_tokens: int


class ModelCard(BaseModel):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"]
    data: list[ModelCard]


class ErrorDetail(BaseModel):
    """What is wrong, and with what of the request."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """As OpenAI's clients know it."""

    error: ErrorDetail


class InferenceError(BaseModel):
    """As clients of the Open Inference Protocol know it."""

    error: str


_WHY = {
    400: "the request breaks a rule",
    401: "no key, or a wrong one",
    403: "a web page of another origin, which is not allowed to ask",
    404: "no such model",
    408: "the request takes too long to arrive",
    413: "the request is too large",
    422: "a video is refused or can't be decoded",
    429: "too many requests; try again after Retry-After",
    503: "the server is stopping",
    504: "the answer takes too long",
}


Answers = dict[int | str, dict[str, Any]]


def errors(*statuses: int, body: type[BaseModel] = ErrorBody) -> Answers:
    """The refusals of a route, for its documentation."""
    return {status: {"model": body, "description": _WHY[status]} for status in statuses}


def document(app: FastAPI, example: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document, with the bodies that the server reads by itself."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, routes=app.routes)
        _, schemas = models_json_schema(
            [(kind, "validation") for kind in _BODIES.values()], ref_template=_REFERENCE
        )
        found["components"]["schemas"] |= schemas["$defs"]
        for path, kind in _BODIES.items():
            if path not in found["paths"]:
                continue
            schema = {"$ref": _REFERENCE.format(model=kind.__name__)}
            content = {"application/json": {"schema": schema}}
            found["paths"][path]["post"]["requestBody"] = {"required": True, "content": content}
        chat = found["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]
        chat["application/json"]["example"] = example
        app.openapi_schema = found
    return app.openapi_schema
