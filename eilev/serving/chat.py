"""Messages of a chat to the turns of an episode: the rules of what text belongs to which video.

Videos and text are read in their order over all messages. Each video, or run of videos, opens a
turn, and the text up to the next video belongs to it. The last turn is the query, the others are
its few-shot context:

- Query: its text is the prompt; without text the bundle's own prompt asks.
- Context, one way: the user's text is prompt and narration in one, as in `Answer: The camera wearer
  cuts the onion.` Text that does not start with the prompt (the query's or the bundle's) is the
  narration alone, and the query's prompt is put before it (eilev.inputs.turns).
- Context, the other way: the narration is the assistant's message after the user's.
- Text before the first video asks about the last one, where that has no text of its own.
- Text after an answer asks about the next video or, where none follows, about the last one again.

The model knows nothing else. What it cannot take in is left out, and the answer says so in a note:
system messages, and every question to a model that was trained without one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from eilev.inputs.turns import NoNarrationError, Turn, context_turn
from eilev.serving.protocol import ApiError, ContentPart, Message, SystemMessage, TextPart

MAX_VIDEOS = 64
# Of all messages together: more than any model's positions hold, little to tokenise.
MAX_TEXT_BYTES = 2**16

_NO_SYSTEM = "the system message was left out: the model takes no instructions"
_NO_QUESTIONS = "the model was trained without questions: the clip was narrated"


@dataclass(frozen=True)
class VideoSource:
    """A video's or image's URL, and where in the request it stands (for error messages)."""

    url: str
    param: str


@dataclass(frozen=True)
class Chat:
    """Turns, the last one to be narrated, their videos in order, and notes on what was left out."""

    turns: list[Turn]
    videos: list[VideoSource]
    notes: list[str]


@dataclass
class _Draft:
    """A turn as it is read."""

    param: str
    # Text that stands before its videos.
    before: list[str] = field(default_factory=list)
    videos: list[VideoSource] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


def read_chat(messages: Sequence[Message], default_prompt: str, takes_questions: bool) -> Chat:
    """Turn a chat into an episode by the rules above.

    Args:
        messages: of the request.
        default_prompt: the bundle's.
        takes_questions: whether the model was trained with prompts.

    Raises:
        ApiError: (400) the messages break a rule; `param` names the place.
    """
    _check_text(messages)
    drafts = _read_drafts(messages)
    if not drafts:
        raise _refuse("messages", "there is no video; send a video_url part")
    query = drafts[-1]
    if query.answers:
        raise _refuse(query.param, "the last clip has its narration already; nothing is asked")
    videos = [video for draft in drafts for video in draft.videos]
    if len(videos) > MAX_VIDEOS:
        raise _refuse("messages", f"{len(videos)} videos, at most {MAX_VIDEOS} are allowed")
    prompt = " ".join(query.prompts or query.before or drafts[0].before) or default_prompt
    turns = [_context(draft, (prompt, default_prompt)) for draft in drafts[:-1]]
    turns.append(Turn(prompt, None, len(query.videos)))
    notes = [_NO_SYSTEM] if any(map(_instructs, messages)) else []
    if not takes_questions and any(turn.prompt != default_prompt for turn in turns):
        turns = [replace(turn, prompt=default_prompt) for turn in turns]
        notes.append(_NO_QUESTIONS)
    return Chat(turns, videos, notes)


def _check_text(messages: Sequence[Message]) -> None:
    parts = [part for message in messages for part in message.content]
    size = sum(len(part.text.encode()) for part in parts if isinstance(part, TextPart))
    if size > MAX_TEXT_BYTES:
        raise _refuse("messages", f"{size} bytes of text, at most {MAX_TEXT_BYTES} are allowed")


def _instructs(message: Message) -> bool:
    return isinstance(message, SystemMessage) and any(p.text.strip() for p in message.content)


def _read_drafts(messages: Sequence[Message]) -> list[_Draft]:
    drafts: list[_Draft] = []
    before: list[str] = []
    for role, param, part in _parts(messages):
        if not isinstance(part, TextPart):
            if before or not drafts or drafts[-1].prompts or drafts[-1].answers:
                drafts.append(_Draft(param, before))
                before = []
            drafts[-1].videos.append(VideoSource(part.url, param))
        elif role == "user" and (not drafts or drafts[-1].answers):
            before.append(part.text.strip())
        elif not drafts:
            raise _refuse(param, "an answer before the first video")
        else:
            texts = drafts[-1].prompts if role == "user" else drafts[-1].answers
            texts.append(part.text.strip())
    if before and drafts:
        # The last answer is not shown: it would be copied.
        drafts[-1] = _Draft(drafts[-1].param, before, drafts[-1].videos)
    return drafts


def _parts(messages: Sequence[Message]) -> Iterator[tuple[str, str, ContentPart]]:
    """Role, place and part of all that the model can be given."""
    for number, message in enumerate(messages):
        if isinstance(message, SystemMessage):
            continue
        for position, part in enumerate(message.content):
            if not isinstance(part, TextPart) or part.text.strip():
                yield message.role, f"messages.{number}.content.{position}", part


def _context(draft: _Draft, prompts: tuple[str, str]) -> Turn:
    text, answer = " ".join(draft.prompts), " ".join(draft.answers)
    if answer:
        return Turn(text or " ".join(draft.before) or prompts[0], answer, len(draft.videos))
    try:
        return context_turn(text, prompts, len(draft.videos))
    except NoNarrationError as error:
        raise _refuse(draft.param, "a clip before the last one has no narration") from error


def _refuse(param: str, message: str) -> ApiError:
    return ApiError(400, f"{param}: {message}", param=param)
