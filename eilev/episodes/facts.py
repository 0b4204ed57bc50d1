"""What is known of every narration, in columns: who it shows, its words, its split, its frames."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eilev.episodes.classes import (
    MISSING,
    Bools,
    Ints,
    Texts,
    encode_classes,
    number_rows,
    pair_keys,
    texts_of,
)
from eilev.episodes.rewriter import WORDS, Rewriter, learn_words
from eilev.ids import Ids, id_array
from eilev.parquet import hold, text_array
from eilev.texts import map_texts

_Array = TypeVar("_Array", bound=NDArray[Any])

# Pieces of a table, from the first; with names, these columns only.
Pieces = Callable[[Sequence[str] | None], Iterable[pa.RecordBatch]]


# Two of them are the same if they are one: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class ClipFacts:
    """What is known of every narration.

    Classes, words, split and whether it was decoded are its traits. There are many narrations and
    few different traits, so each narration has their number, and the other arrays are of
    (num_traits,), in the order in which the table first has them.
    """

    ids: Ids
    # Number of each narration's traits (num_clips,).
    traits: NDArray[np.int32]
    verbs: Ints
    nouns: Ints
    # The narrator's words, empty where there is none.
    verb_words: Texts
    noun_words: Texts
    # Name of the split, empty for a narration that belongs to none.
    splits: Texts
    decoded: Bools
    # Of all narrations, by the same traits.
    rewriter: Rewriter

    @property
    def narrations(self) -> "pa.StringArray":
        """Sentence of each narration (num_clips,)."""
        return self.rewriter.narrations

    def traits_of(self, clips: Ints) -> Ints:
        """Numbers of the traits of clips by their positions, -1 of those at -1; (num_items,)."""
        return facts_of(self.traits, clips, MISSING).astype(np.int64)

    @property
    def corpus(self) -> NDArray[np.int32]:
        """Numbers of the traits of the clips that contexts may come from, in the table's order."""
        return self.traits[self.training[self.traits]]

    @cached_property
    def training(self) -> Bools:
        """Traits of clips that contexts may come from."""
        training: Bools = self.decoded & (self.splits == "train")
        return training

    @cached_property
    def trained(self) -> Bools:
        """Traits with an action that a training clip shows."""
        actions = pair_keys(self.verbs, self.nouns)
        return np.isin(actions, actions[self.training])

    @cached_property
    def word_codes(self) -> tuple[Ints, Ints]:
        """Numbers of the narrator's verb word and noun word."""
        verbs, nouns = (pd.factorize(words)[0] for words in (self.verb_words, self.noun_words))
        return verbs.astype(np.int64), nouns.astype(np.int64)


def read_facts(
    narrations: Pieces, split: Pieces, clips: Pieces, *, once: bool = False
) -> ClipFacts:
    """Read what episodes are drawn from, measured by and checked against.

    Args:
        narrations: reads rows of schema.NARRATIONS.
        split: reads rows of schema.SPLIT.
        clips: reads rows of schema.CLIPS_INDEX.
        once: of a narration that is given twice, take the first row instead of refusing it.

    Raises:
        ValueError: a narration is given twice, or is in the split twice.
    """
    ids, sentences = (
        map_texts(piece[name] for piece in narrations([name]))
        for name in ("narration_id", "narration")
    )
    words = hold(narrations(WORDS), WORDS)
    known = Ids(ids)
    if known.has_repeats:
        again = _repeats(known)
        if not once:
            raise ValueError(
                f"the narrations have '{known[int(again.argmax())]}' twice; run the ingest stage"
                " again"
            )
        first = np.flatnonzero(~again)
        known, sentences, words = Ids(ids.take(first)), sentences.take(first), words.iloc[first]
    splits = find_splits(known, _named(split))
    with_frames = (
        piece["narration_id"].filter(pc.is_valid(piece["shard"]))
        for piece in clips(["narration_id", "shard"])
    )
    return make_facts(known, sentences, words, splits, find_decoded(known, with_frames))


def _named(split: Pieces) -> Iterator[tuple["pa.Array[Any]", pd.Series]]:
    """Narration ids and the names of their splits."""
    for piece in split(["narration_id", "split"]):
        yield piece["narration_id"], piece["split"].to_pandas()


