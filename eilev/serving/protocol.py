"""The part of OpenAI's chat completions that the server speaks, with vLLM's `video_url` parts."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_NEW_TOKENS = 1024


class WireRecord(BaseModel):
    """Unknown fields are ignored: clients send many that change nothing here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TextPart(WireRecord):
    """A piece of text."""

    type: Literal["text"]
    text: str


class VideoUrl(WireRecord):
    """Where a video is."""

    url: str


class VideoPart(WireRecord):
    """A video."""

    type: Literal["video_url"]
    video_url: VideoUrl


def _as_parts(content: Any) -> Any:
    """OpenAI's short form: a string is one piece of text."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


ContentPart = Annotated[TextPart | VideoPart, Field(discriminator="type")]


class UserMessage(WireRecord):
    """Videos and text in the order in which the model sees them."""

    role: Literal["user"]
    content: Annotated[list[ContentPart], BeforeValidator(_as_parts)]


class AssistantMessage(WireRecord):
    """The narration of the clip before it."""

    role: Literal["assistant"]
    content: Annotated[list[TextPart], BeforeValidator(_as_parts)]


Message = Annotated[UserMessage | AssistantMessage, Field(discriminator="role")]


class StreamOptions(WireRecord):
    """Options of a streamed answer."""

    include_usage: bool = False


class ChatRequest(WireRecord):
    """Body of POST /v1/chat/completions."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=MAX_NEW_TOKENS)] | None = None
    # The older name of the same.
    max_tokens: Annotated[int, Field(ge=1, le=MAX_NEW_TOKENS)] | None = None
    temperature: float | None = 0.0
    n: int | None = 1
    stream: bool = False
    stream_options: StreamOptions | None = None


class Usage(WireRecord):
    """Counts of tokens; a video counts as its query tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ApiError(Exception):
    """A refused request, as OpenAI's clients know it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
    ):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
