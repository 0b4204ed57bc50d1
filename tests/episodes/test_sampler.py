import doctest

import numpy as np
import pytest

from eilev.episodes import sampler
from eilev.episodes.classes import shares_class
from eilev.episodes.draws import row_uniforms


def _corpus(num_clips: int, num_verbs: int, num_nouns: int) -> sampler.ContextIndex:
    """Zipf-distributed actions, some without a verb (-2) or noun (-1) bucket."""
    rng = np.random.default_rng(num_clips)
    weights = 1 / np.arange(1, num_verbs * num_nouns + 1)
    actions = rng.choice(weights.size, num_clips, p=weights / weights.sum())
    verbs, nouns = actions % num_verbs, actions // num_verbs
    verbs[rng.random(num_clips) < 0.05] = -2
    nouns[rng.random(num_clips) < 0.05] = -1
    return sampler.index_clips(verbs, nouns)


def _queries(index: sampler.ContextIndex) -> sampler.Queries:
    return sampler.Queries(index.verbs, index.nouns, np.arange(index.verbs.size))


def _reference_shares(
    index: sampler.ContextIndex, query: int, shots: int, verb_noun_ratio: float
) -> tuple[int, int]:
    """How many context clips share the verb and the noun: the published sampler's loop."""
    verbs, nouns = index.verbs, index.nouns
    same_verb, same_noun = verbs == verbs[query], nouns == nouns[query]
    verb_bucket = int((same_verb & ~same_noun).sum()) if verbs[query] >= 0 else 0
    noun_bucket = int((same_noun & ~same_verb).sum()) if nouns[query] >= 0 else 0
    taken = [0, 0]
    missing = shots
    while missing and (verb_bucket or noun_bucket):
        wanted_verb = int(missing * verb_noun_ratio)
        if not verb_bucket or not noun_bucket:
            wanted_verb = missing if verb_bucket else 0
        from_verb = min(wanted_verb, verb_bucket)
        from_noun = min(missing - wanted_verb, noun_bucket)
        verb_bucket, noun_bucket = verb_bucket - from_verb, noun_bucket - from_noun
        taken = [taken[0] + from_verb, taken[1] + from_noun]
        missing = shots - sum(taken)
    return taken[0], taken[1]


def test_worked_example() -> None:
    assert doctest.testmod(sampler).failed == 0


@pytest.mark.parametrize(("num_clips", "verbs", "nouns"), [(60, 5, 6), (400, 6, 20)])
@pytest.mark.parametrize(("shots", "ratio"), [(1, 0.5), (5, 0.5), (16, 0.5), (8, 0.0), (8, 0.75)])
def test_bursty_contexts_follow_the_reference(
    num_clips: int, verbs: int, nouns: int, shots: int, ratio: float
) -> None:
    index = _corpus(num_clips, verbs, nouns)
    uniforms = row_uniforms((0,), 0, num_clips, 2 * shots)
    contexts = sampler.draw_bursty(index, _queries(index), shots, ratio, uniforms)
    for query, context in enumerate(contexts):
        assert len(set(context)) == shots
        same_verb = index.verbs[context] == index.verbs[query]
        same_noun = index.nouns[context] == index.nouns[query]
        assert not (same_verb & same_noun).any()
        shared = (
            shares_class(index.verbs[query], index.verbs[context]).sum(),
            shares_class(index.nouns[query], index.nouns[context]).sum(),
        )
        assert shared == _reference_shares(index, query, shots, ratio)


def test_short_buckets_are_filled_from_the_other_then_from_anything() -> None:
    # cut onion (query) | cut bread | wash onion x2 | peel plate x3
    index = sampler.index_clips(np.array([0, 0, 1, 1, 2, 2, 2]), np.array([0, 1, 0, 0, 2, 2, 2]))
    query = sampler.Queries(np.array([0]), np.array([0]), np.array([0]))
    for seed in range(20):
        uniforms = row_uniforms((seed,), 0, 1, 12)
        four = sampler.draw_bursty(index, query, 3, 0.9, uniforms)
        assert sorted(four[0]) == [1, 2, 3]
        five = sampler.draw_bursty(index, query, 5, 0.5, uniforms)
        assert {1, 2, 3} < set(five[0]) <= {1, 2, 3, 4, 5, 6}


def test_catch_all_verb_and_missing_noun_have_no_bucket() -> None:
    # "[other]" onion (query) | "[other]" bread x3 | wash onion x2
    index = sampler.index_clips(np.array([-2, -2, -2, -2, 1, 1]), np.array([0, 1, 1, 1, 0, 0]))
    query = sampler.Queries(np.array([-2]), np.array([0]), np.array([0]))
    context = sampler.draw_bursty(index, query, 2, 0.5, row_uniforms((0,), 0, 1, 4))
    assert sorted(context[0]) == [4, 5]


def test_what_fills_up_is_drawn_evenly() -> None:
    index = sampler.index_clips(
        np.array([0, 0, 1, 1, 2, 3, 3, 4, 5]), np.array([0, 1, 0, 0, 5, 6, 7, 8, 9])
    )
    many = np.zeros(20_000, np.int64)
    queries = sampler.Queries(many, many, many)
    uniforms = row_uniforms((1,), 0, many.size, 10)
    contexts = sampler.draw_bursty(index, queries, 5, 0.5, uniforms)
    shares = np.bincount(contexts.ravel(), minlength=9) / many.size
    np.testing.assert_allclose(shares, [0, 1, 1, 1, *[2 / 5] * 5], atol=0.015)


def test_random_contexts_are_even_over_other_actions() -> None:
    index = sampler.index_clips(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 0, 1, 2]))
    many = np.zeros(20_000, np.int64)
    queries = sampler.Queries(many, many, many)
    contexts = sampler.draw_random(index, queries, 2, row_uniforms((1,), 0, many.size, 4))
    shares = np.bincount(contexts.ravel(), minlength=6) / many.size
    np.testing.assert_allclose(shares, [0, 0, 0.5, 0.5, 0.5, 0.5], atol=0.015)


def test_positions_do_not_tell_the_bucket() -> None:
    index = _corpus(400, 6, 20)
    queries = _queries(index)
    contexts = sampler.draw_bursty(index, queries, 8, 0.5, row_uniforms((0,), 0, 400, 16))
    same_verb = shares_class(index.verbs[:, None], index.verbs[contexts])
    np.testing.assert_allclose(same_verb.mean(axis=0), same_verb.mean(), atol=0.08)


def test_queries_may_come_from_elsewhere() -> None:
    index = _corpus(60, 5, 6)
    queries = sampler.Queries(np.array([99, 0]), np.array([0, 99]), np.array([-1, -1]))
    contexts = sampler.draw_bursty(index, queries, 8, 0.5, row_uniforms((0,), 0, 2, 16))
    assert contexts.shape == (2, 8)


def test_too_few_clips_of_other_actions() -> None:
    index = sampler.index_clips(np.array([0, 0, 1]), np.array([0, 0, 1]))
    with pytest.raises(sampler.SamplingError, match=r"2 shots .* only 1 clips .* among 3"):
        sampler.draw_random(index, _queries(index), 2, row_uniforms((0,), 0, 3, 4))
