import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from eilev.clips.cache import ClipCache
from eilev.config.evaluate import BaselinesConfig, EvaluateConfig, TextMetricsConfig
from eilev.evaluation.classifier import classifier_baseline, fit, score, training_clips
from eilev.evaluation.curves import Questions
from tests.kitchen import make_kitchen, narration_rows
from tests.tiny import PROMPT, tiny_model


def blobs(num_clips=90, num_features=4, seed=0):
    """Three overlapping classes; the last feature is constant."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=num_clips)
    features = rng.normal(size=(num_clips, num_features)) * (1, 10, 0.1, 0)
    features[np.arange(num_clips), labels] += (1, 10, 0.1)[0]
    return torch.from_numpy(features), [f"class {label}" for label in labels]


def test_the_classifier_is_logistic_regression():
    features, labels = blobs()
    ours = fit(features, labels)
    scaled = ((features - ours.mean) / ours.scale).numpy()
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit(scaled, labels)
    assert list(ours.classes) == theirs.classes_.tolist()
    weights = ours.weights[:-1].numpy()
    # A softmax is the same under a shift of all biases.
    biases = (ours.weights[-1] - ours.weights[-1].mean()).numpy()
    assert weights == pytest.approx(theirs.coef_.T, abs=1e-3)
    assert biases == pytest.approx(theirs.intercept_ - theirs.intercept_.mean(), abs=1e-3)
    assert ours.predict(features) == theirs.predict(scaled).tolist()


def test_it_learns_and_gives_the_same_weights_again():
    features, labels = blobs(300)
    unseen, truths = blobs(300, seed=1)
    classifier = fit(features, labels)
    said = classifier.predict(unseen)
    assert np.mean([a == b for a, b in zip(said, truths, strict=True)]) > 0.5
    assert torch.equal(fit(features, labels).weights, classifier.weights)


def test_without_a_clip_that_has_classes_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="nothing to train the frozen video classifier on"):
        fit(torch.zeros(0, 3), [])


def test_scores_by_hand():
    truths = [("cut", "onion"), ("wash", "pan"), ("wash", "cup")]
    scores = score(truths, ["cut", "wash", "cut"], ["onion", "cup", "cup"])
    assert scores["action_accuracy"] == pytest.approx(1 / 3)
    assert scores["verb_accuracy"] == scores["noun_accuracy"] == pytest.approx(2 / 3)
    assert scores["verb_f1_macro"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert scores["noun_f1_macro"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert scores["count"] == 3
    assert score([], [], [])["action_accuracy"] is None


def test_it_learns_from_clips_of_train_that_have_classes():
    table = narration_rows(
        [("cut", "onion", "cut", "onion"), ("[other]", "onion", None, "onion")]
        + [("cut", "pan", "cut", "pan")] * 4
    )
    ids = table["narration_id"].tolist()
    episodes = [pa.table({"query": ids[:2], "context": [ids[2:4], ids[2:4]]})]
    rng = np.random.default_rng(0)
    assert training_clips(episodes, table, 10, rng) == [ids[0], ids[2], ids[3]]
    assert len(set(training_clips(episodes, table, 2, rng))) == 2


def test_unseen_clips_are_classified_by_what_the_vision_tower_sees():
    kitchen = make_kitchen()
    config = EvaluateConfig(
        splits=("test", "novel"),
        seed=0,
        conditions=("bursty",),
        prompt=PROMPT,
        max_new_tokens=8,
        batch_size=16,
        text_metrics=TextMetricsConfig(bi_encoder=None, cross_encoder=None, bert_score=None),
        baselines=BaselinesConfig(no_context_model=None, classifier_clips=64),
    )
    episodes = {split: kitchen.episodes[split] for split in ("test", "novel")}
    frames = ClipCache(kitchen.clips, kitchen.clips)
    device = torch.device("cpu")
    questions = Questions(episodes, kitchen.narrations, frames, config, device, kitchen.summary)
    rng = np.random.default_rng(0)
    learnt = training_clips([kitchen.tables["train"]], kitchen.narrations, 64, rng)
    scores = classifier_baseline(tiny_model(), learnt, questions)
    assert scores["clips"] == len(learnt) > 40
    assert scores["features"] == 2 * 16  # frames * vision width
    assert (scores["verb_classes"], scores["noun_classes"]) == (4, 4)
    for split in episodes:
        assert scores[split]["count"] > 5
        # Four looks of one colour each: even random eyes tell them apart better than chance.
        assert scores[split]["noun_accuracy"] > 0.5
    assert classifier_baseline(tiny_model(), learnt, questions) == scores
