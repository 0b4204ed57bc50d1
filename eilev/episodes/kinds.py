"""How the context of each kind (eilev.vocabulary.KINDS) is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from eilev.episodes import contrastive, sampler
from eilev.episodes.classes import Bools, Floats, Ints
from eilev.episodes.sampler import ContextIndex, Queries


@dataclass(frozen=True)
class ContextShape:
    """What a context is asked to be like, whatever its kind."""

    shots: int
    # Actions in a context of several; 1 otherwise.
    ways: int
    # Share of a bursty context that shares the query's verb.
    verb_noun_ratio: float


@dataclass(frozen=True)
class Sampler:
    """An algorithm: random numbers in [0, 1) to contexts."""

    # Clips to draw from, queries (num_episodes,), shape, numbers (num_episodes, num_draws) ->
    # rows of the index (num_possible, shots), and for which queries there is a context.
    draw: Callable[[ContextIndex, Queries, ContextShape, Floats], tuple[Ints, Bools]]
    # Shots and ways -> random numbers that one context takes.
    num_draws: Callable[[int, int], int]


def _always(rows: Ints) -> tuple[Ints, Bools]:
    return rows, np.ones(len(rows), np.bool_)


def _bursty(
    index: ContextIndex, queries: Queries, shape: ContextShape, uniforms: Floats
) -> tuple[Ints, Bools]:
    ratio = shape.verb_noun_ratio
    return _always(sampler.draw_bursty(index, queries, shape.shots, ratio, uniforms))


def _random(
    index: ContextIndex, queries: Queries, shape: ContextShape, uniforms: Floats
) -> tuple[Ints, Bools]:
    return _always(sampler.draw_random(index, queries, shape.shots, uniforms))


def _contrastive(
    index: ContextIndex, queries: Queries, shape: ContextShape, uniforms: Floats
) -> tuple[Ints, Bools]:
    return contrastive.draw_contrastive(index, queries, shape.shots, shape.ways, uniforms)


def _two_a_shot(shots: int, ways: int) -> int:  # noqa: ARG001  (as many for any number of ways)
    return 2 * shots


SAMPLERS: Mapping[str, Sampler] = {
    "bursty": Sampler(_bursty, _two_a_shot),
    "random": Sampler(_random, _two_a_shot),
    "contrastive": Sampler(_contrastive, contrastive.num_draws),
}
