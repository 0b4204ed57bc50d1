"""Counts of pieces of a table are those of the whole, and so is every figure."""

import pandas as pd
import pytest

from eilev.distributions import measures
from eilev.distributions.items import lay_out
from eilev.distributions.tally import Tally, add_up, tally
from tests.episodes.test_build import CONFIG
from tests.worlds import World, episode_frames, make_world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(400)


def _count(episodes: pd.DataFrame, world: World) -> Tally:
    facts = world.facts
    items = lay_out(episodes, facts)
    return tally(measures.episode_columns(episodes, items, facts), measures.item_columns(items))


def test_pieces_add_up_to_the_whole(world: World) -> None:
    built = episode_frames(world.narrations, world.split, world.decoded_ids, CONFIG)
    train = built["train"]
    whole = _count(train, world)
    first, *others = (
        _count(train[start : start + 70], world) for start in range(0, len(train), 70)
    )
    for piece in others:
        first = add_up(first, piece)
    assert measures.tallied_properties(first) == measures.tallied_properties(whole)
    assert measures.burstiness_counts(first) == measures.burstiness_counts(whole)
    assert measures.rank_counts(first) == measures.rank_counts(whole)
    for part, words in whole.words.items():
        pd.testing.assert_frame_equal(first.words[part], words)


def test_nothing_counts_nothing(world: World) -> None:
    built = episode_frames(world.narrations, world.split, world.decoded_ids, CONFIG)
    whole, nothing = (_count(built["val"].head(rows), world) for rows in (10**6, 0))
    assert nothing.num_episodes == 0
    assert measures.burstiness_level(nothing) is None
    properties = measures.tallied_properties(add_up(nothing, whole))
    assert properties == measures.tallied_properties(whole)
