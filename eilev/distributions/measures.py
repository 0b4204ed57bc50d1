"""The distribution properties of a table of episodes and of a corpus.

Every figure is computed from two plain tables, one row per episode (`episode_columns`) and one row
per narrated clip (`item_columns`), so that what is validated, reported and plotted is one number.
"""

import numpy as np
import pandas as pd

from eilev.distributions.items import ClipFacts, Items
from eilev.distributions.properties import (
    Burstiness,
    homonymy,
    normalised_entropy,
    random_shares,
    synonymy,
    top_share,
    zipf_exponent,
)
from eilev.episodes.classes import Bools, Ints, action_numbers, pair_keys, shares_class
from eilev.vocabulary import KINDS

_TOP = 10


def episode_columns(episodes: pd.DataFrame, items: Items, facts: ClipFacts) -> pd.DataFrame:
    """One row per episode, in the order of `episodes` (schema.EPISODES).

    Columns: query, kind, meaning, shots, phase, epoch as in the table; `action` (number of the
    query's action, negative without a verb or noun class); `context_size`; how many context items
    share the query's verb class (`num_verb_shared`) and noun class (`num_noun_shared`) or either
    (`num_shared`); the shares expected under random contexts drawn from the decoded training clips
    (`random_verb_share`, `random_noun_share`).
    """
    query_verbs, query_nouns = items.verbs[items.is_query], items.nouns[items.is_query]
    verb = shares_class(query_verbs[items.episode], items.verbs) & ~items.is_query
    noun = shares_class(query_nouns[items.episode], items.nouns) & ~items.is_query
    corpus = is_training_clip(facts)
    random_verb, random_noun = random_shares(
        query_verbs, query_nouns, facts.verbs[corpus], facts.nouns[corpus]
    )
    columns = episodes[["query", "kind", "meaning", "shots", "phase", "epoch"]].reset_index(
        drop=True
    )
    return columns.assign(
        action=action_numbers(query_verbs, query_nouns),
        context_size=count_per_episode(items, ~items.is_query),
        num_verb_shared=count_per_episode(items, verb),
        num_noun_shared=count_per_episode(items, noun),
        num_shared=count_per_episode(items, verb | noun),
        random_verb_share=random_verb,
        random_noun_share=random_noun,
    )


def item_columns(items: Items) -> pd.DataFrame:
    """One row per narrated clip of the episodes: episode, classes (negative: none) and words."""
    return pd.DataFrame(
        {
            "episode": items.episode,
            "verb_class": items.verbs,
            "verb_word": items.verb_words,
            "noun_class": items.nouns,
            "noun_word": items.noun_words,
        }
    )


def is_training_clip(facts: ClipFacts) -> Bools:
    """Clips that contexts may come from (num_clips,)."""
    training: Bools = facts.decoded & (facts.splits == "train")
    return training


def count_per_episode(items: Items, which: Bools) -> Ints:
    """How many of the chosen items each episode has (num_episodes,)."""
    return np.bincount(items.episode[which], minlength=int(items.is_query.sum()))


def action_counts(actions: Ints) -> Ints:
    """How often each action occurs, most frequent first; unnamed ones are left out."""
    return -np.sort(-np.unique(actions[actions >= 0], return_counts=True)[1])


def _is_measured(episodes: pd.DataFrame) -> "pd.Series[bool]":
    return ~episodes["kind"].isin([name for name, kind in KINDS.items() if kind.in_ways])


def measured_burstiness(episodes: pd.DataFrame) -> Burstiness | None:
    """Burstiness over the context items of the episodes that are not in ways.

    Contexts in ways are fixed by their ways and shots and are checked exactly instead. None
    where there is no item.
    """
    chosen = episodes[_is_measured(episodes)]
    size = int(chosen["context_size"].sum())
    if not size:
        return None
    shared = chosen[["num_shared", "num_verb_shared", "num_noun_shared"]].sum()
    return Burstiness(*(float(count) / size for count in shared))


def expected_burstiness(episodes: pd.DataFrame) -> Burstiness | None:
    """What `measured_burstiness` would be if these contexts had been drawn at random."""
    chosen = episodes[_is_measured(episodes)]
    weights = chosen["context_size"].to_numpy(dtype=np.float64)
    if not weights.sum():
        return None
    verb, noun = (
        float(np.average(chosen[f"random_{part}_share"], weights=weights))
        for part in ("verb", "noun")
    )
    return Burstiness(verb + noun, verb, noun)


def burstiness_level(episodes: pd.DataFrame) -> float | None:
    """Share of items with the query's verb or noun class, see `measured_burstiness`."""
    level = measured_burstiness(episodes)
    return level.either if level else None


def burstiness_above_random(episodes: pd.DataFrame) -> float | None:
    """By how much burstiness exceeds the level of random contexts."""
    level, random = measured_burstiness(episodes), expected_burstiness(episodes)
    return level.either - random.either if level and random else None


