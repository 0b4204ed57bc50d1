"""Narrated clips of the bank in front of a request's own, and asking again with the next ones."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from eilev.bundle.answers import Answer
from eilev.bundle.bank import Features, Found, Strategy
from eilev.inputs.interleave import TooLongError
from eilev.inputs.turns import Turn
from eilev.serving.protocol import ExamplesRequest
from eilev.serving.service import Asked, Round, Shown, Written


def rounds_of(asked: Asked, wanted: ExamplesRequest, own: Features) -> Iterator[Asked]:
    """The request with the best examples in front of its own clips, then with the next best, ...

    Args:
        asked: as it came.
        wanted: which examples, how many of them, how often.
        own: features of its videos; those of the last turn are what is asked about.
    """
    strategy: Strategy = "random" if wanted.strategy == "random" else "similar"
    query = own[-asked.chat.turns[-1].num_videos :]
    ranked = asked.model.bank.ranked(query, strategy, asked.writing.sampling.seed)
    for _ in range(wanted.rounds):
        if not (found := list(islice(ranked, wanted.number))):
            return
        yield _with_examples(asked, found)


def _with_examples(asked: Asked, found: Sequence[Found]) -> Asked:
    """With as many of them as there is room for, the best one first (docs/bank.md says why)."""
    number = len(found)
    while (shown := _fitted(asked, found[:number])) is None:
        number -= 1
    if number == len(found):
        return shown
    left_out = f"{len(found) - number} of {len(found)} examples were left out: there is no room"
    return replace(shown, chat=replace(shown.chat, notes=[*shown.chat.notes, left_out]))


def _fitted(asked: Asked, found: Sequence[Found]) -> Asked | None:
    """With all of them; None if that leaves no room for an answer of the usual length."""
    engine, longest = asked.model.engine, asked.writing.max_new_tokens
    prompt = asked.chat.turns[-1].prompt
    turns = [Turn(prompt, one.example.narration) for one in found] + asked.chat.turns
    try:
        layout = engine.layout(turns)
    except TooLongError:
        return None
    room = engine.room(layout)
    num_new = longest if room is None else min(longest, room)
    num_positions = len(layout.input_ids) + num_new
    usual = min(longest, engine.manifest.max_new_tokens)
    fits = asked.model.scheduler.could_fit(num_positions, asked.writing.num_answers)
    if found and (num_new < usual or not fits):
        return None
    return replace(
        asked,
        chat=replace(asked.chat, turns=turns),
        layout=layout,
        writing=replace(asked.writing, max_new_tokens=num_new),
        shown=Shown(tuple(found)),
    )


def prompt_features(asked: Asked, own: Features) -> dict[int, Features]:
    """Features of all clips by their number: of the examples, then of the request's own."""
    found = [] if asked.shown is None else [one.features for one in asked.shown.found]
    return dict(enumerate([*found, *own]))


def noting(asked: Asked) -> Asked:
    """The request whose answers have the probabilities of their tokens, wanted or not."""
    writing = replace(asked.writing, num_logprobs=asked.writing.num_logprobs or 0)
    return replace(asked, writing=writing)


def without_notes(asked: Asked, answers: Sequence[Answer]) -> None:
    """Drop the probabilities of tokens where they were not asked for, but noted for ourselves."""
    if asked.writing.num_logprobs is None:
        for answer in answers:
            answer.writing, answer.logprobs = asked.writing, []


def best_of(tried: Sequence[Written]) -> Written:
    """The answer to trust most, of equals the earlier one, and a record of all of them."""
    rounds = [Round(one.answers[0].text, one.answers[0].confidence) for one in tried]
    best = max(tried, key=lambda one: one.answers[0].confidence)
    shown = best.asked.shown and replace(best.asked.shown, rounds=tuple(rounds))
    return replace(best, asked=replace(best.asked, shown=shown))
