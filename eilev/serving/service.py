"""From the body of a chat request to what the engine is given: parse, check, look up, decode."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from eilev.serving.protocol import REFUSED, ApiError, ChatRequest

# Pydantic puts the branch that it took through a union into the path of an error.
_BRANCHES = frozenset(
    {"user", "assistant", "system", "developer", "text", "video_url", "image_url"}
)


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

    request: ChatRequest
    chat: Chat
    model: Model
    layout: Layout
    writing: Writing
    videos: tuple[SentVideo, ...]
    context: Context | None

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


def understand(body: bytes, models: Models, limits: Limits) -> Asked:
    """Read a request and check all of it that can be checked without decoding its videos.

    Raises:
        ApiError: 400 for a request that breaks a rule, 404 for an unknown model, 422 for what is
            no video.
    """
    request = parse_request(body)
    model = models[request.model]
    engine = model.engine
    chat = read_chat(request.messages, engine.manifest.prompt, engine.manifest.takes_questions)
    try:
        room = engine.room(chat.turns)
    except TooLongError as error:
        code = "context_length_exceeded"
        raise ApiError(400, str(error), param="messages", code=code) from error
    writing = request.writing(engine.manifest.max_new_tokens, room)
    layout = engine.layout(chat.turns, writing.max_new_tokens)
    _check_size(model, layout, writing)
    videos = tuple(_sent(video, limits) for video in chat.videos)
    context = _context(model, chat, layout, videos)
    return Asked(request, chat, model, layout, writing, videos, context)


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


def parse_request(body: bytes) -> ChatRequest:
    """Read and check the body of a request.

    Raises:
        ApiError: 400 naming the field.
    """
    try:
        fields = pydantic_core.from_json(body)
        request = ChatRequest.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = _path(first["loc"]) or None
        raise ApiError(400, f"{param or 'body'}: {first['msg']}", param=param) from error
    except ValueError as error:
        raise ApiError(400, f"body: not JSON: {error}") from error
    for name, harmless in REFUSED.items():
        value = fields.get(name)
        if value is not None and value not in harmless:
            raise ApiError(400, f"{name}: this server can't do that; leave it out", param=name)
    return request


def _path(location: tuple[Any, ...]) -> str:
    """`messages.0.content.1.video_url.url` from pydantic's path of an error."""
    parents = (None, *location)
    return ".".join(
        str(part)
        for parent, part in zip(parents, location, strict=False)
        if not (isinstance(parent, int) and part in _BRANCHES)
    )