def burstiness_counts(episodes: pd.DataFrame) -> list[int]:
    """Episodes by the share of their context with the query's verb or noun, in tenths from 0 to 1.

    Of the episodes that `measured_burstiness` is about.
    """
    chosen = episodes[_is_measured(episodes) & (episodes["context_size"] > 0)]
    shares = chosen["num_shared"] / chosen["context_size"]
    return [int(count) for count in np.histogram(shares, bins=10, range=(0, 1))[0]]


def rank_counts(episodes: pd.DataFrame) -> list[int]:
    """Queries by the rank of their action: ranks 1, 2 to 3, 4 to 7, and so on.

    Equally high for a Zipf exponent of 1; they double from one to the next for 0.
    """
    counts = action_counts(episodes["action"].to_numpy("int64"))
    edges = 2 ** np.arange(counts.size.bit_length()) - 1
    return [int(count) for count in np.add.reduceat(counts, edges)] if counts.size else []


def query_zipf_exponent(episodes: pd.DataFrame) -> float | None:
    """Zipf exponent of the queries' actions, see `measured_zipf_exponent`."""
    return measured_zipf_exponent(episodes["action"].to_numpy("int64"))


def measured_zipf_exponent(actions: Ints) -> float | None:
    """Zipf exponent of the action frequencies, None where fewer than two actions occur."""
    counts = action_counts(actions)
    return zipf_exponent(counts) if counts.size > 1 else None


def measured_synonymy(
    items: pd.DataFrame, part: str, *, within_episode: bool = False
) -> float | None:
    """H(word | class) in bits over the items that have both; `part` is "verb" or "noun".

    Within an episode: the mean over episodes, each weighted by its items.
    """
    chosen = _with_words(items, part, within_episode)
    return synonymy(chosen["class"], chosen["word"]) if len(chosen) else None


def measured_homonymy(
    items: pd.DataFrame, part: str, *, within_episode: bool = False
) -> float | None:
    """H(class | word) in bits, as in `measured_synonymy`."""
    chosen = _with_words(items, part, within_episode)
    return homonymy(chosen["class"], chosen["word"]) if len(chosen) else None


def _with_words(items: pd.DataFrame, part: str, within_episode: bool) -> pd.DataFrame:
    named = items[(items[f"{part}_class"] >= 0) & (items[f"{part}_word"] != "")]
    classes = named[f"{part}_class"].to_numpy("int64")
    words = pd.factorize(named[f"{part}_word"])[0].astype("int64")
    if within_episode:
        episode = named["episode"].to_numpy("int64")
        classes, words = pair_keys(episode, classes), pair_keys(episode, words)
    return pd.DataFrame({"class": classes, "word": words})


def corpus_properties(facts: ClipFacts) -> dict[str, float | int | None]:
    """Skew and dynamic meaning of the decoded training clips."""
    corpus = is_training_clip(facts)
    items = pd.DataFrame(
        {
            "verb_class": facts.verbs[corpus],
            "verb_word": facts.verb_words[corpus],
            "noun_class": facts.nouns[corpus],
            "noun_word": facts.noun_words[corpus],
        }
    )
    actions = action_numbers(facts.verbs[corpus], facts.nouns[corpus])
    return {"num_clips": int(corpus.sum()), **_skew(actions), **_words(items)}


def episode_properties(
    episodes: pd.DataFrame, items: pd.DataFrame
) -> dict[str, float | int | None]:
    """All three properties of a table of episodes (`episode_columns`, `item_columns`)."""
    return {
        "num_episodes": len(episodes),
        **_levels("", measured_burstiness(episodes)),
        **_levels("random_", expected_burstiness(episodes)),
        **_skew(episodes["action"].to_numpy("int64")),
        **_words(items),
        **_words(items, within_episode=True),
    }


def _levels(prefix: str, level: Burstiness | None) -> dict[str, float | None]:
    return {
        f"{prefix}burstiness": level.either if level else None,
        f"{prefix}verb_share": level.verb if level else None,
        f"{prefix}noun_share": level.noun if level else None,
    }


def _skew(actions: Ints) -> dict[str, float | int | None]:
    counts = action_counts(actions)
    return {
        "num_actions": int(counts.size),
        "zipf_exponent": measured_zipf_exponent(actions),
        f"top_{_TOP}_share": top_share(counts, _TOP) if counts.size else None,
        "normalised_entropy": normalised_entropy(counts) if counts.size else None,
    }


def _words(items: pd.DataFrame, *, within_episode: bool = False) -> dict[str, float | None]:
    suffix = "_within_episode" if within_episode else ""
    figures = {"synonymy": measured_synonymy, "homonymy": measured_homonymy}
    return {
        f"{part}_{name}{suffix}": measure(items, part, within_episode=within_episode)
        for part in ("verb", "noun")
        for name, measure in figures.items()
    }
