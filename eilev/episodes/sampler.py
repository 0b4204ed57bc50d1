"""Who is in whose context: O(shots) work per episode after one pass that sorts the clips.

Clips are sorted by (verb, noun) and by (noun, verb). Every bucket of the reference's sampler is
then one range of an array, and "shares the verb but not the action" is that range without a part
of it: a draw is arithmetic on ranks, whatever the size of the table. Everything is exact, nothing
is rejected, so an episode takes a fixed number of random numbers and depends on its own row only
(`eilev.episodes.draws.row_uniforms`), not on how rows are divided among chunks or processes.

Class codes are integers; a negative code has no bucket (Ego4D's `[other]`, a missing noun).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eilev.episodes.classes import Floats, Ints, pair_keys
from eilev.episodes.draws import draw_distinct, shuffle

# Groups of slots of a context, in this order.
_VERB, _NOUN, _REST = range(3)


class SamplingError(ValueError):
    """There are too few clips to draw the requested contexts from."""


@dataclass(frozen=True)
class ContextIndex:
    """The clips that contexts are drawn from; "row" below is a clip's position in `verbs`."""

    verbs: Ints  # (num_clips,)
    nouns: Ints  # (num_clips,)
    # Rows sorted by (verb, noun), their sort keys, and each row's place in that order.
    by_verb: Ints
    verb_keys: Ints
    place_by_verb: Ints
    # Rows sorted by (noun, verb), and their sort keys.
    by_noun: Ints
    noun_keys: Ints


@dataclass(frozen=True)
class Queries:
    """The clips to be narrated."""

    verbs: Ints  # (num_episodes,)
    nouns: Ints  # (num_episodes,)
    # Row of the query in the index, -1 where the index does not hold it.
    rows: Ints


class Range(NamedTuple):
    """Consecutive places of a sorted order, one range per episode."""

    start: Ints
    size: Ints


def index_clips(verbs: Ints, nouns: Ints) -> ContextIndex:
    """Sort the clips for `draw_bursty` and `draw_random`."""
    verb_keys, noun_keys = pair_keys(verbs, nouns), pair_keys(nouns, verbs)
    by_verb = np.argsort(verb_keys, kind="stable")
    by_noun = np.argsort(noun_keys, kind="stable")
    place_by_verb = np.empty_like(by_verb)
    place_by_verb[by_verb] = np.arange(by_verb.size)
    return ContextIndex(
        verbs, nouns, by_verb, verb_keys[by_verb], place_by_verb, by_noun, noun_keys[by_noun]
    )


def draw_bursty(
    index: ContextIndex,
    queries: Queries,
    shots: int,
    verb_noun_ratio: float,
    uniforms: Floats,
) -> Ints:
    """Draw contexts by the reference's rules (docs/design.md, section 5, "Context of a query").

    `floor(shots * verb_noun_ratio)` clips share the query's verb class, the others its noun class,
    none both. A short bucket is filled from the other one, then from anything else; never the
    query's action (so never the query), no repeats. The order is shuffled.

    Args:
        index: the clips to draw from.
        queries: (num_episodes,)
        shots: clips per context.
        verb_noun_ratio: share of the context that shares the verb class.
        uniforms: in [0, 1), (num_episodes, 2 * shots).

    Returns:
        Rows of the index (num_episodes, shots).

    Raises:
        SamplingError: fewer than `shots` clips have another action than a query's.

    Examples:
        Query cut onion, four shots; the index holds cut onion, cut bread, cut plate, wash onion,
        peel onion and wash plate. Two clips share the verb, two the noun, so the context is all
        four of them; the query's own action and wash plate stay out.

        >>> cut, wash, peel, onion, bread, plate = 0, 1, 2, 0, 1, 2
        >>> index = index_clips(
        ...     np.array([cut, cut, cut, wash, peel, wash]),
        ...     np.array([onion, bread, plate, onion, onion, plate]),
        ... )
        >>> query = Queries(np.array([cut]), np.array([onion]), np.array([0]))
        >>> context = draw_bursty(index, query, 4, 0.5, np.random.default_rng(0).random((1, 8)))
        >>> sorted(context[0].tolist())
        [1, 2, 3, 4]
    """
    return _draw(index, _buckets(index, queries), shots, verb_noun_ratio, uniforms)


