"""The distribution properties of episodes and of a corpus.

Two plain tables, one row per episode (`episode_columns`) and one row per narrated clip
(`item_columns`), are counted (`eilev.distributions.tally`), and every figure is computed from the
counts, so that what is validated, reported and plotted is one number.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from eilev.distributions.items import Items
from eilev.distributions.properties import (
    Burstiness,
    entropy_of_sizes,
    homonymy,
    normalised_entropy,
    random_shares,
    synonymy,
    top_share,
    zipf_exponent,
)
from eilev.distributions.tally import PARTS, Part, Tally, tally, tally_words
from eilev.episodes.classes import Bools, Floats, Ints, action_numbers, shares_class
from eilev.episodes.facts import ClipFacts, facts_of
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
    random_verb, random_noun = (
        facts_of(shares, items.trait[items.is_query], 0.0) for shares in chances(facts)
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


@lru_cache(maxsize=1)  # episodes come in many pieces
def chances(facts: ClipFacts) -> tuple[Floats, Floats]:
    """Verb and noun share of a random context from the training clips, were each trait the query's.

    Raises:
        ValueError: the training clips have one action only.
    """
    corpus = facts.corpus
    return random_shares(facts.verbs, facts.nouns, facts.verbs[corpus], facts.nouns[corpus])


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


def count_per_episode(items: Items, which: Bools) -> Ints:
    """How many of the chosen items each episode has (num_episodes,)."""
    return np.bincount(items.episode[which], minlength=int(items.is_query.sum()))


def action_counts(actions: Ints, counts: Ints | None = None) -> Ints:
    """How often each action occurs, most frequent first; unnamed ones are left out.

    Args:
        actions: their numbers, any number of times.
        counts: for how many occurrences each entry stands; for one where it is None.
    """
    named = actions >= 0
    codes = np.unique(actions[named], return_inverse=True)[1]
    return -np.sort(-np.bincount(codes, None if counts is None else counts[named]).astype(np.int64))


def _measured(counted: pd.DataFrame) -> pd.DataFrame:
    """The rows about episodes that are not in ways and have a context."""
    in_ways = counted["kind"].isin([name for name, kind in KINDS.items() if kind.in_ways])
    return counted[~in_ways & (counted["context_size"] > 0)]


def measured_burstiness(counts: Tally) -> Burstiness | None:
    """Burstiness over the context items of the episodes that are not in ways.

    Contexts in ways are fixed by their ways and shots and are checked exactly instead. None
    where there is no item.
    """
    chosen = _measured(counts.shares)
    names = ("context_size", "num_shared", "num_verb_shared", "num_noun_shared")
    times = chosen["count"].to_numpy("int64")
    size, *shared = (int(chosen[name].to_numpy("int64") @ times) for name in names)
    return Burstiness(*(count / size for count in shared)) if size else None


def expected_burstiness(counts: Tally) -> Burstiness | None:
    """What `measured_burstiness` would be if these contexts had been drawn at random."""
    chosen = _measured(counts.actions)
    if chosen.empty:
        return None
    weights = (chosen["context_size"] * chosen["count"]).to_numpy(dtype=np.float64)
    verb, noun = (
        float(np.average(chosen[f"random_{part}_share"], weights=weights)) for part in PARTS
    )
    return Burstiness(verb + noun, verb, noun)


def burstiness_level(counts: Tally) -> float | None:
    """Share of items with the query's verb or noun class, see `measured_burstiness`."""
    level = measured_burstiness(counts)
    return level.either if level else None


def burstiness_above_random(counts: Tally) -> float | None:
    """By how much burstiness exceeds the level of random contexts."""
    level, random = measured_burstiness(counts), expected_burstiness(counts)
    return level.either - random.either if level and random else None


def burstiness_counts(counts: Tally) -> list[int]:
    """Episodes by the share of their context with the query's verb or noun, in tenths from 0 to 1.

    Of the episodes that `measured_burstiness` is about.
    """
    return share_histogram(_measured(counts.shares))


def share_histogram(shares: pd.DataFrame) -> list[int]:
    """Episodes (rows of `Tally.shares` with contexts) by `num_shared` / `context_size`, in tenths.

    A share of 1 is in the last tenth.
    """
    found = shares["num_shared"] / shares["context_size"]
    # Edges as they are written, so that 0.3 begins a tenth.
    edges = np.linspace(0, 1, 11)
    return [int(n) for n in np.histogram(found, bins=edges, weights=shares["count"])[0]]


