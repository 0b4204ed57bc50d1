from dataclasses import replace

import numpy as np
import pytest
import torch

from eilev.clips.cache import ClipCache
from eilev.config.evaluate import BaselinesConfig, EvaluateConfig, TextMetricsConfig
from eilev.evaluation.generation import encode_clips, generate_narrations
from eilev.evaluation.trials import Trial
from eilev.inputs.episode import EpisodeFormat, make_layout
from eilev.inputs.preprocess import preprocess
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
    return encode_clips(loaded, ClipCache(clips, clips), list("abcd"), 3, CPU)


def config(**changes):
    values = {
        "seed": 0,
        "splits": ("test", "novel"),
        "conditions": ("bursty",),
        "prompt": PROMPT,
        "max_new_tokens": 6,
        "batch_size": 4,
        "text_metrics": TextMetricsConfig(bi_encoder=None, cross_encoder=None, bert_score=None),
        "baselines": BaselinesConfig(no_context_model=None, classifier_clips=None),
    }
    return EvaluateConfig(**values | changes)


def trial(clip_ids, **changes):
    ids = tuple(clip_ids)
    texts = tuple(NARRATIONS["abcd".index(name) % 3] for name in ids)
    return replace(Trial("bursty", "natural", ids, texts, ids), **changes)


def one_pass(loaded, ids, features):
    input_ids = torch.tensor([ids])
    placeholder = input_ids == loaded.codec.pad_id
    with torch.no_grad():
        return loaded.model(
            input_ids, torch.ones_like(input_ids), placeholder, video_features=features
        ).logits[0]


def greedy_by_hand(loaded, ids, features, most):
    written = []
    while len(written) < most and loaded.codec.eos_id not in written:
        written.append(one_pass(loaded, [*ids, *written], features)[-1].argmax().item())
    return written


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
    assert [one.sentence for one in together] == [one.sentence for one in alone]
    assert any(one.sentence for one in together)
    sure = [one.confidence for one in together]
    assert sure == pytest.approx([one.confidence for one in alone], rel=1e-4)


def test_confidence_is_the_probability_of_the_narration(loaded, features):
    """The tokens' probabilities in one pass over prompt and narration, end included."""
    (found,) = generate_narrations([trial("ab")], loaded, features, config())
    tokens = loaded.model.config.num_query_tokens
    form = EpisodeFormat(loaded.codec, tokens, False, (PROMPT,), "query", generating=True)
    prompt = make_layout(trial("ab").texts, form, np.random.default_rng(0)).input_ids
    written = greedy_by_hand(loaded, list(prompt), features.values[[0, 1]], config().max_new_tokens)
    logits = one_pass(loaded, [*prompt, *written], features.values[[0, 1]])
    steps = logits[-len(written) - 1 : -1].log_softmax(-1)
    expected = steps[range(len(written)), written].sum().exp().item()
    assert found.confidence == pytest.approx(expected, rel=1e-4)


def test_equal_trials_are_generated_once(loaded, features, capsys):
    same = [trial("a"), trial("a", condition="random"), trial("a", condition="shuffled")]
    narrated = generate_narrations(same, loaded, features, config())
    assert len(set(narrated)) == 1
    assert "1/1" in capsys.readouterr().err