def draw_random(index: ContextIndex, queries: Queries, shots: int, uniforms: Floats) -> Ints:
    """Draw contexts from all clips of other actions than the query's, each equally likely.

    Arguments, result and errors are those of `draw_bursty`. (The reference's random contexts may
    hold the query's action; ours must not, so that the kinds differ in burstiness alone.)
    """
    none = np.zeros_like(queries.rows)
    buckets = _buckets(index, queries)
    buckets = buckets._replace(num_verb=none, num_noun=none, outside=buckets.action)
    return _draw(index, buckets, shots, 0.0, uniforms)


def num_others(index: ContextIndex, queries: Queries) -> Ints:
    """How many clips of the index have another action than each query (num_episodes,).

    As many shots can `draw_bursty` and `draw_random` give it.
    """
    own = _key_range(index.verb_keys, pair_keys(queries.verbs, queries.nouns))
    others: Ints = index.verbs.size - own.size
    return others


class _Buckets(NamedTuple):
    """What a query's context may be drawn from; ranges of `by_verb` unless said otherwise."""

    verb: Range
    action: Range
    # Ranges of `by_noun`.
    noun: Range
    action_by_noun: Range
    # Clips that share the verb (the noun) but not the action; 0 for a class without a bucket.
    num_verb: Ints
    num_noun: Ints
    # What the fill from "anything else" leaves out beside the noun bucket.
    outside: Range


def _buckets(index: ContextIndex, queries: Queries) -> _Buckets:
    verb = _class_range(index.verb_keys, queries.verbs)
    noun = _class_range(index.noun_keys, queries.nouns)
    action = _key_range(index.verb_keys, pair_keys(queries.verbs, queries.nouns))
    action_by_noun = _key_range(index.noun_keys, pair_keys(queries.nouns, queries.verbs))
    has_verb, has_noun = queries.verbs >= 0, queries.nouns >= 0
    outside = Range(
        np.where(has_verb, verb.start, action.start), np.where(has_verb, verb.size, action.size)
    )
    return _Buckets(
        verb=verb,
        action=action,
        noun=noun,
        action_by_noun=action_by_noun,
        num_verb=np.where(has_verb, verb.size - action.size, 0),
        num_noun=np.where(has_noun, noun.size - action_by_noun.size, 0),
        outside=outside,
    )


def _class_range(keys: Ints, classes: Ints) -> Range:
    # Codes are above -2^31, so every pair of the class lies between these two keys.
    least = pair_keys(classes, np.full_like(classes, -(2**31)))
    start = np.searchsorted(keys, least)
    return Range(start, np.searchsorted(keys, least + 2**32) - start)


def _key_range(keys: Ints, wanted: Ints) -> Range:
    start = np.searchsorted(keys, wanted)
    return Range(start, np.searchsorted(keys, wanted, side="right") - start)


def _draw(
    index: ContextIndex,
    buckets: _Buckets,
    shots: int,
    verb_noun_ratio: float,
    uniforms: Floats,
) -> Ints:
    num_verb, num_noun = buckets.num_verb, buckets.num_noun
    num_rest = index.verbs.size - buckets.outside.size - num_noun
    from_noun = np.minimum(num_noun, shots - np.minimum(int(shots * verb_noun_ratio), num_verb))
    from_verb = np.minimum(num_verb, shots - from_noun)
    from_rest = shots - from_verb - from_noun
    if (from_rest > num_rest).any():
        most = int((num_verb + num_noun + num_rest).min())
        raise SamplingError(
            f"{shots} shots are asked for, but a query finds only {most} clips of other actions"
            f" among {index.verbs.size}; lower 'shots' or give more clips"
        )
    # Ranks 0..num_verb-1 are the verb bucket, the next num_noun the noun bucket, then the rest.
    group, ranks = _draw_ranks(
        (from_verb, from_noun, from_rest), (num_verb, num_noun, num_rest), uniforms[:, :shots]
    )
    rows = _rows_of_buckets(index, buckets, group, ranks)
    filled = np.flatnonzero(from_rest)
    if filled.size:
        rest = _rows_of_rest(index, buckets, ranks, filled)
        rows[filled] = np.where(group[filled] == _REST, rest, rows[filled])
    return shuffle(rows, uniforms[:, shots : 2 * shots])


