import numpy as np
import pytest
from sklearn.metrics import f1_score

from eilev.evaluation.class_f1 import f1_scores


def test_where_each_word_has_one_class_it_is_the_usual_f1():
    rng = np.random.default_rng(0)
    names = np.array(["cut", "wash", "wipe", "open", "never asked"])
    truths, said = names[rng.integers(4, size=200)], names[rng.integers(5, size=200)]
    scores = f1_scores(truths.tolist(), [(name,) for name in said.tolist()])
    assert scores["macro"] == pytest.approx(f1_score(truths, said, average="macro"))
    assert scores["micro"] == pytest.approx(f1_score(truths, said, average="micro"))
    assert scores["micro"] == pytest.approx((truths == said).mean())


def test_a_homonym_is_right_for_each_of_its_classes():
    clean = ("wash", "wipe")
    assert f1_scores(["wash", "wipe"], [clean, clean]) == {"macro": 1.0, "micro": 1.0}


def test_a_wrong_homonym_is_shared_by_its_classes():
    """cut: FN 1. wash: TP 1, FP 1/2. wipe: TP 1, FP 1/2."""
    clean = ("wash", "wipe")
    scores = f1_scores(["cut", "wash", "wipe"], [clean, ("wash",), ("wipe",)])
    assert scores["macro"] == pytest.approx((0 + 2 / 2.5 + 2 / 2.5) / 3)
    assert scores["micro"] == pytest.approx(4 / (4 + 1 + 1))


def test_a_sentence_without_a_known_word_is_missed_but_blames_no_class():
    """cut: TP 1, FN 1."""
    scores = f1_scores(["cut", "cut"], [("cut",), ()])
    assert scores == {"macro": pytest.approx(2 / 3), "micro": pytest.approx(2 / 3)}


def test_without_queries_there_is_no_score():
    assert f1_scores([], []) == {"macro": None, "micro": None}
    assert f1_scores(["cut"], [()]) == {"macro": 0.0, "micro": 0.0}
