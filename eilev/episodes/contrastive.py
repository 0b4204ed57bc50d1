"""Contrastive contexts: several actions equally often, one of them the query's.

Copying what is frequent in the context scores 1 / ways, so such an episode can only be answered by
telling which video goes with which narration (docs/design.md, section 7; after Chan et al.'s
few-shot sequences, arXiv 2205.05055).
"""

from typing import NamedTuple

import numpy as np

from eilev.episodes.classes import Bools, Floats, Ints, pair_keys
from eilev.episodes.draws import draw_distinct, shuffle
from eilev.episodes.sampler import ContextIndex, Queries

# Random actions tried per wanted one before a query is given up.
_TRIES = 16


def num_draws(shots: int, ways: int) -> int:
    """How many random numbers `draw_contrastive` takes per episode."""
    return _TRIES * (ways - 1) + 2 * shots


def draw_contrastive(
    index: ContextIndex, queries: Queries, shots: int, ways: int, uniforms: Floats
) -> tuple[Ints, Bools]:
    """Draw contexts of `ways` actions, `shots / ways` clips each, one action being the query's.

    The actions differ pairwise in verb and in noun and all have both; each is drawn uniformly from
    the actions with enough clips. The query itself stays out. The order is shuffled.

    Args:
        index: the clips to draw from.
        queries: (num_episodes,)
        shots: clips per context, a multiple of `ways`.
        ways: actions per context.
        uniforms: in [0, 1), (num_episodes, num_draws(shots, ways)).

    Returns:
        Rows of the index (num_possible, shots), and for which queries a context was possible
        (num_episodes,): the query's action needs a verb, a noun and enough other clips, and
        among 16 random actions per way enough must fit together.

    Raises:
        ValueError: `shots` is not a multiple of `ways`.

    Examples:
        Two ways, four shots, query cut onion (row 0): both other clips of cut onion, and two of
        wash plate. Cut plate shares a class with the query and peel bread has one clip only.

        >>> from eilev.episodes.sampler import index_clips
        >>> cut, wash, peel, onion, plate, bread = 0, 1, 2, 0, 1, 2
        >>> index = index_clips(
        ...     np.array([cut, cut, cut, cut, cut, wash, wash, peel]),
        ...     np.array([onion, onion, onion, plate, plate, plate, plate, bread]),
        ... )
        >>> query = Queries(np.array([cut]), np.array([onion]), np.array([0]))
        >>> uniforms = np.random.default_rng(0).random((1, num_draws(4, 2)))
        >>> contexts, possible = draw_contrastive(index, query, 4, 2, uniforms)
        >>> sorted(contexts[0].tolist()), possible.tolist()
        ([1, 2, 5, 6], [True])
    """
    if shots % ways:
        raise ValueError(f"{shots} shots cannot be divided equally among {ways} ways")
    each = shots // ways
    actions = _named_actions(index)
    enough = _take(actions, np.flatnonzero(actions.size >= each))
    own = _own_actions(index, queries)
    num_tries = _TRIES * (ways - 1)
    others, complete = _pick_others(enough, queries, ways, uniforms[:, :num_tries])
    possible = complete & (queries.verbs >= 0) & (queries.nouns >= 0) & (own.size >= each)
    rows = _draw_clips(
        index,
        _take(own, possible),
        _take(enough, others[possible]),
        each,
        uniforms[possible, num_tries:],
    )
    return rows, possible


def lacks_clips(index: ContextIndex, queries: Queries, each: int) -> Bools:
    """Which queries have fewer than `each` other clips of their action (num_episodes,)."""
    lacking: Bools = _own_actions(index, queries).size < each
    return lacking


class _Actions(NamedTuple):
    """Actions as ranges of `ContextIndex.by_verb`."""

    verbs: Ints
    nouns: Ints
    start: Ints
    # Clips that may be drawn; one less where the query is among them.
    size: Ints
    # Place that must not be drawn (the query's), -1 where there is none.
    hole: Ints


def _take(actions: _Actions, where: Ints | Bools) -> _Actions:
    return _Actions(*(values[where] for values in actions))


def _named_actions(index: ContextIndex) -> _Actions:
    """The actions of the index that have both a verb and a noun class."""
    _, start, size = np.unique(index.verb_keys, return_index=True, return_counts=True)
    first = index.by_verb[start]
    verbs, nouns = index.verbs[first], index.nouns[first]
    named = (verbs >= 0) & (nouns >= 0)
    return _take(_Actions(verbs, nouns, start, size, np.full_like(start, -1)), named)


def _own_actions(index: ContextIndex, queries: Queries) -> _Actions:
    """The query's action, without the query, for each query."""
    keys = pair_keys(queries.verbs, queries.nouns)
    start = np.searchsorted(index.verb_keys, keys)
    end = np.searchsorted(index.verb_keys, keys, side="right")
    inside = queries.rows >= 0
    hole = np.where(inside, index.place_by_verb[queries.rows.clip(0)], -1)
    return _Actions(queries.verbs, queries.nouns, start, end - start - inside, hole)


def _pick_others(
    actions: _Actions, queries: Queries, ways: int, uniforms: Floats
) -> tuple[Ints, Bools]:
    """Pick `ways - 1` actions per query that share no class with it or with each other.

    Returns:
        Positions in `actions` (num_episodes, ways - 1), and which episodes have found them all.
    """
    num = queries.verbs.size
    picked = np.zeros((num, ways - 1), np.int64)
    found = np.zeros(num, np.int64)
    if not actions.start.size:
        return picked, found == ways - 1
    tries = (uniforms * actions.start.size).astype(np.int64)
    # -1 equals no verb or noun of a named action.
    verbs = np.full((num, ways), -1)
    nouns = np.full((num, ways), -1)
    verbs[:, 0], nouns[:, 0] = queries.verbs, queries.nouns
    for action in tries.T:
        verb, noun = actions.verbs[action], actions.nouns[action]
        clash = ((verbs == verb[:, None]) | (nouns == noun[:, None])).any(axis=1)
        new = np.flatnonzero(~clash & (found < ways - 1))
        picked[new, found[new]] = action[new]
        found[new] += 1
        verbs[new, found[new]], nouns[new, found[new]] = verb[new], noun[new]
    return picked, found == ways - 1


def _draw_clips(
    index: ContextIndex, own: _Actions, others: _Actions, each: int, uniforms: Floats
) -> Ints:
    """Draw `each` clips of every action and shuffle them.

    Args:
        index: the clips to draw from.
        own: (num_episodes,)
        others: (num_episodes, ways - 1)
        each: clips per action.
        uniforms: (num_episodes, 2 * shots)
    """
    start = np.column_stack([own.start, others.start]).repeat(each, axis=1)
    size = np.column_stack([own.size, others.size]).repeat(each, axis=1)
    shots = start.shape[1]
    reach = size - each + np.arange(shots) % each
    places = draw_distinct(start, start + reach, uniforms[:, :shots])
    hole = own.hole[:, None]
    places[:, :each] += (hole >= 0) & (places[:, :each] >= hole)
    return shuffle(index.by_verb[places], uniforms[:, shots : 2 * shots])
