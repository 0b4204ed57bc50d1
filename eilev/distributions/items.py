"""Episodes tables laid out as one row per narrated clip, for measuring and checking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eilev.distributions.properties import random_shares
from eilev.episodes.classes import MISSING, Bools, Floats, Ints, encode_classes, pair_keys
from eilev.episodes.meaning import WordReader
from eilev.episodes.rewriter import Rewriter, Texts, make_rewriter, texts_of
from eilev.ids import Ids, id_array
from eilev.parquet import text_array

_Array = TypeVar("_Array", bound=NDArray[Any])

# Columns of classes and of the words for them: few different texts.
WORDS = ("verb_class", "noun_class", "verb_word", "noun_word")


@dataclass(frozen=True)
class ClipFacts:
    """What is known of every narration.

    Classes, words, split and whether it was decoded are its traits. There are many narrations and
    few different traits, so each narration has their number, and the other arrays are of
    (num_traits,), in the order in which the table first has them.
    """

    ids: Ids
    # Sentence of each narration (num_clips,).
    narrations: "pa.StringArray"
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
    # Of the first narration with each of the traits.
    rewriter: Rewriter

    def traits_of(self, clips: Ints) -> Ints:
        """Numbers of the traits of clips by their positions, -1 of those at -1; (num_items,)."""
        return facts_of(self.traits, clips, MISSING).astype(np.int64)

    def rewriter_of(self, clips: Ints) -> Rewriter:
        """A rewriter of clips by their positions (num_items,), none of which may be -1."""
        narrations: Any = self.narrations.take(clips)
        return _of_rows(self.rewriter, self.traits_of(clips), narrations)

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
    def random_shares(self) -> tuple[Floats, Floats]:
        """Verb and noun share of a random context from the training clips, were it the query.

        Raises:
            ValueError: the training clips have one action only.
        """
        corpus = self.corpus
        return random_shares(self.verbs, self.nouns, self.verbs[corpus], self.nouns[corpus])

    @cached_property
    def word_codes(self) -> tuple[Ints, Ints]:
        """Numbers of the narrator's verb word and noun word."""
        verbs, nouns = (pd.factorize(words)[0] for words in (self.verb_words, self.noun_words))
        return verbs.astype(np.int64), nouns.astype(np.int64)


@dataclass(frozen=True)
class Items:
    """The clips shown in the episodes of one table; arrays (num_items,).

    The context's items of an episode stand in order, its query follows.
    """

    episode: Ints
    is_query: Bools
    # Position in `ClipFacts`, -1 for an unknown id.
    clip: Ints
    # Number of its traits in `ClipFacts`, -1 for an unknown id.
    trait: Ints
    # The same as `clip`, but unknown ids have numbers of their own, beyond the known ones.
    number: Ints
    verbs: Ints
    nouns: Ints
    # Words in the episode's own narration, empty where there is none.
    verb_words: Texts
    noun_words: Texts
    # The narration is not the clip's own with other words.
    is_foreign: Bools


