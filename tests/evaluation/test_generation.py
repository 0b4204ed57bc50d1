from dataclasses import replace

import numpy as np
import pytest
import torch

from eilev.config import EvaluateConfig
from eilev.data.dataset import Frames
from eilev.data.preprocess import preprocess
from eilev.evaluation.generation import encode_clips, generate_narrations
from eilev.evaluation.trials import Trial
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def loaded():
    return tiny_model()


@pytest.fixture(scope="module")
def clips():
    return dict(zip("abcd", tiny_clips(4), strict=True))


@pytest.fixture(scope="module")
def features(loaded, clips):
    return encode_clips(loaded, Frames(clips, clips), list("abcd"), 3, CPU)


def config(**changes):
    values = {
        "seed": 0,
        "conditions": ("bursty",),
        "prompt": PROMPT,
        "max_new_tokens": 6,
        "batch_size": 4,
    }
    return EvaluateConfig(**values | changes)


def trial(clip_ids, **changes):
    ids = tuple(clip_ids)
    texts = tuple(NARRATIONS["abcd".index(name) % 3] for name in ids)
    return replace(Trial("bursty", "natural", ids, texts, ids), **changes)


def test_each_clip_is_encoded_with_the_exact_preprocessing(loaded, clips, features):
    pixels = np.stack([preprocess(clips[name], loaded.preprocessing) for name in "abcd"])
    with torch.no_grad():
        expected = loaded.model.encode_videos(torch.from_numpy(pixels))
    torch.testing.assert_close(features.values[:4], expected)
    assert not features.values[4].any()


def test_rows_are_those_of_the_videos_shown(features):
    assert features.rows(trial("ab")) == [0, 1]
    assert features.rows(trial("abc", videos=("b", "a", "c"))) == [1, 0, 2]
    assert features.rows(trial("ab", blank=True)) == [4, 4]


def test_a_batch_of_unlike_lengths_narrates_as_one_by_one(loaded, features):
    trials = [trial("abc"), trial("d"), trial("ba"), trial("b", blank=True), trial("cabd")]
    together = generate_narrations(trials, loaded, features, config())
    alone = [generate_narrations([one], loaded, features, config())[0] for one in trials]
    assert together == alone
    assert any(together)


def test_equal_trials_are_generated_once(loaded, features, capsys):
    same = [trial("a"), trial("a", condition="random"), trial("a", condition="shuffled")]
    sentences = generate_narrations(same, loaded, features, config())
    assert len(set(sentences)) == 1
    assert "1/1" in capsys.readouterr().err
