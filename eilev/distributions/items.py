"""Episodes tables laid out as one row per narrated clip, for measuring and checking."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from eilev.episodes.classes import MISSING, Bools, Ints, Texts
from eilev.episodes.facts import ClipFacts, facts_of
from eilev.episodes.meaning import WordReader
from eilev.ids import id_array


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
    reader = WordReader(facts.rewriter)
    starts = sizes.cumsum() - sizes
    for start, size, sentences in zip(starts.tolist(), sizes.tolist(), narrations, strict=True):
        if sentences is None:
            continue
        items = range(start, start + size)
        for item, place, sentence in zip(items, clip[items].tolist(), sentences, strict=False):
            words = reader.read(place, sentence) if place >= 0 else None
            is_foreign[item] = words is None
            verb_words[item], noun_words[item] = words or ("", "")
    return verb_words, noun_words, is_foreign
