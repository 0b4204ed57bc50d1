"""From the body of a request to what it asks for: parsed and checked; no video is looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pydantic_core
from pydantic import ValidationError

from eilev.bundle.answers import Answer, Writing
from eilev.bundle.bank import Features, Found
from eilev.inputs.interleave import Layout, TooLongError
from eilev.inputs.turns import Turn
from eilev.serving.aside import aside
from eilev.serving.chat import Chat, VideoSource, read_chat
from eilev.serving.models import Model, Models
from eilev.serving.protocol import (
    REFUSED,
    ApiError,
    ChatRequest,
    ExampleRequest,
    ExamplesRequest,
    Message,
    ScoreRequest,
    WireRecord,
)
from eilev.serving.values import Body, check_values

# Pydantic puts the branch that it took through a union into the path of an error.
_BRANCHES = frozenset(
    {"user", "assistant", "system", "developer", "text", "video_url", "image_url"}
)


Wire = TypeVar("Wire", bound=WireRecord)
# A body, or a request that has been read.
Content = TypeVar("Content")


@dataclass(frozen=True)
class Round:
    """An answer, and the geometric mean of its tokens' probabilities."""

    answer: str
    confidence: float


@dataclass(frozen=True)
class Shown:
    """Examples that stand before a request's own clips, the best one first.

    rounds: all that were tried, where it was asked again with others.
    """

    found: tuple[Found, ...]
    rounds: tuple[Round, ...] = ()


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
    # Narrations to score in place of writing one, and their tokens.
    candidates: tuple[str, ...] = ()
    candidate_ids: tuple[list[int], ...] = ()
    # Of a clip that is to be taken into the bank.
    narration: str = ""
    # Which examples of the bank are wanted, and which were found.
    examples: ExamplesRequest | None = None
    shown: Shown | None = None


@dataclass(frozen=True)
class Written:
    """Answers as far as they are written, and the request with all that was put into it."""

    asked: Asked
    answers: list[Answer]
    # Of the clip that is asked about, while they are kept.
    query_features: Callable[[], Features | None] = lambda: None

    @property
    def finished(self) -> bool:
        """Whether all answers are."""
        return all(answer.finish_reason for answer in self.answers)


async def understood(
    read: Callable[[Content, Models], Asked], content: Content, models: Models
) -> Asked:
    """Read a request aside, by one of the functions below, for a model that still answers.

    Raises:
        ApiError: as they do; 503, the server is stopping.
    """
    while True:
        asked = await aside(read, content, models)
        if not asked.model.retired:
            return asked
        # Either another bundle has taken its place in the meantime, or nobody will.
        if models[asked.model_id] is asked.model:
            raise ApiError(503, "the server is stopping", kind="server_error", code="stopping")


def understand_chat(body: Body, models: Models) -> Asked:
    """Read a request and check all of it that can be checked without decoding its videos.

    Raises:
        ApiError: 400 for a request that breaks a rule, 404 for an unknown model.
    """
    request, fields = _parse(ChatRequest, body)
    for name, harmless in REFUSED.items():
        value = fields.get(name)
        if value is not None and value not in harmless:
            raise ApiError(400, f"{name}: this server can't do that; leave it out", param=name)
    asked = ask(request, models)
    return replace(asked, examples=_examples(request, asked, models.examples))


def ask(request: ChatRequest, models: Models) -> Asked:
    """The same of a request that has been read.

    Raises:
        ApiError: as `understand_chat`.
    """
    model = models[request.model]
    chat, layout = _read_chat(model, request.messages)
    room = model.engine.room(layout)
    writing = request.writing(model.engine.manifest.max_new_tokens, room)
    asked = _asked(request.model, model, chat, layout, writing)
    return replace(
        asked, streamed=request.stream, include_usage=request.stream_options.include_usage
    )


def _examples(request: ChatRequest, asked: Asked, default: str) -> ExamplesRequest | None:
    """Which examples are wanted: those that are asked for, or else those that everybody gets."""
    has_bank = bool(asked.model.bank.examples)
    wanted = request.examples
    if wanted is None:
        none = default == "none" or not has_bank or len(asked.chat.turns) > 1
        return None if none else ExamplesRequest.model_validate({"strategy": default})
    if wanted.strategy == "none":
        return None
    if not has_bank:
        message = "examples: this server's bank is empty; see --bank"
        raise ApiError(400, message, param="examples", code="bank_empty")
    if wanted.rounds > 1 and request.n > 1:
        message = "examples.rounds: several rounds end in one answer, 'n' must be 1"
        raise ApiError(400, message, param="examples.rounds")
    return wanted


def understand_example(body: Body, models: Models) -> Asked:
    """The same of a narrated clip for the bank.

    Raises:
        ApiError: as `understand_chat`.
    """
    request, _ = _parse(ExampleRequest, body)
    model = models[request.model]
    videos = [VideoSource(request.video_url.url, "video_url.url")]
    chat = Chat([Turn(model.engine.manifest.prompt, None)], videos, [])
    asked = _asked(request.model, model, chat, model.engine.layout(chat.turns), Writing(1))
    return replace(asked, narration=" ".join(request.narration.split()))


def understand_score(body: Body, models: Models) -> Asked:
    """The same of a request to score candidates.

    Raises:
        ApiError: as `understand_chat`.
    """
    request, fields = _parse(ScoreRequest, body)
    if fields.get("examples") is not None:
        raise ApiError(400, "examples: not for scores; leave it out", param="examples")
    model = models[request.model]
    chat, layout = _read_chat(model, request.messages)
    room = model.engine.room(layout)
    ids = model.engine.encode_candidates(request.candidates)
    longest = max(map(len, ids))
    if room is not None and longest > room:
        message = f"candidates: {longest} tokens are too many, there is room for {room}"
        raise ApiError(400, message, param="candidates", code="context_length_exceeded")
    asked = _asked(request.model, model, chat, layout, Writing(longest))
    return replace(asked, candidates=tuple(request.candidates), candidate_ids=tuple(ids))


def _read_chat(model: Model, messages: Sequence[Message]) -> tuple[Chat, Layout]:
    """A chat and its tokens, after which there is room for one at least."""
    manifest = model.engine.manifest
    chat = read_chat(messages, manifest.prompt, manifest.takes_questions)
    try:
        return chat, model.engine.layout(chat.turns)
    except TooLongError as error:
        code = "context_length_exceeded"
        raise ApiError(400, str(error), param="messages", code=code) from error


def _asked(model_id: str, model: Model, chat: Chat, layout: Layout, writing: Writing) -> Asked:
    _check_size(model, layout, writing)
    return Asked(model_id, model, chat, layout, writing)


def _check_size(model: Model, layout: Layout, writing: Writing) -> None:
    num_positions = len(layout.input_ids) + writing.max_new_tokens
    if not model.scheduler.could_fit(num_positions, writing.num_answers):
        message = (
            f"{num_positions} positions for {writing.num_answers} answers are too many at once"
        )
        raise ApiError(400, f"messages: {message}; ask for fewer", param="messages")


def _parse(kind: type[Wire], body: Body) -> tuple[Wire, dict[str, Any]]:
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
