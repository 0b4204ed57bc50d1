"""Episodes tables laid out as one row per narrated clip, for measuring and checking."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eilev.distributions.properties import random_shares
from eilev.episodes.classes import MISSING, Bools, Floats, Ints, encode_classes, pair_keys
from eilev.episodes.meaning import WordReader
from eilev.episodes.rewriter import Rewriter, Texts, make_rewriter, texts_of
from eilev.ids import Ids

_Array = TypeVar("_Array", bound=NDArray[Any])


@dataclass(frozen=True)
class ClipFacts:
    """What is known of every narration; arrays (num_clips,), in the table's order.

    What episodes are measured against is worked out once, however many pieces they come in.
    """

    ids: Ids
    verbs: Ints
    nouns: Ints
    # The narrator's words, empty where there is none.
    verb_words: Texts
    noun_words: Texts
    # Name of the split, empty for a narration that belongs to none.
    splits: Texts
    decoded: Bools
    rewriter: Rewriter

    @cached_property
    def training(self) -> Bools:
        """Clips that contexts may come from."""
        training: Bools = self.decoded & (self.splits == "train")
        return training

    @cached_property
    def trained(self) -> Bools:
        """Clips whose action a training clip shows."""
        actions = pair_keys(self.verbs, self.nouns)
        return np.isin(actions, actions[self.training])

    @cached_property
    def random_shares(self) -> tuple[Floats, Floats]:
        """Verb and noun share of a random context from the training clips, were it the query.

        Raises:
            ValueError: the training clips have one action only.
        """
        corpus = self.verbs[self.training], self.nouns[self.training]
        return random_shares(self.verbs, self.nouns, *corpus)

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
    # The same, but unknown ids have numbers of their own, beyond the known ones.
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
    decoded = np.zeros(len(ids), np.bool_)
    decoded[_known(ids.find(decoded_ids))] = True
    splits = np.full(len(ids), "", object)
    places = ids.find(split["narration_id"])
    if twice := np.flatnonzero(np.bincount(_known(places)) > 1).tolist():
        raise ValueError(
            f"the split has the narration '{ids[twice[0]]}' twice; run the split stage again"
        )
    splits[_known(places)] = texts_of(split["split"], "")[places >= 0]
    return ClipFacts(
        ids=ids,
        verbs=encode_classes(narrations["verb_class"])[0],
        nouns=encode_classes(narrations["noun_class"])[0],
        verb_words=texts_of(narrations["verb_word"], ""),
        noun_words=texts_of(narrations["noun_word"], ""),
        splits=splits,
        decoded=decoded,
        rewriter=make_rewriter(narrations, decoded & (splits == "train")),
    )


def _known(places: Ints) -> Ints:
    return places[places >= 0]


def facts_of(values: _Array, clip: Ints, missing: object) -> _Array:
    """Values (num_clips,) of clips by their positions, `missing` of those at -1; (num_items,)."""
    taken = cast("_Array", values[clip])
    taken[clip < 0] = missing
    return taken


def lay_out(episodes: pd.DataFrame, facts: ClipFacts) -> Items:
    """Lay out a table of episodes (schema.EPISODES), whatever is wrong with it."""
    sizes = episodes["context"].map(len).to_numpy("int64") + 1
    ends = sizes.cumsum() - 1
    is_query = np.zeros(sizes.sum(), dtype=np.bool_)
    is_query[ends] = True
    ids = np.empty(is_query.size, dtype=object)
    ids[is_query] = episodes["query"].to_numpy(dtype=object)
    ids[~is_query] = [clip for context in episodes["context"] for clip in context]
    clip = facts.ids.find(ids)
    number, unknown = clip.copy(), clip < 0
    number[unknown] = len(facts.ids) + pd.factorize(ids[unknown])[0]
    verb_words, noun_words, is_foreign = _read_words(episodes["narrations"], sizes, clip, facts)
    return Items(
        episode=np.repeat(np.arange(sizes.size), sizes),
        is_query=is_query,
        clip=clip,
        number=number,
        verbs=facts_of(facts.verbs, clip, MISSING),
        nouns=facts_of(facts.nouns, clip, MISSING),
        verb_words=verb_words,
        noun_words=noun_words,
        is_foreign=is_foreign,
    )


def _read_words(
    narrations: pd.Series, sizes: Ints, clip: Ints, facts: ClipFacts
) -> tuple[Texts, Texts, Bools]:
    """Words of every item: the table's, or those in the sentence that the episode brings."""
    verb_words = facts_of(facts.verb_words, clip, "")
    noun_words = facts_of(facts.noun_words, clip, "")
    is_foreign = np.zeros(clip.size, dtype=np.bool_)
    reader = WordReader(facts.rewriter)
    starts = sizes.cumsum() - sizes
    for start, size, sentences in zip(starts.tolist(), sizes.tolist(), narrations, strict=True):
        if sentences is None:
            continue
        items = range(start, start + size)
        for item, number, sentence in zip(items, clip[items].tolist(), sentences, strict=False):
            words = reader.read(number, sentence) if number >= 0 else None
            is_foreign[item] = words is None
            verb_words[item], noun_words[item] = words or ("", "")
    return verb_words, noun_words, is_foreign
