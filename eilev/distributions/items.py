"""Episodes tables laid out as one row per narrated clip, for measuring and checking."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eilev.episodes.classes import MISSING, Bools, Ints, encode_classes
from eilev.episodes.meaning import Rewriter, WordReader, make_rewriter

Texts = NDArray[np.object_]


@dataclass(frozen=True)
class ClipFacts:
    """What is known of every narration; arrays (num_clips,), in the table's order."""

    ids: "pd.Index[str]"
    verbs: Ints
    nouns: Ints
    # The narrator's words, empty where there is none.
    verb_words: Texts
    noun_words: Texts
    # Name of the split, empty for a narration that belongs to none.
    splits: Texts
    decoded: Bools
    rewriter: Rewriter


@dataclass(frozen=True)
class Items:
    """The clips shown in the episodes of one table; arrays (num_items,).

    The context's items of an episode stand in order, its query follows.
    """

    episode: Ints
    is_query: Bools
    # Position in `ClipFacts`, -1 for an unknown id.
    clip: Ints
    verbs: Ints
    nouns: Ints
    # Words in the episode's own narration, empty where there is none.
    verb_words: Texts
    noun_words: Texts
    # The narration is not the clip's own with other words.
    is_foreign: Bools


def gather_facts(
    narrations: pd.DataFrame, split: pd.DataFrame, decoded_ids: Collection[str]
) -> ClipFacts:
    """Collect what episodes are measured and checked against.

    Args:
        narrations: rows of schema.NARRATIONS.
        split: rows of schema.SPLIT.
        decoded_ids: narration ids that have frames.
    """
    clips = narrations.merge(split, on="narration_id", how="left", validate="one_to_one")
    decoded = clips["narration_id"].isin(decoded_ids).to_numpy()
    is_train = decoded & (clips["split"] == "train").to_numpy(dtype=np.bool_)
    return ClipFacts(
        ids=pd.Index(clips["narration_id"]),
        verbs=encode_classes(clips["verb_class"])[0],
        nouns=encode_classes(clips["noun_class"])[0],
        verb_words=_texts(clips["verb_word"]),
        noun_words=_texts(clips["noun_word"]),
        splits=_texts(clips["split"]),
        decoded=decoded,
        rewriter=make_rewriter(clips, is_train),
    )


def _texts(column: pd.Series) -> Texts:
    texts: Texts = column.fillna("").to_numpy(dtype=object)
    return texts


def lay_out(episodes: pd.DataFrame, facts: ClipFacts) -> Items:
    """Lay out a table of episodes (schema.EPISODES), whatever is wrong with it."""
    sizes = episodes["context"].map(len).to_numpy("int64") + 1
    ends = sizes.cumsum() - 1
    is_query = np.zeros(sizes.sum(), dtype=np.bool_)
    is_query[ends] = True
    ids = np.empty(is_query.size, dtype=object)
    ids[is_query] = episodes["query"].to_numpy(dtype=object)
    ids[~is_query] = [clip for context in episodes["context"] for clip in context]
    clip: Ints = facts.ids.get_indexer(pd.Index(ids)).astype(np.int64)
    verb_words, noun_words, is_foreign = _read_words(episodes["narrations"], sizes, clip, facts)
    return Items(
        episode=np.repeat(np.arange(sizes.size), sizes),
        is_query=is_query,
        clip=clip,
        verbs=np.append(facts.verbs, MISSING)[clip],
        nouns=np.append(facts.nouns, MISSING)[clip],
        verb_words=verb_words,
        noun_words=noun_words,
        is_foreign=is_foreign,
    )


def _read_words(
    narrations: pd.Series, sizes: Ints, clip: Ints, facts: ClipFacts
) -> tuple[Texts, Texts, Bools]:
    """Words of every item: the table's, or those in the sentence that the episode brings."""
    verb_words = np.array([*facts.verb_words, ""], dtype=object)[clip]
    noun_words = np.array([*facts.noun_words, ""], dtype=object)[clip]
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
