"""An answer while it is written, token by token."""

import copy
import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from eilev.bundle.sampling import GREEDY, Row, Sampling, choose, log_softmax
from eilev.inputs.tokenizer import TextCodec

# What a decoder writes for bytes that are no whole character yet.
_UNFINISHED = "\ufffd"


@dataclass(frozen=True)
class Writing:
    """How answers are written.

    max_new_tokens: most tokens of each. sampling: how a token is chosen. num_answers: to the same
    request. stop: texts before which an answer ends. num_logprobs: likeliest tokens to note beside
    each one that was written (0: that one alone), None for nothing.
    """

    max_new_tokens: int
    sampling: Sampling = GREEDY
    num_answers: int = 1
    stop: tuple[str, ...] = ()
    num_logprobs: int | None = None


@dataclass(frozen=True)
class TokenLogprob:
    """A token, its log-probability, and the likeliest tokens in its place with theirs."""

    token: int
    logprob: float
    likeliest: tuple[tuple[int, float], ...]


@dataclass
class Answer:
    """What has been written of one answer."""

    writing: Writing
    codec: TextCodec
    num_prompt_tokens: int
    # Which of the answers to its request it is.
    number: int = 0
    # The end-of-sequence token among them.
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    text: str = ""
    finish_reason: Literal["stop", "length"] | None = None

    def __post_init__(self) -> None:
        self._generator = self.writing.sampling.generator(self.number)

    @property
    def num_new_tokens(self) -> int:
        """Tokens written, the end of the sequence among them."""
        return len(self.tokens)

    @property
    def stopped(self) -> bool:
        """Whether the model or a stop text ended it, rather than `max_new_tokens`."""
        return self.finish_reason == "stop"

    @property
    def confidence(self) -> float:
        """Geometric mean of its tokens' probabilities; `writing.num_logprobs` must not be None."""
        return math.exp(sum(token.logprob for token in self.logprobs) / len(self.logprobs))

    @property
    def settled(self) -> str:
        """The part of the text that no later token changes; all of it once it is finished."""
        if self.finish_reason:
            return self.text
        held = max((_overlap(self.text, stop) for stop in self.writing.stop), default=0)
        return self.text[: len(self.text) - held].rstrip(_UNFINISHED)

    def copy(self) -> "Answer":
        """As it is now; it does not grow with this one."""
        now = copy.copy(self)
        now.tokens, now.logprobs = self.tokens.copy(), self.logprobs.copy()
        return now

    def add(self, logits: Row) -> None:
        """Write the next token, given the logits of all (vocabulary,)."""
        token = choose(logits, self.writing.sampling, self._generator)
        if self.writing.num_logprobs is not None:
            self.logprobs.append(_logprob(token, logits, self.writing.num_logprobs))
        self.tokens.append(token)
        if token == self.codec.eos_id:
            self.finish_reason = "stop"
            return
        self.text = self.codec.decode(self.tokens).strip()
        ends = [at for stop in self.writing.stop if (at := self.text.find(stop)) >= 0]
        if ends:
            self.text = self.text[: min(ends)].rstrip()
            self.finish_reason = "stop"
        elif len(self.tokens) == self.writing.max_new_tokens:
            self.finish_reason = "length"


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` begins with."""
    return next((n for n in range(min(len(text), len(stop)), 0, -1) if text.endswith(stop[:n])), 0)


def _logprob(token: int, logits: Row, number: int) -> TokenLogprob:
    values = log_softmax(logits)
    likeliest = np.argsort(-values, kind="stable")[:number].tolist()
    return TokenLogprob(
        token, float(values[token]), tuple((each, float(values[each])) for each in likeliest)
    )
