"""The exact invariants of episodes (docs/design.md, section 6): columns count what breaks them."""

import numpy as np
import pandas as pd

from eilev.distributions.items import Items
from eilev.distributions.measures import count_per_episode
from eilev.episodes.classes import Bools, Ints, pair_keys
from eilev.episodes.facts import ClipFacts, facts_of
from eilev.schema import Split
from eilev.vocabulary import KINDS, MEANINGS


def violations(
    episodes: pd.DataFrame, items: Items, facts: ClipFacts, split: Split
) -> pd.DataFrame:
    """Count per episode what must not occur; every column is 0 in sound episodes.

    Args:
        episodes: rows of schema.EPISODES, of `split`; their contexts are those of the items.
        items: the same episodes laid out.
        facts: what is known of the clips.
        split: whose episodes they are.

    Returns:
        One row per episode, in the order of `episodes`.
    """
    own_split, in_ways = (
        episodes["kind"]
        .map(lambda name, trait=trait: getattr(KINDS.get(name), trait, False))
        .to_numpy(dtype=np.bool_)
        for trait in ("from_own_split", "in_ways")
    )
    columns = {
        **_identity(episodes, items),
        **_origin(items, facts, split, own_split),
        **_actions(items, in_ways),
        **_narrations(episodes, items, facts),
    }
    return pd.DataFrame(columns)


def _identity(episodes: pd.DataFrame, items: Items) -> dict[str, Ints]:
    episode = items.episode[~items.is_query]
    queries, shown = items.number[items.is_query], items.number[~items.is_query]
    leaked = shown == queries[episode]
    size = np.bincount(episode, minlength=queries.size)
    distinct = _num_distinct(episode, shown, queries.size)
    return {
        "queries_in_context": np.bincount(episode[leaked], minlength=queries.size),
        "repeated_items": size - distinct,
        "missing_or_extra_items": np.abs(episodes["shots"].to_numpy("int64") - size),
    }


def _origin(items: Items, facts: ClipFacts, split: Split, own_split: Bools) -> dict[str, Ints]:
    decoded = facts_of(facts.decoded, items.trait, False)
    splits = facts_of(facts.splits, items.trait, "")
    home = np.where(own_split, split, "train")[items.episode]
    expected = np.where(items.is_query, split, home)
    elsewhere = splits != expected
    return {
        "clips_without_frames": count_per_episode(items, ~decoded),
        "items_from_other_splits": count_per_episode(items, elsewhere & ~items.is_query),
        "queries_from_other_splits": count_per_episode(items, elsewhere & items.is_query),
        "trained_actions": facts_of(facts.trained, items.trait[items.is_query], False).astype(int),
    }


def _actions(items: Items, in_ways: Bools) -> dict[str, Ints]:
    num = in_ways.size
    context = ~items.is_query
    episode = items.episode[context]
    verbs, nouns = items.verbs[context], items.nouns[context]
    actions = pair_keys(verbs, nouns)
    own = pair_keys(items.verbs, items.nouns)[items.is_query]
    same = np.bincount(episode[actions == own[episode]], minlength=num)
    size = np.bincount(episode, minlength=num)
    least, most, ways = _group_sizes(episode, actions, num)
    shared = 2 * ways - _num_distinct(episode, verbs, num) - _num_distinct(episode, nouns, num)
    return {
        "items_of_the_query_action": np.where(in_ways, 0, same),
        "uneven_actions": np.where(in_ways, most - least, 0),
        # same == shots / ways, without a division.
        "wrong_share_of_the_query_action": np.where(in_ways, np.abs(same * ways - size), 0),
        "classes_shared_by_actions": np.where(in_ways, shared, 0),
    }


def _narrations(episodes: pd.DataFrame, items: Items, facts: ClipFacts) -> dict[str, Ints]:
    meanings = [MEANINGS.get(name, MEANINGS["natural"]) for name in episodes["meaning"]]
    rewritten, reassigned, is_renamed = (
        np.array(traits, dtype=np.bool_)
        for traits in (
            [meaning.rewritten for meaning in meanings],
            [meaning.reassigned for meaning in meanings],
            [meaning.one_word_per == "word" for meaning in meanings],
        )
    )
    brought = np.array([0 if own is None else len(own) for own in episodes["narrations"]])
    wanted = np.where(rewritten, np.bincount(items.episode, minlength=len(episodes)), 0)
    synonyms, homonyms = _exchanged_words(items, facts, is_renamed)
    return {
        "missing_or_extra_narrations": np.abs(brought - wanted),
        "foreign_narrations": count_per_episode(items, items.is_foreign),
        "words_beside_the_class_word": np.where(rewritten, synonyms, 0),
        "words_of_several_classes": np.where(reassigned, homonyms, 0),
    }


def _exchanged_words(items: Items, facts: ClipFacts, is_renamed: Bools) -> tuple[Ints, Ints]:
    """How many words too many stand for one thing, and how many things too many for one word.

    The things are classes; in renamed episodes they are the narrators' words. The query of a
    renamed episode takes a word of its context, so it is left out.
    """
    synonyms = np.zeros(is_renamed.size, np.int64)
    homonyms = np.zeros(is_renamed.size, np.int64)
    renamed = is_renamed[items.episode]
    parts = (
        (items.verbs, items.verb_words, facts.word_codes[0]),
        (items.nouns, items.noun_words, facts.word_codes[1]),
    )
    for classes, words, own in parts:
        things = np.where(renamed, facts_of(own, items.trait, -1), classes)
        named = (classes >= 0) & (words != "") & ~(renamed & items.is_query)
        episode = items.episode[named]
        codes = pd.factorize(words[named])[0].astype(np.int64)
        pairs = pd.factorize(pair_keys(things[named], codes))[0].astype(np.int64)
        num_pairs = _num_distinct(episode, pairs, is_renamed.size)
        synonyms += num_pairs - _num_distinct(episode, things[named], is_renamed.size)
        homonyms += num_pairs - _num_distinct(episode, codes, is_renamed.size)
    return synonyms, homonyms


def _groups(episode: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Episode and size of each group of equal values within an episode."""
    codes, names = pd.factorize(values)
    width = max(len(names), 1)
    keys, sizes = np.unique(episode * width + codes, return_counts=True)
    return keys // width, sizes


def _num_distinct(episode: Ints, values: Ints, num_episodes: int) -> Ints:
    """How many different values each episode has (num_episodes,)."""
    return np.bincount(_groups(episode, values)[0], minlength=num_episodes)


def _group_sizes(episode: Ints, values: Ints, num_episodes: int) -> tuple[Ints, Ints, Ints]:
    """Size of the smallest and the largest group of equal values, and the number of groups."""
    groups, sizes = _groups(episode, values)
    least = np.full(num_episodes, np.iinfo(np.int64).max)
    most = np.zeros(num_episodes, np.int64)
    np.minimum.at(least, groups, sizes)
    np.maximum.at(most, groups, sizes)
    least = np.minimum(least, most)  # 0 where the context is empty
    return least, most, np.bincount(groups, minlength=num_episodes)