def query_counts(counts: Tally) -> Ints:
    """How often the queries show each action, most frequent first."""
    actions, times = (counts.actions[name].to_numpy("int64") for name in ("action", "count"))
    return action_counts(actions, times)


def rank_counts(counts: Tally) -> list[int]:
    """Queries by the rank of their action: ranks 1, 2 to 3, 4 to 7, and so on.

    Equally high for a Zipf exponent of 1; they double from one to the next for 0.
    """
    ranked = query_counts(counts)
    edges = 2 ** np.arange(ranked.size.bit_length()) - 1
    return [int(n) for n in np.add.reduceat(ranked, edges)] if ranked.size else []


def query_zipf_exponent(counts: Tally) -> float | None:
    """Zipf exponent of the queries' actions, None where fewer than two actions occur."""
    return _zipf_exponent(query_counts(counts))


def _zipf_exponent(ranked: Ints) -> float | None:
    return zipf_exponent(ranked) if ranked.size > 1 else None


def measured_synonymy(words: pd.DataFrame) -> float | None:
    """H(word | class) in bits of the uses (a table of `Tally.words`); None where there are none."""
    return synonymy(*_uses(words)) if len(words) else None


def measured_homonymy(words: pd.DataFrame) -> float | None:
    """H(class | word) in bits, as in `measured_synonymy`."""
    return homonymy(*_uses(words)) if len(words) else None


def _uses(words: pd.DataFrame) -> tuple[Ints, Ints, Ints]:
    classes, counts = (words[name].to_numpy("int64") for name in ("class", "count"))
    return classes, pd.factorize(words["word"])[0].astype(np.int64), counts


def _within_episode(groups: pd.DataFrame, given: str) -> float | None:
    """H(word | class) or H(class | word) in bits: the mean over episodes, weighted by their items.

    Args:
        groups: a table of `Tally.groups`.
        given: what is known, "class" or "word".
    """
    if groups.empty:
        return None
    pair, known = (
        entropy_of_sizes(chosen["size"].to_numpy("int64"), chosen["count"].to_numpy("int64"))
        for chosen in (groups[groups["of"] == of] for of in ("pair", given))
    )
    return max(pair - known, 0.0)


def corpus_properties(facts: ClipFacts) -> dict[str, float | int | None]:
    """Skew and dynamic meaning of the decoded training clips."""
    corpus = facts.corpus
    items = pd.DataFrame(
        {
            "verb_class": facts.verbs[corpus],
            "verb_word": facts.verb_words[corpus],
            "noun_class": facts.nouns[corpus],
            "noun_word": facts.noun_words[corpus],
        }
    )
    ranked = action_counts(action_numbers(facts.verbs[corpus], facts.nouns[corpus]))
    properties: dict[str, float | int | None] = {"num_clips": corpus.size, **_skew(ranked)}
    for part, words in tally_words(items).items():
        properties |= _words(part, words)
    return properties


def episode_properties(
    episodes: pd.DataFrame, items: pd.DataFrame
) -> dict[str, float | int | None]:
    """All three properties of a table of episodes (`episode_columns`, `item_columns`)."""
    return tallied_properties(tally(episodes, items))


def tallied_properties(counts: Tally) -> dict[str, float | int | None]:
    """All three properties of the episodes that were counted."""
    properties: dict[str, float | int | None] = {
        "num_episodes": counts.num_episodes,
        **_levels("", measured_burstiness(counts)),
        **_levels("random_", expected_burstiness(counts)),
        **_skew(query_counts(counts)),
    }
    for part in PARTS:
        properties |= _words(part, counts.words[part])
    for part in PARTS:
        for name, given in (("synonymy", "class"), ("homonymy", "word")):
            found = _within_episode(counts.groups[part], given)
            properties[f"{part}_{name}_within_episode"] = found
    return properties


def _levels(prefix: str, level: Burstiness | None) -> dict[str, float | None]:
    return {
        f"{prefix}burstiness": level.either if level else None,
        f"{prefix}verb_share": level.verb if level else None,
        f"{prefix}noun_share": level.noun if level else None,
    }


def _skew(ranked: Ints) -> dict[str, float | int | None]:
    return {
        "num_actions": int(ranked.size),
        "zipf_exponent": _zipf_exponent(ranked),
        f"top_{_TOP}_share": top_share(ranked, _TOP) if ranked.size else None,
        "normalised_entropy": normalised_entropy(ranked) if ranked.size else None,
    }


def _words(part: Part, words: pd.DataFrame) -> dict[str, float | None]:
    return {
        f"{part}_synonymy": measured_synonymy(words),
        f"{part}_homonymy": measured_homonymy(words),
    }
