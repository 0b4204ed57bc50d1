"""Messages of a chat to the turns of an episode: the rules of what text belongs to which video.

Videos and text are read in their order over all messages. Each video, or run of videos, opens a
turn, and the text up to the next video belongs to it. The last turn is the query, the others are
its few-shot context:

- Query: its text is the prompt; without text the bundle's own prompt asks.
- Context, one way: the user's text is prompt and narration in one, as in `Answer: The camera wearer
  cuts the onion.` Text that does not start with the prompt (the query's or the bundle's) is the
  narration alone, and the query's prompt is put before it (eilev.inputs.turns).
- Context, the other way: the narration is the assistant's message after the user's.

The model knows nothing else: no system message, no text before the first video.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from eilev.inputs.turns import NoNarrationError, Turn, context_turn
from eilev.serving.protocol import ApiError, Message, VideoPart

MAX_VIDEOS = 64


@dataclass(frozen=True)
class VideoSource:
    """A video's URL, and where in the request it stands (for error messages)."""

    url: str
    param: str


@dataclass(frozen=True)
class Chat:
    """Turns, the last one to be narrated, and their videos in order."""

    turns: list[Turn]
    videos: list[VideoSource]


@dataclass
class _Draft:
    """A turn as it is read."""

    param: str
    videos: list[VideoSource] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


def read_chat(messages: Sequence[Message], default_prompt: str) -> Chat:
    """Turn a chat into an episode by the rules above.

    Raises:
        ApiError: (400) the messages break a rule; `param` names the place.
    """
    drafts = _read_drafts(messages)
    if not drafts:
        raise _refuse("messages", "there is no video; send a video_url part")
    query = drafts[-1]
    if query.answers:
        raise _refuse(query.param, "the last clip has its narration already; nothing is asked")
    prompt = " ".join(query.prompts) or default_prompt
    turns = [_context(draft, (prompt, default_prompt)) for draft in drafts[:-1]]
    videos = [video for draft in drafts for video in draft.videos]
    if len(videos) > MAX_VIDEOS:
        raise _refuse("messages", f"{len(videos)} videos, at most {MAX_VIDEOS} are allowed")
    return Chat([*turns, Turn(prompt, None, len(query.videos))], videos)


def _read_drafts(messages: Sequence[Message]) -> list[_Draft]:
    drafts: list[_Draft] = []
    for number, message in enumerate(messages):
        for position, part in enumerate(message.content):
            param = f"messages.{number}.content.{position}"
            if isinstance(part, VideoPart):
                if not drafts or drafts[-1].prompts or drafts[-1].answers:
                    drafts.append(_Draft(param))
                drafts[-1].videos.append(VideoSource(part.video_url.url, param))
            elif text := part.text.strip():
                _add_text(drafts, text, message.role, param)
    return drafts


def _add_text(drafts: list[_Draft], text: str, role: str, param: str) -> None:
    if not drafts:
        raise _refuse(param, "text before the first video; put each text after its video")
    if role == "assistant":
        drafts[-1].answers.append(text)
    elif drafts[-1].answers:
        raise _refuse(param, "text without a video of its own; put a video before it")
    else:
        drafts[-1].prompts.append(text)


def _context(draft: _Draft, prompts: tuple[str, str]) -> Turn:
    text, answer = " ".join(draft.prompts), " ".join(draft.answers)
    if answer:
        return Turn(text or prompts[0], answer, len(draft.videos))
    try:
        return context_turn(text, prompts, len(draft.videos))
    except NoNarrationError as error:
        raise _refuse(draft.param, "a clip before the last one has no narration") from error


def _refuse(param: str, message: str) -> ApiError:
    return ApiError(400, f"{param}: {message}", param=param)
