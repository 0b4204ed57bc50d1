import json

import pandas as pd
import pytest
import torch

from eilev.clips.cache import ClipCache
from eilev.config.evaluate import BaselinesConfig, EvaluateConfig, TextMetricsConfig
from eilev.evaluation.baselines import majority_baseline
from eilev.evaluation.curves import Questions, evaluate, summarise
from eilev.evaluation.generation import Generated
from eilev.evaluation.judge import Judge
from eilev.evaluation.trials import Trial
from eilev.inputs.preprocess import Preprocessing
from eilev.inputs.tokenizer import train_word_codec
from eilev.model.build import build_model
from eilev.model.checkpoint import LoadedModel
from eilev.parquet import read_table, write_table
from eilev.schema import PREDICTIONS
from tests.kitchen import make_kitchen, narration_rows
from tests.tiny import IMAGE_SIZE, PROMPT, tiny_config

CONDITIONS = ("bursty", "random", "contrastive", "shuffled", "no_video", "new_words")

# "clean" is a word of wash and of wipe.
TABLE = narration_rows(
    [
        ("cut_(slice)", "onion", "cut", "onion"),
        ("wash_(clean)", "plate_(dish)", "wash", "plate"),
        ("wipe_(clean)", "knife", "wipe", "knife"),
        ("[other]", "onion", None, "onion"),
        ("cut_(slice)", None, "cut", None),
    ]
)
CUT_ONION, WASH_PLATE, WIPE_KNIFE, OTHER_ONION, CUT_NOTHING = TABLE["narration_id"]


def trial(query, context=(), condition="bursty", meaning="natural", own=None):
    ids = (*context, query)
    texts = own or tuple(TABLE.set_index("narration_id")["narration"][list(ids)])
    return Trial(condition, meaning, ids, tuple(texts), ids)


def answers(*sentences):
    return [Generated(sentence, 0.75) for sentence in sentences]


def says(verb, noun):
    return f"The camera wearer {verb} the {noun}."


@pytest.mark.parametrize(
    ("query", "sentence", "right"),
    [
        (CUT_ONION, says("cuts", "onion"), (True, True)),
        (CUT_ONION, says("slices", "onion"), (True, True)),  # a synonym
        (CUT_ONION, says("is slicing", "onions"), (True, True)),
        (WASH_PLATE, says("cleans", "dish"), (True, True)),  # a homonym of wash ...
        (WIPE_KNIFE, says("cleans", "knife"), (True, True)),  # ... and of wipe
        (WIPE_KNIFE, says("washes", "knife"), (False, True)),
        (CUT_ONION, says("cuts", "plate"), (True, False)),
        (CUT_ONION, "", (False, False)),
    ],
)
def test_an_action_is_right_when_its_words_belong_to_the_classes(query, sentence, right):
    row = Judge(TABLE).table("test", [trial(query)], answers(sentence)).iloc[0]
    assert row["scored"]
    assert (row["verb_correct"], row["noun_correct"]) == right


@pytest.mark.parametrize("meaning", ["permuted", "renamed"])
def test_where_words_are_exchanged_only_the_episode_tells_what_is_right(meaning):
    exchanged = trial(CUT_ONION, meaning=meaning, own=[says("wipes", "knife")])
    said = answers(says("wipes", "knife"), says("cuts", "onion"))
    table = Judge(TABLE).table("test", [exchanged] * 2, said)
    assert table["verb_correct"].tolist() == table["noun_correct"].tolist() == [True, False]


def test_every_word_that_a_renamed_episode_has_for_a_class_is_right():
    own = [says("wipes", "plate"), says("slices", "onion"), says("wipes", "knife")]
    renamed = trial(CUT_ONION, (OTHER_ONION, CUT_NOTHING), meaning="renamed", own=own)
    narrated = answers(says("wipes", "plate"), says("wipes", "knife"), says("slices", "knife"))
    table = Judge(TABLE).table("test", [renamed] * 3, narrated)
    # The clips without a class are no evidence for what a word means.
    assert table["verb_correct"].tolist() == [True, True, False]
    assert table["noun_correct"].tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("sentence", "verbs", "nouns"),
    [
        (says("slices", "dishes"), {"cut_(slice)"}, {"plate_(dish)"}),
        (says("cleans", "knife"), {"wash_(clean)", "wipe_(clean)"}, {"knife"}),  # a homonym
        ("The camera wearer sings.", set(), set()),
    ],
)
def test_words_stand_for_their_classes(sentence, verbs, nouns):
    row = Judge(TABLE).table("test", [trial(CUT_ONION)], answers(sentence)).iloc[0]
    assert (row["verb_class"], row["noun_class"]) == ("cut_(slice)", "onion")
    assert (row["verb_said"], row["noun_said"]) == (verbs, nouns)


