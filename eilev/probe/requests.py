"""What is sent for a trial, by what an answer is known again, and what all of it costs."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eilev.evaluation.trials import Trial
from eilev.probe.chats import ChatFormat, Pictures, messages, shown_clips

# Of English in the tokenizers of language models, roughly.
_LETTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Asking:
    """Where requests go, and everything that shapes them.

    url: of the chat completions. fields: of the body beside model and messages.
    """

    url: str
    model: str
    fields: Mapping[str, Any]
    chat_format: ChatFormat
    pictures: Pictures

    def body(self, trial: Trial) -> dict[str, Any]:
        """The body of the request for a trial."""
        chat = messages(trial, self.pictures, self.chat_format)
        return {"model": self.model, "messages": chat, **self.fields}

    def key(self, trial: Trial) -> str:
        """Requests of which this is alike are the same: an answer to one answers the other."""
        clips = [self.pictures.digest(clip) for clip in shown_clips(trial)]
        # The digests have it: which frames there are and how they are sent.
        shape = asdict(self.chat_format) | {"frames": None}
        made_of = [self.url, self.model, dict(self.fields), shape, trial.texts[:-1], clips]
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Cost:
    """What requests amount to, before any is sent; tokens are estimated."""

    requests: int
    clips: int
    frames: int
    bytes: int
    prompt_tokens: int


def cost_of(trials: Iterable[Trial], asking: Asking, frame_tokens: int) -> Cost:
    """Add up requests.

    Args:
        trials: one for each.
        asking: their shape.
        frame_tokens: what the model takes a frame for.
    """
    requests = clips = size = letters = 0
    for trial in trials:
        shown = shown_clips(trial)
        requests += 1
        clips += len(shown)
        told = len(asking.chat_format.prompt) + sum(map(len, trial.texts[:-1]))
        letters += told
        size += told + sum(map(asking.pictures.size, shown))
    frames = clips * asking.pictures.frames_per_clip
    tokens = frames * frame_tokens + letters // _LETTERS_PER_TOKEN
    return Cost(requests, clips, frames, size, tokens)
