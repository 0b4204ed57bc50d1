import copy

import pytest

from eilev.report import paper
from eilev.report.comparison import (
    baselines_chart,
    compare,
    published_table,
    score_panels,
    similarity_chart,
    unavailable,
)
from eilev.report.html import fill

SCORES = {
    "action_accuracy": 0.25,
    "rouge_l": 0.5,
    "bleu": 0.125,
    "verb_f1_macro": 0.375,
    "verb_f1_micro": 0.4375,
    "noun_f1_macro": 0.625,
    "noun_f1_micro": 0.6875,
}


def curve(**scores):
    return {"shots": {str(shots): SCORES | scores for shots in (0, 2, 8)}, "unavailable": {}}


@pytest.fixture
def metrics():
    """A run of which no text metric but ROUGE-L and BLEU was asked."""
    majority = {"bursty": {"shots": {"2": {"action_accuracy": 0.0625}}}}
    classified = {"action_accuracy": 0.8125}
    return {
        "novel": {"bursty": curve(), "shuffled": curve()},
        "test": {"bursty": curve(action_accuracy=0.75)},
        "baselines": {
            "unavailable": {},
            "majority_word": {"novel": majority, "test": majority},
            "video_classifier": {"novel": classified, "test": classified},
        },
        "text_metrics": {"available": {}, "unavailable": {}},
    }


@pytest.fixture
def measured(metrics):
    """The same with a bi-encoder and a model trained without contexts."""

    def by(model, bi_encoder=0.7):
        changed = copy.deepcopy(metrics)
        changed["novel"]["bursty"] = curve(bi_encoder=bi_encoder)
        changed["novel"]["shuffled"] = curve(bi_encoder=bi_encoder)
        changed["text_metrics"]["available"]["bi_encoder"] = {"model": model}
        other = {"bursty": curve(action_accuracy=0.3125, bi_encoder=0.2)}
        changed["baselines"]["no_context"] = {"model": "blip", "novel": other, "test": other}
        return changed

    return by


def page(metrics):
    return fill("comparison.html.j2", comparison=compare(metrics))


def test_baselines_stand_beside_the_model(measured):
    tables = compare(measured("m"))["baselines"]
    rows = tables["novel: actions never trained on"]["rows"]
    assert rows == {
        "the model": [0.25, 0.25, 0.25],
        "majority words of the context": [None, 0.0625, None],
        "a model trained without contexts": [0.3125, 0.3125, 0.3125],
        "frozen video classifier (sees no context)": [0.8125, None, None],
    }
    for name in rows:
        assert name in baselines_chart(measured("m"))


def test_baselines_that_were_left_out_are_not_drawn(metrics):
    del metrics["baselines"]["video_classifier"]
    assert "frozen video classifier" not in baselines_chart(metrics)
    assert "trained without contexts" not in baselines_chart(metrics)
    assert "No model trained without contexts" in page(metrics)


def test_metrics_without_figures_are_named_with_their_reason(metrics):
    metrics["text_metrics"]["unavailable"]["bert_score"] = {"model": "roberta", "reason": "no hub"}
    reasons = unavailable(metrics)
    assert reasons == {
        "BERTScore F1": "unavailable (roberta: no hub)",
        "sentence similarity, bi-encoder": "not asked for (evaluate.text_metrics)",
        "sentence similarity, cross-encoder": "not asked for (evaluate.text_metrics)",
    }
    for reason in reasons.values():
        assert reason in page(metrics)


def test_an_unavailable_metric_has_dashes_and_no_panel(metrics):
    metrics["test"]["bursty"] = curve(bert_score=None)
    metrics["text_metrics"]["unavailable"]["bert_score"] = {"model": "roberta", "reason": "no hub"}
    rows = compare(metrics)["scores"]["test: unseen clips of trained actions"]["rows"]
    assert rows["BERTScore F1"] == [None, None, None]
    assert rows["ROUGE-L"] == [0.5, 0.5, 0.5]
    assert "BERTScore" not in score_panels(metrics)
    for name in ("ROUGE-L", "BLEU", "verb class F1, macro", "noun class F1, macro"):
        assert name in score_panels(metrics)


def test_the_papers_curves_stand_alone_where_nothing_compares(metrics):
    chart = similarity_chart(metrics)
    assert paper.LABEL in chart
    assert "published: EILeV" in chart
    assert "this run" not in chart
    assert "no curve of its own shares the axes" in page(metrics)


def test_another_encoder_has_a_panel_of_its_own(measured):
    chart = similarity_chart(measured("/models/all-MiniLM-L6-v2"))
    assert "this run, by all-MiniLM-L6-v2" in chart
    assert f">{paper.LABEL}<" in chart
    assert "this run: trained without contexts" in chart
    assert chart.count("axes_2") == 1


def test_the_papers_own_encoder_shares_its_panel(measured):
    chart = similarity_chart(measured("sentence-transformers/all-mpnet-base-v2"))
    assert f"this run and {paper.LABEL}" in chart
    assert "axes_2" not in chart
    assert "Same metric and scoring model" in page(measured("models/all-mpnet-base-v2"))


def test_negative_similarities_are_drawn(measured):
    assert "−0." in score_panels(measured("m", bi_encoder=-0.5))  # noqa: RUF001


def test_the_papers_figures():
    rows = published_table()["rows"]
    assert rows["EILeV"] == [0.328, 0.571, 0.628, 0.674, 0.694]
    assert rows["EILeV, videos shuffled"] == [None, None, None, None, 0.688]
    assert all(len(row) == len(paper.SHOTS) for row in rows.values())
    for text in ("0.694", "0.688", "0.476"):
        assert text in fill("comparison.html.j2", comparison=compare(_nothing()))


def _nothing():
    return {
        "test": {"bursty": curve()},
        "baselines": {"majority_word": {}, "unavailable": {}},
        "text_metrics": {"available": {}, "unavailable": {}},
    }