def gather_facts(
    narrations: pd.DataFrame, split: pd.DataFrame, decoded_ids: Iterable[str]
) -> ClipFacts:
    """Collect what episodes are measured and checked against.

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
) -> Texts:
    """Name of the split of each narration, empty for one that belongs to none (num_clips,).

    Args:
        ids: of all narrations.
        pieces: narration ids, and the names of their splits.

    Raises:
        ValueError: a narration is in the split twice.
    """
    splits, times = np.full(len(ids), "", object), np.zeros(len(ids), np.int32)
    for those, names in pieces:
        places = ids.find(those)
        np.add.at(times, _known(places), 1)
        splits[_known(places)] = texts_of(names, "")[places >= 0]
    if twice := np.flatnonzero(times > 1).tolist():
        raise ValueError(
            f"the split has the narration '{ids[twice[0]]}' twice; run the split stage again"
        )
    return splits


def find_decoded(ids: Ids, pieces: "Iterable[Iterable[str] | pa.Array[Any]]") -> Bools:
    """Which narrations have frames (num_clips,), given the ids that do."""
    decoded = np.zeros(len(ids), np.bool_)
    for those in pieces:
        decoded[_known(ids.find(those))] = True
    return decoded


def make_facts(
    ids: Ids, sentences: "pa.StringArray", words: pd.DataFrame, splits: Texts, decoded: Bools
) -> ClipFacts:
    """Put together what is known of every narration.

    Args:
        ids: of all narrations, each once.
        sentences: of each narration (num_clips,).
        words: classes and words of each narration, in the columns of WORDS.
        splits: as `find_splits` gives them.
        decoded: as `find_decoded` gives them.
    """
    columns = {name: pd.factorize(words[name]) for name in WORDS}
    codes = [column for column, _ in columns.values()]
    traits, first = number_rows([*codes, pd.factorize(splits)[0], decoded.astype(np.int64)])
    named = words.iloc[first]
    # Categories that are Python's texts: a list of a column then has each of them once. Which
    # sentences are to be written in other words is known with an episode.
    few = {
        n: pd.Categorical.from_codes(c, pd.Index(v, dtype=object)) for n, (c, v) in columns.items()
    }
    rewriter = make_rewriter(pd.DataFrame(few).assign(narration=""), decoded & (splits == "train"))
    firsts: Any = sentences.take(first)
    return ClipFacts(
        ids=ids,
        narrations=sentences,
        traits=traits,
        verbs=encode_classes(named["verb_class"])[0],
        nouns=encode_classes(named["noun_class"])[0],
        verb_words=texts_of(named["verb_word"], ""),
        noun_words=texts_of(named["noun_word"], ""),
        splits=splits[first],
        decoded=decoded[first],
        rewriter=_of_rows(rewriter, first, firsts),
    )


def number_rows(columns: Sequence[Ints]) -> tuple[NDArray[np.int32], Ints]:
    """Number the different rows of columns in the order in which they come.

    Args:
        columns: codes from -1 (num_rows,).

    Returns:
        Number of each row (num_rows,), and the first row with each number.

    Examples:
        >>> numbers, first = number_rows([np.array([3, 3, -1, 3]), np.array([0, 1, 0, 0])])
        >>> numbers.tolist(), first.tolist()
        ([0, 1, 2, 0], [0, 1, 2])
    """
    numbers = np.zeros(len(columns[0]), np.int64)
    for codes in columns:
        width = int(codes.max(initial=-1)) + 2
        numbers = pd.factorize(numbers * width + codes + 1)[0]
    highest = np.maximum.accumulate(numbers)
    return numbers.astype(np.int32), np.flatnonzero(np.diff(highest, prepend=-1))


def _of_rows(rewriter: Rewriter, rows: Ints, narrations: "pa.StringArray") -> Rewriter:
    """A rewriter of other clips: those with the words of rows, and with these narrations."""
    verbs, nouns = (
        replace(part, codes=part.codes[rows], word_codes=part.word_codes[rows])
        for part in (rewriter.verbs, rewriter.nouns)
    )
    verb_words, noun_words = (words[rows] for words in rewriter.words)
    return Rewriter(narrations, (verb_words, noun_words), verbs, nouns)


def _known(places: Ints) -> Ints:
    return places[places >= 0]


def facts_of(values: _Array, place: Ints, missing: object) -> _Array:
    """Values by their places, `missing` of those at -1; (num_items,)."""
    taken = cast("_Array", values[place])
    taken[place < 0] = missing
    return taken


def lay_out(
    episodes: pd.DataFrame, facts: ClipFacts, contexts: "pa.Array[Any] | None" = None
) -> Items:
    """Lay out a table of episodes (schema.EPISODES), whatever is wrong with it.

    Args:
        episodes: its rows.
        facts: what is known of the clips.
        contexts: the column `context` as Arrow has it, where `episodes` lacks it: as Python's texts
            the ids take four times as much.
    """
    context: Any = contexts
    if context is None:
        context = pa.array(episodes["context"], pa.list_(pa.string()))
    sizes = pc.list_value_length(context).fill_null(0).to_numpy().astype(np.int64) + 1
    is_query = np.zeros(sizes.sum(), dtype=np.bool_)
    is_query[sizes.cumsum() - 1] = True
    clip, number = _find_clips(
        is_query, id_array(episodes["query"]), pc.list_flatten(context), facts
    )
    trait = facts.traits_of(clip)
    verb_words, noun_words, is_foreign = _read_words(
        episodes["narrations"], sizes, clip, trait, facts
    )
    return Items(
        episode=np.repeat(np.arange(sizes.size), sizes),
        is_query=is_query,
        clip=clip,
        trait=trait,
        number=number,
        verbs=facts_of(facts.verbs, trait, MISSING),
        nouns=facts_of(facts.nouns, trait, MISSING),
        verb_words=verb_words,
        noun_words=noun_words,
        is_foreign=is_foreign,
    )


def _find_clips(
    is_query: Bools, queries: "pa.StringArray", shown: "pa.StringArray", facts: ClipFacts
) -> tuple[Ints, Ints]:
    """`Items.clip` and `Items.number`, given the ids of all queries and of all context items."""
    parts = ((is_query, queries), (~is_query, shown))
    clip = np.empty(is_query.size, np.int64)
    for those, ids in parts:
        clip[those] = facts.ids.find(ids)
    number, unknown = clip.copy(), clip < 0
    if unknown.any():
        names = np.empty(is_query.size, object)
        for those, ids in parts:
            names[those] = ids.to_numpy(zero_copy_only=False)
        number[unknown] = len(facts.ids) + pd.factorize(names[unknown])[0]
    return clip, number


def _read_words(
    narrations: pd.Series, sizes: Ints, clip: Ints, trait: Ints, facts: ClipFacts
) -> tuple[Texts, Texts, Bools]:
    """Words of every item: the table's, or those in the sentence that the episode brings."""
    verb_words = facts_of(facts.verb_words, trait, "")
    noun_words = facts_of(facts.noun_words, trait, "")
    is_foreign = np.zeros(clip.size, dtype=np.bool_)
    if not narrations.notna().any():
        return verb_words, noun_words, is_foreign
    known = np.flatnonzero(clip >= 0)
    # Place of each item in the rewriter, -1 for one of an unknown clip.
    places = np.full(clip.size, MISSING)
    places[known] = np.arange(known.size)
    reader = WordReader(facts.rewriter_of(clip[known]))
    starts = sizes.cumsum() - sizes
    for start, size, sentences in zip(starts.tolist(), sizes.tolist(), narrations, strict=True):
        if sentences is None:
            continue
        items = range(start, start + size)
        for item, place, sentence in zip(items, places[items].tolist(), sentences, strict=False):
            words = reader.read(place, sentence) if place >= 0 else None
            is_foreign[item] = words is None
            verb_words[item], noun_words[item] = words or ("", "")
    return verb_words, noun_words, is_foreign