def test_where_words_are_exchanged_they_stand_for_what_the_episode_uses_them_for():
    own = [says("wipes", "plate"), says("wipes", "onion"), says("cuts", "knife")]
    exchanged = trial(CUT_ONION, (WASH_PLATE, WIPE_KNIFE), meaning="permuted", own=own)
    said = answers(says("wipes", "knife"), says("washes", "plate"))
    table = Judge(TABLE).table("test", [exchanged] * 2, said)
    # "wipe" is said of a wash and of a wipe here, and "wash" of nothing.
    assert table["verb_said"].tolist() == [{"wash_(clean)", "wipe_(clean)"}, set()]
    assert table["noun_said"].tolist() == [{"onion"}, {"plate_(dish)"}]


@pytest.fixture(scope="module")
def by_hand():
    """Two shots: of three judged queries one action, two verbs, one noun right; two unscored."""
    queries = [CUT_ONION, WASH_PLATE, WIPE_KNIFE, OTHER_ONION, CUT_NOTHING]
    said = [says("slices", "onion"), says("cleans", "knife"), says("cuts", "plate")]
    said += [says("cuts", "onion")] * 2
    # The majority word of each context: its first clip's, as all words occur once.
    contexts = [(CUT_ONION, WIPE_KNIFE), (WIPE_KNIFE, CUT_ONION), (WIPE_KNIFE, WASH_PLATE)]
    contexts += [(CUT_ONION, WIPE_KNIFE)] * 2
    trials = [trial(query, context) for query, context in zip(queries, contexts, strict=True)]
    trials += [trial(query) for query in queries]
    return summarise(Judge(TABLE).table("novel", trials, answers(*said, *[""] * 5)), {})


def test_accuracies_by_hand(by_hand):
    shots = by_hand.metrics["novel"]["bursty"]["shots"]
    assert list(shots) == ["0", "2"]
    assert shots["2"]["action_accuracy"] == pytest.approx(1 / 3)
    assert shots["2"]["verb_accuracy"] == pytest.approx(2 / 3)
    assert shots["2"]["noun_accuracy"] == pytest.approx(1 / 3)
    assert (shots["2"]["count"], shots["2"]["unscored"]) == (3, 2)
    assert shots["0"]["action_accuracy"] == 0.0
    assert by_hand.probes["novel"]["in_context_gain"] == {"bursty": {"2": pytest.approx(1 / 3)}}


