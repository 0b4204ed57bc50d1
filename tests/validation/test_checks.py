"""Sound episodes break nothing; each way of breaking one is counted, where it should be."""

import numpy as np
import pandas as pd
import pytest

from eilev.data.items import ClipFacts, lay_out
from eilev.schema import Split
from eilev.validation.checks import violations
from tests.validation import mutations
from tests.worlds import World

CASES = [
    *(("train", mutate, column) for mutate, column in mutations.TRAIN.items()),
    *(("novel", mutate, column) for mutate, column in mutations.NOVEL.items()),
]


@pytest.mark.parametrize("split", ["train", "val", "test", "novel"])
def test_sound_episodes(
    split: Split, episodes: dict[Split, pd.DataFrame], facts: ClipFacts
) -> None:
    table = episodes[split]
    broken = violations(table, lay_out(table, facts), facts, split)
    if split != "novel":
        broken = broken.drop(columns="trained_actions")
    assert len(broken) == len(table)
    assert not broken.to_numpy().any()


@pytest.mark.parametrize(("split", "mutate", "column"), CASES)
def test_broken_episodes(
    split: Split,
    mutate: mutations.Mutation,
    column: str,
    episodes: dict[Split, pd.DataFrame],
    facts: ClipFacts,
    world: World,
) -> None:
    table = episodes[split].copy(deep=True)
    mutate(table, world)
    broken = violations(table, lay_out(table, facts), facts, split)
    if split != "novel":
        broken = broken.drop(columns="trained_actions")
    flagged = broken.columns[broken.any()]
    assert column in flagged
    assert np.count_nonzero(broken.any(axis=1)) == 1
    # A mutation may break other rules along with the first, but few.
    assert len(flagged) <= 4, list(flagged)


def test_no_episodes(episodes: dict[Split, pd.DataFrame], facts: ClipFacts) -> None:
    table = episodes["novel"].head(0)
    broken = violations(table, lay_out(table, facts), facts, "novel")
    assert broken.empty
    assert "queries_in_context" in broken.columns
