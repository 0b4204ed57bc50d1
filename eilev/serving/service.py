"""From the body of a chat request to what the engine is given: parse, check, look up, decode."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pydantic_core
from pydantic import ValidationError

from eilev.bundle.answers import Writing
from eilev.bundle.onnx_engine import Features
from eilev.bundle.rows import Rows
from eilev.clips.limits import Limits
from eilev.inputs.interleave import Layout, TooLongError
from eilev.serving.chat import Chat, VideoSource, read_chat
from eilev.serving.media import MediaError, Payload, read_payload
from eilev.serving.models import Model, Models
from eilev.serving.protocol import (
    REFUSED,
    ApiError,
    ChatRequest,
    Message,
    ScoreRequest,
    WireRecord,
)

# Pydantic puts the branch that it took through a union into the path of an error.
_BRANCHES = frozenset(
    {"user", "assistant", "system", "developer", "text", "video_url", "image_url"}
)


Wire = TypeVar("Wire", bound=WireRecord)


@dataclass(frozen=True)
class SentVideo:
    """A video of a request, not decoded yet; `digest` is of all that its frames are made from."""

    param: str
    payload: Payload
    digest: str


@dataclass(frozen=True)
class Context:
    """The beginning of an episode, which other requests may share.

    key: of its tokens and videos. length: in positions. num_videos: in it.
    """

    key: bytes
    length: int
    num_videos: int


@dataclass(frozen=True)
class Asked:
    """A request that has been understood; none of its videos is decoded yet."""

    model_id: str
    model: Model
    chat: Chat
    layout: Layout
    writing: Writing
    videos: tuple[SentVideo, ...]
    context: Context | None
    # Of an answer: whether tokens are sent as they come, and their number in the end.
    streamed: bool = False
    include_usage: bool = False
    # Narrations to score in place of writing one.
    candidates: tuple[str, ...] = ()

    def known_context(self) -> Rows | None:
        """What the decoder has seen of the context in an earlier request."""
        return None if self.context is None else self.model.contexts.get(self.context.key)

    def keep_features(self, digest: str, features: Features) -> None:
        """Keep what was made of a video."""
        self.model.features.put(digest, features)

    def keep_context(self, rows: Rows) -> None:
        """Keep the context's part of a prompt that has been run."""
        if self.context is not None:
            kept = rows.beginning(self.context.length, self.model.engine.place)
            self.model.contexts.put(self.context.key, kept)


async def understood(read: Callable[..., Asked], *given: Any) -> Asked:
    """Read a request in a thread, by one of the functions below, for a model that still answers."""
    while True:
        asked = await asyncio.to_thread(read, *given)
        # Another bundle may have taken its place in the meantime.
        if not asked.model.retired:
            return asked


def understand_chat(body: bytes, models: Models, limits: Limits) -> Asked:
    """Read a request and check all of it that can be checked without decoding its videos.

    Raises:
        ApiError: 400 for a request that breaks a rule, 404 for an unknown model, 422 for what is
            no video.
    """
    request, fields = _parse(ChatRequest, body)
    for name, harmless in REFUSED.items():
        value = fields.get(name)
        if value is not None and value not in harmless:
            raise ApiError(400, f"{name}: this server can't do that; leave it out", param=name)
    return ask(request, models, limits)


def ask(request: ChatRequest, models: Models, limits: Limits) -> Asked:
    """The same of a request that has been read.

    Raises:
        ApiError: as `understand_chat`.
    """
    model = models[request.model]
    chat, room = _read_chat(model, request.messages)
    writing = request.writing(model.engine.manifest.max_new_tokens, room)
    asked = _asked(request.model, model, chat, writing, limits)
    return replace(
        asked, streamed=request.stream, include_usage=request.stream_options.include_usage
    )


def understand_score(body: bytes, models: Models, limits: Limits) -> Asked:
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
    asked = _asked(request.model, model, chat, Writing(longest), limits)
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


def _asked(model_id: str, model: Model, chat: Chat, writing: Writing, limits: Limits) -> Asked:
    layout = model.engine.layout(chat.turns, writing.max_new_tokens)
    _check_size(model, layout, writing)
    videos = tuple(_sent(video, limits) for video in chat.videos)
    context = _context(model, chat, layout, videos)
    return Asked(model_id, model, chat, layout, writing, videos, context)


def _check_size(model: Model, layout: Layout, writing: Writing) -> None:
    num_positions = len(layout.input_ids) + writing.max_new_tokens
    if not model.scheduler.could_fit(num_positions, writing.num_answers):
        message = (
            f"{num_positions} positions for {writing.num_answers} answers are too many at once"
        )
        raise ApiError(400, f"messages: {message}; ask for fewer", param="messages")


def _sent(video: VideoSource, limits: Limits) -> SentVideo:
    try:
        payload = read_payload(video.url, limits)
    except MediaError as error:
        raise invalid_video(video.param, error) from error
    return SentVideo(video.param, payload, payload.digest())


def _context(
    model: Model, chat: Chat, layout: Layout, videos: Sequence[SentVideo]
) -> Context | None:
    length = model.engine.context_length(chat.turns)
    if not length:
        return None
    num_videos = len(videos) - chat.turns[-1].num_videos
    ids = np.array(layout.input_ids[:length])
    digests = "".join(video.digest for video in videos[:num_videos])
    return Context(hashlib.sha256(ids.tobytes() + digests.encode()).digest(), length, num_videos)


def invalid_video(param: str, error: MediaError) -> ApiError:
    """The refusal of a video, which `param` names."""
    return ApiError(422, f"{param}: {error}", param=param, code="invalid_video")


def _parse(kind: type[Wire], body: bytes) -> tuple[Wire, dict[str, Any]]:
    """A body as a record and as its fields, also those that the record does not know."""
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
