"""From the body of a request to what it asks for: parsed and checked; no video is looked at."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pydantic_core
from pydantic import ValidationError

from eilev.bundle.answers import Writing
from eilev.inputs.interleave import Layout, TooLongError
from eilev.serving.chat import Chat, read_chat
from eilev.serving.models import Model, Models
from eilev.serving.protocol import (
    REFUSED,
    ApiError,
    ChatRequest,
    Message,
    ScoreRequest,
    WireRecord,
)
from eilev.serving.values import check_values

# Pydantic puts the branch that it took through a union into the path of an error.
_BRANCHES = frozenset(
    {"user", "assistant", "system", "developer", "text", "video_url", "image_url"}
)


Wire = TypeVar("Wire", bound=WireRecord)


@dataclass(frozen=True)
class Asked:
    """A request that has been understood; none of its videos is decoded yet."""

    model_id: str
    model: Model
    chat: Chat
    layout: Layout
    writing: Writing
    # Of an answer: whether tokens are sent as they come, and their number in the end.
    streamed: bool = False
    include_usage: bool = False
    # Narrations to score in place of writing one.
    candidates: tuple[str, ...] = ()


async def understood(read: Callable[..., Asked], *given: Any) -> Asked:
    """Read a request in a thread, by one of the functions below, for a model that still answers."""
    while True:
        asked = await asyncio.to_thread(read, *given)
        # Another bundle may have taken its place in the meantime.
        if not asked.model.retired:
            return asked


def understand_chat(body: bytes, models: Models) -> Asked:
    """Read a request and check all of it that can be checked without decoding its videos.

    Raises:
        ApiError: 400 for a request that breaks a rule, 404 for an unknown model.
    """
    request, fields = _parse(ChatRequest, body)
    for name, harmless in REFUSED.items():
        value = fields.get(name)
        if value is not None and value not in harmless:
            raise ApiError(400, f"{name}: this server can't do that; leave it out", param=name)
    return ask(request, models)


def ask(request: ChatRequest, models: Models) -> Asked:
    """The same of a request that has been read.

    Raises:
        ApiError: as `understand_chat`.
    """
    model = models[request.model]
    chat, room = _read_chat(model, request.messages)
    writing = request.writing(model.engine.manifest.max_new_tokens, room)
    asked = _asked(request.model, model, chat, writing)
    return replace(
        asked, streamed=request.stream, include_usage=request.stream_options.include_usage
    )


def understand_score(body: bytes, models: Models) -> Asked:
    """The same of a request to score candidates.

    Raises:
        ApiError: as `understand_chat`.
    """
    request, _ = _parse(ScoreRequest, body)
    model = models[request.model]
    chat, room = _read_chat(model, request.messages)
    longest = max(map(len, model.engine.encode_candidates(request.candidates)))
    if room is not None and longest > room:
        message = f"candidates: {longest} tokens are too many, there is room for {room}"
        raise ApiError(400, message, param="candidates", code="context_length_exceeded")
    asked = _asked(request.model, model, chat, Writing(longest))
    return replace(asked, candidates=tuple(request.candidates))


def _read_chat(model: Model, messages: Sequence[Message]) -> tuple[Chat, int | None]:
    """A chat, and how many tokens there is room for after it."""
    manifest = model.engine.manifest
    chat = read_chat(messages, manifest.prompt, manifest.takes_questions)
    try:
        return chat, model.engine.room(chat.turns)
    except TooLongError as error:
        code = "context_length_exceeded"
        raise ApiError(400, str(error), param="messages", code=code) from error


def _asked(model_id: str, model: Model, chat: Chat, writing: Writing) -> Asked:
    layout = model.engine.layout(chat.turns, writing.max_new_tokens)
    _check_size(model, layout, writing)
    return Asked(model_id, model, chat, layout, writing)


def _check_size(model: Model, layout: Layout, writing: Writing) -> None:
    num_positions = len(layout.input_ids) + writing.max_new_tokens
    if not model.scheduler.could_fit(num_positions, writing.num_answers):
        message = (
            f"{num_positions} positions for {writing.num_answers} answers are too many at once"
        )
        raise ApiError(400, f"messages: {message}; ask for fewer", param="messages")


def _parse(kind: type[Wire], body: bytes) -> tuple[Wire, dict[str, Any]]:
    """A body as a record and as its fields, also those that the record does not know."""
    check_values(body)
    try:
        fields = pydantic_core.from_json(body)
        return kind.model_validate(fields), fields
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = _path(first["loc"]) or None
        raise ApiError(400, f"{param or 'body'}: {first['msg']}", param=param) from error
    except ValueError as error:
        raise ApiError(400, f"body: not JSON: {error}") from error


def _path(location: tuple[Any, ...]) -> str:
    """`messages.0.content.1.video_url.url` from pydantic's path of an error."""
    parents = (None, *location)
    return ".".join(
        str(part)
        for parent, part in zip(parents, location, strict=False)
        if not (isinstance(parent, int) and part in _BRANCHES)
    )
