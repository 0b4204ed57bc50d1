"""The tables of kinds and meanings, and the algorithms that belong to them."""

import doctest

import numpy as np
import pytest

from eilev import vocabulary
from eilev.episodes.kinds import SAMPLERS, ContextShape
from eilev.episodes.meaning import WRITERS
from eilev.episodes.sampler import Queries, index_clips
from eilev.vocabulary import KINDS, MEANINGS


def test_worked_examples() -> None:
    result = doctest.testmod(vocabulary)
    assert result.attempted
    assert not result.failed


def test_every_kind_has_a_sampler_and_every_other_meaning_a_writer() -> None:
    assert set(SAMPLERS) == set(KINDS)
    assert set(WRITERS) == {name for name, meaning in MEANINGS.items() if meaning.rewritten}


def test_the_random_numbers_of_a_kind_stay_its_own() -> None:
    """The keys of the published kinds; a new kind takes a new number."""
    keys = {name: kind.key for name, kind in KINDS.items()}
    assert {"bursty": 0, "random": 1, "contrastive": 2}.items() <= keys.items()
    assert len(set(keys.values())) == len(keys)


@pytest.mark.parametrize("name", KINDS)
def test_contexts_are_what_the_table_says_of_their_kind(name: str) -> None:
    kind, shape = KINDS[name], ContextShape(shots=4, ways=2, verb_noun_ratio=0.5)
    rng = np.random.default_rng(0)
    verbs, nouns = rng.integers(0, 5, 400), rng.integers(0, 5, 400)
    rows = np.arange(100)
    uniforms = rng.random((100, SAMPLERS[name].num_draws(4, 2)))
    drawn, possible = SAMPLERS[name].draw(
        index_clips(verbs, nouns), Queries(verbs[rows], nouns[rows], rows), shape, uniforms
    )
    assert possible.all()
    same = (verbs[drawn] == verbs[rows, None]) & (nouns[drawn] == nouns[rows, None])
    assert (same.sum(axis=1) == (2 if kind.in_ways else 0)).all()
