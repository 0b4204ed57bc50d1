import doctest

import numpy as np
import pytest

from eilev.episodes import contrastive
from eilev.episodes.draws import row_uniforms
from eilev.episodes.sampler import ContextIndex, Queries, index_clips


def _draw(
    index: ContextIndex, queries: Queries, shots: int, ways: int
) -> tuple[np.ndarray, np.ndarray]:
    num_draws = contrastive.num_draws(shots, ways)
    uniforms = row_uniforms((0,), 0, queries.rows.size, num_draws)
    return contrastive.draw_contrastive(index, queries, shots, ways, uniforms)


def _corpus() -> ContextIndex:
    rng = np.random.default_rng(0)
    return index_clips(rng.integers(-1, 6, 600), rng.integers(-1, 8, 600))


def test_worked_example() -> None:
    assert doctest.testmod(contrastive).failed == 0


@pytest.mark.parametrize(("shots", "ways"), [(8, 4), (4, 4), (6, 2), (3, 1)])
def test_structure(shots: int, ways: int) -> None:
    index = _corpus()
    queries = Queries(index.verbs, index.nouns, np.arange(600))
    contexts, possible = _draw(index, queries, shots, ways)
    assert len(contexts) == possible.sum() > 400
    for query, context in zip(np.flatnonzero(possible), contexts, strict=True):
        assert query not in context
        assert len(set(context)) == shots
        actions = list(zip(index.verbs[context], index.nouns[context], strict=True))
        assert {actions.count(action) for action in actions} == {shots // ways}
        assert (index.verbs[query], index.nouns[query]) in actions
        assert len(set(actions)) == len(set(index.verbs[context])) == ways
        assert len(set(index.nouns[context])) == ways


def test_unnamed_and_rare_actions_are_impossible() -> None:
    index = index_clips(np.array([0, 0, 1, 1, -2, -2, 3]), np.array([0, 0, 1, 1, 2, 2, 3]))
    queries = Queries(index.verbs, index.nouns, np.arange(7))
    _, possible = _draw(index, queries, 2, 2)
    # The last action has one clip, the query; "[other]" is no action.
    assert possible.tolist() == [True, True, True, True, False, False, False]


def test_impossible_without_actions_that_share_no_class() -> None:
    index = index_clips(np.array([0, 0, 0, 0]), np.array([0, 0, 1, 1]))
    queries = Queries(index.verbs, index.nouns, np.arange(4))
    contexts, possible = _draw(index, queries, 2, 2)
    assert not possible.any()
    assert contexts.shape == (0, 2)


def test_other_actions_are_drawn_evenly_whatever_their_frequency() -> None:
    index = index_clips(
        np.array([0] * 5 + [1] * 90 + [2] * 5), np.array([0] * 5 + [1] * 90 + [2] * 5)
    )
    many = np.zeros(4000, np.int64)
    contexts, _ = _draw(index, Queries(many, many, many), 4, 2)
    others = index.verbs[contexts][index.verbs[contexts] > 0]
    assert (others == 1).mean() == pytest.approx(0.5, abs=0.04)


def test_shots_must_divide() -> None:
    index = _corpus()
    one = np.array([0])
    with pytest.raises(ValueError, match=r"5 shots .* 2 ways"):
        _draw(index, Queries(one, one, one), 5, 2)