def test_class_f1_by_hand(by_hand):
    """Verbs: cut and wash right, knife's "cuts" wrong. Nouns: onion right, two wrong."""
    two = by_hand.metrics["novel"]["bursty"]["shots"]["2"]
    # cut TP 1 FP 1, wash TP 1, wipe FN 1.
    assert two["verb_f1_macro"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert two["verb_f1_micro"] == pytest.approx(2 / 3)
    # onion TP 1, plate FN 1 FP 1, knife FN 1 FP 1.
    assert two["noun_f1_macro"] == pytest.approx(1 / 3)
    assert two["noun_f1_micro"] == pytest.approx(1 / 3)


def test_calibration_by_hand(by_hand):
    """All are given at 0.75: a third of them is right with context, none without."""
    shots = by_hand.metrics["novel"]["bursty"]["shots"]
    assert shots["2"]["confidence"] == 0.75
    assert shots["2"]["calibration_error"] == pytest.approx(0.75 - 1 / 3)
    assert shots["0"]["calibration_error"] == 0.75


def test_an_unknown_confidence_leaves_its_point_without_figures():
    """An endpoint need not say how sure it is."""
    said = [Generated(says("cuts", "onion"), sure) for sure in (0.5, None, 0.5)]
    trials = [trial(CUT_ONION, (CUT_ONION,)), trial(CUT_ONION, (CUT_ONION,)), trial(CUT_ONION)]
    summed = summarise(Judge(TABLE).table("test", trials, said), {}).metrics
    shots = summed["test"]["bursty"]["shots"]
    assert (shots["0"]["confidence"], shots["0"]["calibration_error"]) == (0.5, 0.5)
    assert shots["1"]["confidence"] is shots["1"]["calibration_error"] is None
    assert shots["1"]["action_accuracy"] == 1.0


def test_majority_baseline_by_hand(by_hand):
    """Right for onion and for knife; for the plate it says wipe and knife."""
    assert by_hand.probes["novel"]["majority"] == {"bursty": {"2": pytest.approx(2 / 3)}}


def test_majority_baseline_has_verbs_and_nouns_apart(by_hand):
    scores = majority_baseline(by_hand.predictions)
    assert list(scores) == ["novel"]
    assert scores["novel"]["bursty"]["shots"] == {
        "2": {
            "action_accuracy": pytest.approx(2 / 3),
            "verb_accuracy": pytest.approx(2 / 3),
            "noun_accuracy": pytest.approx(2 / 3),
        }
    }


def test_queries_that_cannot_be_judged_give_no_accuracy():
    table = Judge(TABLE).table("test", [trial(OTHER_ONION)], answers(says("cuts", "onion")))
    scores = summarise(table, {}).metrics["test"]["bursty"]["shots"]["0"]
    assert scores["action_accuracy"] is scores["confidence"] is None
    assert (scores["count"], scores["unscored"]) == (0, 1)
    json.dumps(scores, allow_nan=False)


@pytest.fixture(scope="module")
def evaluated():
    kitchen = make_kitchen()
    codec = train_word_codec([*kitchen.narrations["narration"], PROMPT])
    torch.manual_seed(0)
    model = build_model(tiny_config(), codec).eval()
    loaded = LoadedModel(model, codec, Preprocessing(IMAGE_SIZE))
    config = EvaluateConfig(
        splits=("test", "novel"),
        seed=0,
        conditions=CONDITIONS,
        prompt=PROMPT,
        max_new_tokens=8,
        batch_size=16,
        text_metrics=TextMetricsConfig(bi_encoder=None, cross_encoder=None, bert_score=None),
        baselines=BaselinesConfig(no_context_model=None, classifier_clips=None),
    )
    episodes = {split: kitchen.episodes[split] for split in ("test", "novel")}
    frames = ClipCache(kitchen.clips, kitchen.clips)
    device = torch.device("cpu")
    questions = Questions(episodes, kitchen.narrations, frames, config, device, kitchen.summary)
    return evaluate(loaded, questions)


def test_metrics_have_the_agreed_shape(evaluated):
    for split in ("test", "novel"):
        of_split = evaluated.metrics[split]
        assert set(of_split) == set(CONDITIONS)
        assert set(of_split["bursty"]["shots"]) == {"0", "1", "2"}
        assert set(of_split["shuffled"]["shots"]) == {"0", "2"}
        for condition in of_split.values():
            # Everything that was asked for has figures or a reason.
            assert {*condition["shots"], *condition["unavailable"]} == {"0", "1", "2"}
        assert of_split["shuffled"]["unavailable"] == {
            "1": {"reason": "one video cannot be exchanged with another"}
        }
        assert of_split["shuffled"]["shots"]["0"] == of_split["bursty"]["shots"]["0"]
        for condition in of_split.values():
            for scores in condition["shots"].values():
                assert {"action_accuracy", "verb_accuracy", "noun_accuracy"} < set(scores)
                assert {"rouge_l", "bleu", "count"} < set(scores)
                assert 0 < scores["confidence"] < 1
                assert 0 <= scores["calibration_error"] <= 1
        assert set(evaluated.probes[split]["binding_gap"]) == {"2"}
        # No weight knows a new word.
        assert of_split["new_words"]["shots"]["0"]["action_accuracy"] == 0
        assert evaluated.probes[split]["in_weights"] == 0
    json.dumps(evaluated.metrics | evaluated.probes, allow_nan=False)


def test_predictions_fit_their_schema(evaluated, tmp_path):
    write_table(evaluated.predictions, PREDICTIONS, tmp_path / "predictions.parquet")
    table = read_table(tmp_path / "predictions.parquet", PREDICTIONS)
    assert set(table["condition"]) == {*CONDITIONS, "contrastive_shuffled"}
    assert (table["context"].map(len) == table["shots"]).all()


def test_curves_have_a_row_per_point(evaluated):
    curves = evaluated.curves
    assert not curves.duplicated(["split", "condition", "shots"]).any()
    assert len(curves[curves["split"] == "test"]) == 3 + 3 + 2 + 2 + 3 + 3
    assert isinstance(curves, pd.DataFrame)
