"""From the body of a chat request to a narration: parse, check, decode, generate."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from eilev.bundle.onnx_engine import Completion, OnnxEngine
from eilev.clips.frame_choice import Frames
from eilev.clips.limits import Limits
from eilev.inputs.interleave import TooLongError
from eilev.serving.chat import Chat, VideoSource, read_chat
from eilev.serving.decoding import DecoderPool, Decoding
from eilev.serving.media import MediaError
from eilev.serving.protocol import ApiError, ChatRequest

MODEL_ID = "eilev"

# Pydantic puts the branch that it took through a union into the path of an error.
_BRANCHES = frozenset({"user", "assistant", "text", "video_url"})


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

    def answer(self, body: bytes) -> tuple[ChatRequest, Completion]:
        """Narrate the last clip of a chat.

        Raises:
            ApiError: 400 for a request that breaks a rule, 404 for another model, 422 for a video
                that is refused or can't be decoded.
        """
        request = parse_request(body)
        chat = read_chat(request.messages, self.engine.manifest.prompt)
        num_new = request.max_completion_tokens or request.max_tokens
        num_new = num_new or self.engine.manifest.max_new_tokens
        try:
            self.engine.layout(chat.turns, num_new)  # before any video is decoded
        except TooLongError as error:
            code = "context_length_exceeded"
            raise ApiError(400, str(error), param="messages", code=code) from error
        clips = self._clips(chat)
        return request, self.engine.complete([(chat.turns, clips)], num_new)[0]

    def _clips(self, chat: Chat) -> list[Frames]:
        return [self._clip(video) for video in chat.videos]

    def _clip(self, video: VideoSource) -> Frames:
        try:
            return self.decoders.load(video.url)
        except MediaError as error:
            message = f"{video.param}: {error}"
            raise ApiError(422, message, param=video.param, code="invalid_video") from error


def parse_request(body: bytes) -> ChatRequest:
    """Read and check the body of a request.

    Raises:
        ApiError: 400 naming the field, or 404 for another model.
    """
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = _path(first["loc"]) or None
        raise ApiError(400, f"{param or 'body'}: {first['msg']}", param=param) from error
    if request.model != MODEL_ID:
        message = f"model '{request.model}' does not exist; this server has '{MODEL_ID}'"
        raise ApiError(404, message, param="model", code="model_not_found")
    if request.temperature:
        message = "temperature: narrations are greedy, only 0 is supported"
        raise ApiError(400, message, param="temperature")
    if request.n not in (None, 1):
        raise ApiError(400, "n: only 1 is supported, answers are deterministic", param="n")
    return request


def _path(location: tuple[Any, ...]) -> str:
    """`messages.0.content.1.video_url.url` from pydantic's path of an error."""
    parents = (None, *location)
    return ".".join(
        str(part)
        for parent, part in zip(parents, location, strict=False)
        if not (isinstance(parent, int) and part in _BRANCHES)
    )
