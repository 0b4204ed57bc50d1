"""Contrastive contexts: several actions equally often, one of them the query's.

Copying what is frequent in the context scores 1 / ways, so such an episode can only be answered by
telling which video goes with which narration (design section 7, after Chan et al.'s few-shot
sequences, arXiv 2205.05055).
"""

from typing import NamedTuple

import numpy as np

from eilev.data.distributions import Bools, Floats, Ints, pair_keys
from eilev.data.draws import draw_distinct, shuffle
from eilev.data.sampler import ContextIndex, Queries

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

        >>> from eilev.data.sampler import index_clips
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
        index, _take(own, possible), _take(enough, others[possible]), each, uniforms[possible, num_tries:]
    )
    return rows, possible
