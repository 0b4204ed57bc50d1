from collections import Counter

import numpy as np
import pytest

from eilev.config.conditions import CONTRASTIVE_SHUFFLED
from eilev.evaluation.trials import build_trials, derange
from tests.kitchen import make_kitchen

ALL = ("bursty", "random", "contrastive", "shuffled", "no_video")


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen()


@pytest.fixture(scope="module")
def trials(kitchen):
    return build(kitchen, ALL)


def build(kitchen, conditions, seed=0):
    rng = np.random.default_rng(seed)
    return build_trials(kitchen.episodes["test"], kitchen.narrations, conditions, rng)


def under(trials, condition):
    return [trial for trial in trials if trial.condition == condition]


@pytest.mark.parametrize(
    "labels", [list("aabbcc"), list("abcdef"), list("aaabbb"), list("aab"), list("aaaab"), [1, 2]]
)
def test_no_position_keeps_its_video(labels):
    for seed in range(20):
        sources = derange(labels, np.random.default_rng(seed))
        assert sorted(sources) == list(range(len(labels)))
        assert all(source != position for position, source in enumerate(sources))
        if 2 * max(Counter(labels).values()) <= len(labels):
            assert all(labels[s] != labels[p] for p, s in enumerate(sources))


def test_derangements_differ_by_the_draw():
    drawn = {tuple(derange(range(5), np.random.default_rng(seed))) for seed in range(20)}
    assert len(drawn) > 10


def test_the_kinds_show_the_episodes_as_they_are(kitchen, trials):
    rows = kitchen.episodes["test"]
    texts = kitchen.narrations.set_index("narration_id")["narration"]
    for kind in ("bursty", "random", "contrastive"):
        found = under(trials, kind)
        assert len(found) == (rows["kind"] == kind).sum()
        for trial in found:
            assert trial.videos == trial.clip_ids
            assert trial.texts == tuple(texts[list(trial.clip_ids)])
            assert not trial.blank


def test_shuffling_moves_the_context_videos_only(trials):
    plain = {(t.query, t.shots): t for t in under(trials, "bursty")}
    shuffled = under(trials, "shuffled")
    assert {trial.shots for trial in shuffled} == {0, 2}
    for trial in shuffled:
        original = plain[trial.query, trial.shots]
        assert (trial.clip_ids, trial.texts) == (original.clip_ids, original.texts)
        assert trial.videos[-1] == trial.query
        assert sorted(trial.videos) == sorted(original.videos)
        assert not any(map(str.__eq__, trial.videos[:-1], original.videos[:-1]))


def test_no_video_shows_the_bursty_episodes_blank(trials):
    blank = under(trials, "no_video")
    assert [t.clip_ids for t in blank] == [t.clip_ids for t in under(trials, "bursty")]
    assert all(trial.blank for trial in blank)


def test_the_binding_probe_needs_both_of_its_halves(kitchen, trials):
    assert under(trials, CONTRASTIVE_SHUFFLED)
    assert not under(build(kitchen, ("contrastive", "bursty")), CONTRASTIVE_SHUFFLED)


def test_a_condition_without_its_episodes_has_no_trials(kitchen):
    rows = kitchen.episodes["test"]
    rng = np.random.default_rng(0)
    for kinds in (["bursty"], []):
        some = rows[rows["kind"].isin(kinds)]
        trials = build_trials(some, kitchen.narrations, ("random", "bursty", "new_words"), rng)
        assert {trial.condition for trial in trials} == {*kinds, *(["new_words"] if kinds else [])}


def test_the_same_seed_gives_the_same_trials(kitchen, trials):
    assert build(kitchen, ALL) == trials
