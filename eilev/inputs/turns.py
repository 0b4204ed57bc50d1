"""Turns of an episode, and the one rule of what of a text is prompt and what is narration."""

from collections.abc import Sequence
from dataclasses import dataclass

from eilev.clips.frame_choice import Frames


@dataclass(frozen=True)
class Turn:
    """One item of an episode: its videos, the prompt that follows them and the narration.

    A context turn has its narration (or holds it in the prompt already). The last turn is the
    query: its narration is given in training and None when it is to be generated.
    """

    prompt: str
    narration: str | None
    num_videos: int = 1


# An episode to narrate: its turns, and its clips in order.
Request = tuple[Sequence[Turn], Sequence[Frames]]


class NoNarrationError(ValueError):
    """A text of the context has no narration: it is empty, or the prompt alone."""


def context_turn(text: str, prompts: Sequence[str], num_videos: int = 1) -> Turn:
    """Turn of a narrated clip, whose text may have its prompt before it.

    Args:
        text: the narration, or a prompt and the narration.
        prompts: what may stand before it; the first one asks where none does.
        num_videos: videos that the text is about.

    Raises:
        NoNarrationError: nothing is left beside a prompt.

    Examples:
        >>> context_turn("Answer: The camera wearer cuts the onion.", ("Answer:",))
        Turn(prompt='Answer:', narration='The camera wearer cuts the onion.', num_videos=1)
        >>> context_turn("The camera wearer cuts the onion.", ("Answer:",)).prompt
        'Answer:'
    """
    text = text.strip()
    used = next((p for p in prompts if p.strip() and text.startswith(p.strip())), None)
    narration = text if used is None else text.removeprefix(used.strip()).strip()
    if not narration:
        raise NoNarrationError("there is no narration")
    return Turn(prompts[0] if used is None else used, narration, num_videos)


def make_turns(texts: Sequence[str | None], default_prompt: str) -> list[Turn]:
    """Turns of an episode of one video each: the last text asks, the other ones answer.

    Args:
        texts: narrations (see `context_turn`), then the prompt or None for the default one.
        default_prompt: asks where no other prompt is given.

    Raises:
        ValueError: there is no text, or one before the last has no narration; its number is named.
    """
    if not texts:
        raise ValueError("there is no video to narrate")
    prompt = default_prompt if texts[-1] is None else texts[-1]
    turns = []
    for number, text in enumerate(texts[:-1], start=1):
        try:
            turns.append(context_turn(text or "", (prompt, default_prompt)))
        except NoNarrationError as error:
            raise ValueError(
                f"item {number} of {len(texts)} has no narration; only the last may"
            ) from error
    return [*turns, Turn(prompt, None)]