def gather_facts(
    narrations: pd.DataFrame, split: pd.DataFrame, decoded_ids: Iterable[str]
) -> ClipFacts:
    """Collect the same from tables that are held.

    Args:
        narrations: rows of schema.NARRATIONS, each id once.
        split: rows of schema.SPLIT.
        decoded_ids: narration ids that have frames.

    Raises:
        ValueError: a narration is in the split twice.
    """
    ids = Ids(narrations["narration_id"])
    splits = find_splits(ids, [(split["narration_id"], split["split"])])
    decoded = find_decoded(ids, [decoded_ids])
    return make_facts(ids, text_array(narrations["narration"]), narrations, splits, decoded)


def find_splits(
    ids: Ids, pieces: "Iterable[tuple[Iterable[str] | pa.Array[Any], pd.Series]]"
) -> "pd.Categorical[str]":
    """Name of the split of each narration, empty for one that belongs to none (num_clips,).

    Args:
        ids: of all narrations.
        pieces: narration ids, and the names of their splits.

    Raises:
        ValueError: a narration is in the split twice.
    """
    numbers, strangers = {"": 0}, [pa.array([], pa.string())]
    splits, times = (np.zeros(len(ids), np.int32) for _ in range(2))
    for those, names in pieces:
        array = id_array(those)
        places = ids.find(array)
        known = places >= 0
        codes, found = pd.factorize(names)
        number = np.array([*(numbers.setdefault(name, len(numbers)) for name in found), 0])
        splits[places[known]] = number[codes[known]]
        np.add.at(times, places[known], 1)
        strangers.append(array.filter(pa.array(~known)))
    others = Ids(pa.concat_arrays(strangers))
    twice = [others[place] for place in np.flatnonzero(_repeats(others)).tolist()]
    if twice := [ids[place] for place in np.flatnonzero(times > 1).tolist()] + twice:
        raise ValueError(
            f"the split has the narration '{twice[0]}' twice; run the split stage again"
        )
    return pd.Categorical.from_codes(splits, pd.Index([*numbers], dtype=object))


def _repeats(ids: Ids) -> Bools:
    """Which ids have stood there before (num_ids,)."""
    return ids.find(ids.array) < np.arange(len(ids))


def find_decoded(ids: Ids, pieces: "Iterable[Iterable[str] | pa.Array[Any]]") -> Bools:
    """Which narrations have frames (num_clips,), given the ids that do."""
    decoded = np.zeros(len(ids), np.bool_)
    for those in pieces:
        places = ids.find(those)
        decoded[places[places >= 0]] = True
    return decoded


def make_facts(
    ids: Ids,
    sentences: "pa.StringArray",
    words: pd.DataFrame,
    splits: "pd.Categorical[str]",
    decoded: Bools,
) -> ClipFacts:
    """Put together what is known of every narration.

    Args:
        ids: of all narrations, each once.
        sentences: of each narration (num_clips,).
        words: classes and words of each narration, in the columns of WORDS.
        splits: as `find_splits` gives them.
        decoded: as `find_decoded` gives them.
    """
    columns = {name: pd.Categorical(words[name]) for name in WORDS}
    codes = [column.codes for column in columns.values()]
    traits, first = number_rows([*codes, splits.codes, decoded.view(np.int8)])
    # Categories that are Python's texts: a list of a column then has each of them once.
    named = pd.DataFrame(
        {
            name: pd.Categorical.from_codes(
                column.codes[first], pd.Index(column.categories, dtype=object)
            )
            for name, column in columns.items()
        }
    )
    names, shown = np.asarray(splits[first], object), decoded[first]
    return ClipFacts(
        ids=ids,
        traits=traits,
        verbs=encode_classes(named["verb_class"])[0],
        nouns=encode_classes(named["noun_class"])[0],
        verb_words=texts_of(named["verb_word"], ""),
        noun_words=texts_of(named["noun_word"], ""),
        splits=names,
        decoded=shown,
        rewriter=learn_words(
            sentences, traits, named, shown & (names != ""), shown & (names == "train")
        ),
    )


def facts_of(values: _Array, place: Ints, missing: object) -> _Array:
    """Values by their places, `missing` of those at -1; (num_items,)."""
    taken = cast("_Array", values[place])
    taken[place < 0] = missing
    return taken
