"""From the body of a chat request to a narration: parse, check, decode, generate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic_core
from pydantic import ValidationError

from eilev.bundle.answers import Answer, Writing
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.frame_choice import Frames
from eilev.clips.limits import Limits
from eilev.inputs.interleave import TooLongError
from eilev.serving.chat import Chat, VideoSource, read_chat
from eilev.serving.decoding import DecoderPool, Decoding
from eilev.serving.media import MediaError
from eilev.serving.protocol import REFUSED, ApiError, ChatRequest

MODEL_ID = "eilev"

# Pydantic puts the branch that it took through a union into the path of an error.
_BRANCHES = frozenset(
    {"user", "assistant", "system", "developer", "text", "video_url", "image_url"}
)


@dataclass(frozen=True)
class Asked:
    """A request that has been understood; none of its videos is decoded yet."""

    request: ChatRequest
    chat: Chat
    writing: Writing


@dataclass(frozen=True)
class Service:
    """An engine and the processes that decode videos for it; any number of threads may use it."""

    engine: OnnxEngine
    decoders: DecoderPool

    @classmethod
    def start(
        cls, engine: OnnxEngine, num_decoders: int, limits: Limits | None = None
    ) -> "Service":
        """Start the decoding processes, and return once every part has worked once."""
        manifest = engine.manifest
        decoding = Decoding(manifest.num_frames, manifest.frame_size, limits or Limits())
        service = cls(engine, DecoderPool(num_decoders, decoding))
        engine.warm_up()
        service.decoders.warm_up()
        return service

    def understand(self, body: bytes) -> Asked:
        """Read a request and check all of it that can be checked without its videos.

        Raises:
            ApiError: 400 for a request that breaks a rule, 404 for another model.
        """
        request = parse_request(body)
        manifest = self.engine.manifest
        chat = read_chat(request.messages, manifest.prompt, manifest.takes_questions)
        try:
            room = self.engine.room(chat.turns)
        except TooLongError as error:
            code = "context_length_exceeded"
            raise ApiError(400, str(error), param="messages", code=code) from error
        return Asked(request, chat, request.writing(manifest.max_new_tokens, room))

    def clip(self, video: VideoSource) -> Frames:
        """Decode one video of a request.

        Raises:
            ApiError: 422, it is refused or can't be decoded.
        """
        try:
            return self.decoders.load(video.url)
        except MediaError as error:
            message = f"{video.param}: {error}"
            raise ApiError(422, message, param=video.param, code="invalid_video") from error

    def write(self, asked: Asked, clips: Sequence[Frames]) -> Iterator[list[Answer]]:
        """The answers as they grow, see `OnnxEngine.write`."""
        return self.engine.write([(asked.chat.turns, clips)], asked.writing)


def parse_request(body: bytes) -> ChatRequest:
    """Read and check the body of a request.

    Raises:
        ApiError: 400 naming the field, or 404 for another model.
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
    if request.model != MODEL_ID:
        message = f"model '{request.model}' does not exist; this server has '{MODEL_ID}'"
        raise ApiError(404, message, param="model", code="model_not_found")
    return request


def _path(location: tuple[Any, ...]) -> str:
    """`messages.0.content.1.video_url.url` from pydantic's path of an error."""
    parents = (None, *location)
    return ".".join(
        str(part)
        for parent, part in zip(parents, location, strict=False)
        if not (isinstance(parent, int) and part in _BRANCHES)
    )
