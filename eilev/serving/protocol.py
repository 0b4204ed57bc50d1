"""The part of OpenAI's chat completions that the server speaks, with vLLM's `video_url` parts."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    model_validator,
)

from eilev.bundle.answers import Writing
from eilev.bundle.sampling import Sampling

MAX_ANSWERS = 16
MAX_CANDIDATES = 1024
# Of an error: it may quote what the client sent.
_MAX_MESSAGE = 1000
MAX_EXAMPLES = 63
MAX_ROUNDS = 16
# Characters of an example's narration.
MAX_NARRATION = 1024


class WireRecord(BaseModel):
    """Unknown fields are ignored: clients send many that change nothing here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_given(cls, value: Any) -> Any:
        """Clients send null for what their user has not set."""
        if not isinstance(value, dict):
            return value
        return {name: field for name, field in value.items() if field is not None}


class TextPart(WireRecord):
    """A piece of text."""

    type: Literal["text"]
    text: str


class Url(WireRecord):
    """Where a video or an image is."""

    url: str


class VideoPart(WireRecord):
    """A video."""

    type: Literal["video_url"]
    video_url: Url

    @property
    def url(self) -> str:
        """Where it is."""
        return self.video_url.url


class ImagePart(WireRecord):
    """A still, which is a clip of one frame."""

    type: Literal["image_url"]
    image_url: Url

    @property
    def url(self) -> str:
        """Where it is."""
        return self.image_url.url


def _as_parts(content: Any) -> Any:
    """OpenAI's short form: a string is one piece of text."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


ContentPart = Annotated[TextPart | VideoPart | ImagePart, Field(discriminator="type")]


class UserMessage(WireRecord):
    """Videos and text in the order in which the model sees them."""

    role: Literal["user"]
    content: Annotated[list[ContentPart], FailFast(), BeforeValidator(_as_parts)]


class AssistantMessage(WireRecord):
    """The narration of the clip before it."""

    role: Literal["assistant"]
    content: Annotated[list[TextPart], FailFast(), BeforeValidator(_as_parts)]


class SystemMessage(WireRecord):
    """What a chat model is told beforehand; this one has never been told anything."""

    role: Literal["system", "developer"]
    content: Annotated[list[TextPart], FailFast(), BeforeValidator(_as_parts)] = []


Message = Annotated[UserMessage | AssistantMessage | SystemMessage, Field(discriminator="role")]


class StreamOptions(WireRecord):
    """Options of a streamed answer."""

    include_usage: bool = False


def _as_texts(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


NumTokens = Annotated[int, Field(ge=1)]
StopText = Annotated[str, Field(min_length=1, max_length=256)]


class ExamplesRequest(WireRecord):
    """Narrated clips of the server's bank that are shown before those of the request.

    With more than one round the model is asked again with the next ones, until the tokens of an
    answer have the probability `confidence` in the (geometric) mean.
    """

    # Nobody else's client sends these: what is not known is a slip.
    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Literal["similar", "random", "none"] = "similar"
    number: Annotated[int, Field(ge=1, le=MAX_EXAMPLES)] = 8
    rounds: Annotated[int, Field(ge=1, le=MAX_ROUNDS)] = 1
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9


class ChatRequest(WireRecord):
    """Body of POST /v1/chat/completions. Without a temperature the answer is greedy."""

    model: str
    messages: Annotated[list[Message], FailFast(), Field(min_length=1)]
    max_completion_tokens: NumTokens | None = None
    # The older name of the same.
    max_tokens: NumTokens | None = None
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    # vLLM's: -1 is all tokens.
    top_k: Annotated[int, Field(ge=-1)] = -1
    seed: int | None = None
    n: Annotated[int, Field(ge=1, le=MAX_ANSWERS)] = 1
    stop: Annotated[
        list[StopText], FailFast(), Field(max_length=4), BeforeValidator(_as_texts)
    ] = []
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    # Ours.
    examples: ExamplesRequest | None = None

    def writing(self, default_new_tokens: int, room: int | None) -> Writing:
        """How its answers are written.

        Args:
            default_new_tokens: most tokens where the request does not say.
            room: positions that are left; more than that is asked for in vain.
        """
        asked = self.max_completion_tokens or self.max_tokens or default_new_tokens
        seed = None if self.seed is None else self.seed % 2**64
        return Writing(
            max_new_tokens=asked if room is None else min(asked, room),
            sampling=Sampling(
                self.temperature, self.top_k if self.top_k > 0 else None, self.top_p, seed
            ),
            num_answers=self.n,
            stop=tuple(self.stop),
            num_logprobs=self.top_logprobs if self.logprobs else None,
        )


class ExampleRequest(WireRecord):
    """Body of POST /v1/bank: a narrated clip."""

    model: str
    video_url: Url
    narration: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NARRATION)
    ]


Candidate = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)]


class ScoreRequest(WireRecord):
    """Body of POST /v1/score: which narration of the last clip is the likeliest?"""

    model: str
    messages: Annotated[list[Message], FailFast(), Field(min_length=1)]
    candidates: Annotated[
        list[Candidate], FailFast(), Field(min_length=1, max_length=MAX_CANDIDATES)
    ]


# Fields that would change the answer and can't be had, with the values that ask for nothing.
REFUSED: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "bad_words": ([],),
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "guided_choice": (),
    "guided_grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "ignore_eos": (False,),
    "include_stop_str_in_output": (False,),
    "logit_bias": ({},),
    "min_p": (0,),
    "min_tokens": (0,),
    "modalities": (["text"],),
    "prediction": (),
    "presence_penalty": (0,),
    "prompt_logprobs": (),
    "repetition_penalty": (1,),
    "response_format": ({"type": "text"},),
    "stop_token_ids": ([],),
    "structured_outputs": (),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "use_beam_search": (False,),
    "web_search_options": (),
}


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
        message = _short(message)
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _short(message: str) -> str:
    """A message that may quote megabytes, in a few words."""
    if len(message) <= _MAX_MESSAGE:
        return message
    half = _MAX_MESSAGE // 2
    return f"{message[:half]} ... {message[-half:]}"


def bug() -> ApiError:
    """What no client is to blame for."""
    return ApiError(500, "internal error; the server's log tells more", kind="server_error")


def busy(message: str) -> ApiError:
    """Told to come back later."""
    return ApiError(429, message, kind="rate_limit_error", code="server_busy")
