"""The conditions of the evaluation: one entry of a table has everything that a condition is.

A condition shows a model episodes of one kind, with their inputs changed or not. To add one: an
entry here, a row in docs/evaluation.md, a test of what it shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from eilev.config.section import OneOf

# As matplotlib has it: the lengths of dashes and gaps.
Dashes = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class ConditionEntry:
    """What a condition shows, and how it is told and drawn."""

    # Its name in figures.
    label: str
    # What the context is, for readers of the report.
    about: str
    # Of its curves, no two alike (a colour-blind-safe set).
    colour: str
    # The kind of episodes that it is made from: one of `episodes.evaluation.kinds`.
    kind: str
    # Curves that lie on others stay visible: what is drawn over them is dashed.
    dashes: Dashes | None = None
    # What is changed: the context's videos are exchanged against its texts; all videos are blank,
    # the query's too; the texts are told in words that occur nowhere in training.
    deranged: bool = False
    blank: bool = False
    new_words: bool = False
    # Conditions that bring it along. Such a one is asked for by no other means and has no curve:
    # it is a half of a probe.
    comes_with: tuple[str, ...] = ()

    @property
    def as_drawn(self) -> bool:
        """Whether its episodes are shown as they are."""
        return not (self.deranged or self.blank or self.new_words)


CONTRASTIVE_SHUFFLED = "contrastive_shuffled"

CONDITIONS: Mapping[str, ConditionEntry] = MappingProxyType(
    {
        "bursty": ConditionEntry(
            label="bursty",
            about="half of the context shares the query's verb, half its noun, never both",
            colour="#0072B2",
            kind="bursty",
        ),
        "random": ConditionEntry(
            label="random", about="any clips", colour="#999999", kind="random"
        ),
        "contrastive": ConditionEntry(
            label="contrastive",
            about="several actions equally often, one of them the query's (copying the majority"
            " does not help)",
            colour="#009E73",
            kind="contrastive",
        ),
        "shuffled": ConditionEntry(
            label="shuffled",
            about="bursty, the context's videos exchanged against their texts",
            colour="#E69F00",
            kind="bursty",
            dashes=(0, (4, 3)),
            deranged=True,
        ),
        "no_video": ConditionEntry(
            label="no_video",
            about="bursty, no pictures at all",
            colour="#CC79A7",
            kind="bursty",
            dashes=(0, (1, 2)),
            blank=True,
        ),
        "new_words": ConditionEntry(
            label="new_words",
            about='bursty, told in words that occur nowhere in training ("The camera wearer daxes'
            ' the wug")',
            colour="#D55E00",
            kind="bursty",
            new_words=True,
        ),
        CONTRASTIVE_SHUFFLED: ConditionEntry(
            label="contrastive, shuffled",
            about="contrastive, the context's videos exchanged against their texts",
            colour="#56B4E9",
            kind="contrastive",
            deranged=True,
            comes_with=("contrastive", "shuffled"),
        ),
    }
)

# Those that evaluate.conditions may ask for.
ASKED_FOR = {name: entry for name, entry in CONDITIONS.items() if not entry.comes_with}

Condition = Annotated[str, OneOf(ASKED_FOR)]


def shown(conditions: Sequence[Condition]) -> list[str]:
    """The conditions, then those that they bring along.

    >>> shown(["shuffled", "contrastive"])
    ['shuffled', 'contrastive', 'contrastive_shuffled']
    """
    brought = (
        name
        for name, entry in CONDITIONS.items()
        if entry.comes_with and set(entry.comes_with) <= set(conditions)
    )
    return [*conditions, *brought]
