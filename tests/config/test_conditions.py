"""The table of conditions: what an entry must have for everything that reads it."""

import doctest
from pathlib import Path

import pytest
from matplotlib.colors import is_color_like

from eilev.config import conditions
from eilev.config.conditions import ASKED_FOR, CONDITIONS, shown
from eilev.vocabulary import KINDS

GUIDE = (Path(__file__).parents[2] / "docs/evaluation.md").read_text()


def test_worked_examples():
    assert doctest.testmod(conditions).failed == 0


@pytest.mark.parametrize("name", CONDITIONS)
def test_an_entry_can_be_drawn_told_and_made(name):
    entry = CONDITIONS[name]
    assert is_color_like(entry.colour)
    assert entry.label
    assert entry.about
    assert entry.kind in KINDS
    assert set(entry.comes_with) <= set(ASKED_FOR)


def test_no_two_look_alike_or_are_the_same():
    entries = list(CONDITIONS.values())
    assert len({entry.colour for entry in entries}) == len(entries)
    assert len({entry.label for entry in entries}) == len(entries)
    made = {(e.kind, e.deranged, e.blank, e.new_words) for e in entries}
    assert len(made) == len(entries)


@pytest.mark.parametrize("name", ASKED_FOR)
def test_the_guide_has_a_row_for_each(name):
    assert f"\n| {name} | " in GUIDE


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_shown_as_it_is(kind):
    assert (CONDITIONS[kind].kind, CONDITIONS[kind].as_drawn) == (kind, True)


def test_halves_of_probes_come_with_their_conditions_only():
    assert shown(["contrastive", "bursty"]) == ["contrastive", "bursty"]
    assert shown(ASKED_FOR)[-1] == "contrastive_shuffled"
