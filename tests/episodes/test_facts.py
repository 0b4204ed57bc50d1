"""What is known of narrations, whole and in pieces."""

import doctest

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from eilev.episodes import classes
from eilev.episodes.account import Account
from eilev.episodes.build import build_episodes
from eilev.episodes.facts import ClipFacts, Pieces, gather_facts, read_facts
from tests.episodes.test_build import CONFIG
from tests.worlds import World


def pieces(table: pd.DataFrame) -> Pieces:
    """Pieces of a table that are smaller than it."""
    whole = pa.Table.from_pandas(table, preserve_index=False)
    return lambda columns: whole.select(columns or whole.column_names).to_batches(max_chunksize=97)


def again(table: pd.DataFrame, *rows: int) -> pd.DataFrame:
    """A table with some rows a second time."""
    return pd.concat([table, table.iloc[[*rows]]], ignore_index=True)


def test_worked_examples() -> None:
    assert doctest.testmod(classes).failed == 0


def test_in_pieces_is_as_whole(world: World, facts: ClipFacts) -> None:
    """A narration that is given twice may count once."""
    tables = again(world.narrations, 7, 3), world.split, world.clips
    found = read_facts(*map(pieces, tables), once=True)
    assert [*found.ids] == [*facts.ids]
    assert found.narrations.equals(facts.narrations)
    for name in ("traits", "verbs", "nouns", "verb_words", "noun_words", "splits", "decoded"):
        np.testing.assert_array_equal(getattr(found, name), getattr(facts, name))
    assert len(found.verbs) < len(found.traits)
    for clip in (5, 0, 599):
        assert found.rewriter.template(clip) == facts.rewriter.template(clip)


def test_what_is_given_twice_is_refused(world: World) -> None:
    tables = world.narrations, world.split, world.clips
    cases = (
        ("the narrations have 'clip-00007' twice", (again(tables[0], 7, 3), *tables[1:])),
        (
            "the split has the narration 'clip-00007' twice",
            (tables[0], again(tables[1], 7), tables[2]),
        ),
        # Nor may the split be that of other narrations.
        (
            "the split has the narration 'clip-00009' twice",
            (tables[0].drop(9), again(tables[1], 9), tables[2]),
        ),
    )
    for message, given in cases:
        with pytest.raises(ValueError, match=message):
            read_facts(*map(pieces, given))


def test_who_has_no_frames_or_no_split_takes_no_part(world: World) -> None:
    """As if they were in no table; the usual word of a class is that of those who do."""
    left_out = np.arange(600) % 3 == 0
    odd = world.narrations.assign(verb_word=world.narrations["verb_word"].where(~left_out, "zap"))
    split, decoded = (
        world.split[np.arange(600) % 6 != 0],
        {*world.narrations["narration_id"][~left_out]},
    )
    some = gather_facts(odd, split, decoded)
    kept = split["narration_id"].isin(decoded)
    alone = gather_facts(odd[~left_out], split[kept], decoded)
    assert some.rewriter.verbs.pool == alone.rewriter.verbs.pool
    assert some.rewriter.verbs.canonical == alone.rewriter.verbs.canonical
    episodes = (build_episodes(each, CONFIG, Account()) for each in (some, alone))
    for first, second in zip(*(each.values() for each in episodes), strict=True):
        assert [*first] == [*second]