def _draw_ranks(
    takes: tuple[Ints, Ints, Ints], sizes: tuple[Ints, Ints, Ints], uniforms: Floats
) -> tuple[Ints, Ints]:
    """Draw takes[g] of the sizes[g] ranks of each group g; the groups' ranks follow one another.

    Returns:
        The group of each slot and its rank, both (num_episodes, shots).
    """
    slot = np.arange(uniforms.shape[1])
    first = (np.zeros_like(takes[0]), takes[0], takes[0] + takes[1])
    low = (np.zeros_like(sizes[0]), sizes[0], sizes[0] + sizes[1])
    group = (slot >= first[1][:, None]).astype(np.int64) + (slot >= first[2][:, None])
    # The i-th of k slots reaches up to low + size - k + i.
    reach = [low[g] + sizes[g] - takes[g] - first[g] for g in range(3)]
    lows = np.choose(group, [low[g][:, None] for g in range(3)])
    highs = np.choose(group, [reach[g][:, None] for g in range(3)]) + slot
    return group, draw_distinct(lows, highs, uniforms)


def _skip(places: Ints, gap: Range) -> Ints:
    """Places counted without the gap -> places of the order; (num_episodes, any)."""
    beyond: Ints = places + np.where(places >= gap.start[:, None], gap.size[:, None], 0)
    return beyond


def _rows_of_buckets(index: ContextIndex, buckets: _Buckets, group: Ints, ranks: Ints) -> Ints:
    """Rows of the slots drawn from the two buckets; slots of the rest get any row."""
    last = index.verbs.size - 1
    verb_places = _skip(buckets.verb.start[:, None] + ranks, buckets.action)
    noun_ranks = ranks - buckets.num_verb[:, None]
    noun_places = _skip(buckets.noun.start[:, None] + noun_ranks, buckets.action_by_noun)
    rows: Ints = np.where(
        group == _VERB,
        index.by_verb[verb_places.clip(0, last)],
        index.by_noun[noun_places.clip(0, last)],
    )
    return rows


def _rows_of_rest(index: ContextIndex, buckets: _Buckets, ranks: Ints, episodes: Ints) -> Ints:
    """Rows of the slots drawn from "anything else", for the episodes that need some.

    Both buckets of these episodes are used up, so the noun bucket has fewer than `shots` clips:
    few enough to step over them one by one.
    """
    num_noun = buckets.num_noun[episodes]
    outside = Range(buckets.outside.start[episodes], buckets.outside.size[episodes])
    places = ranks[episodes] - (buckets.num_verb[episodes] + num_noun)[:, None]
    slot = np.arange(num_noun.max())
    noun_places = _skip(
        buckets.noun.start[episodes, None] + slot,
        Range(buckets.action_by_noun.start[episodes], buckets.action_by_noun.size[episodes]),
    )
    used = index.place_by_verb[index.by_noun[noun_places.clip(max=index.verbs.size - 1)]]
    # Places are counted without the range left out; unused slots lie beyond the last place.
    used -= np.where(used >= outside.start[:, None], outside.size[:, None], 0)
    used = np.sort(np.where(slot < num_noun[:, None], used, index.verbs.size), axis=1)
    for column in used.T:
        places += places >= column[:, None]
    rest: Ints = index.by_verb[_skip(places, outside).clip(0, index.verbs.size - 1)]
    return rest
