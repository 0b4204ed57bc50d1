"""In-context learning curves: accuracy of generated narrations by number of shots."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from eilev.clips.cache import ClipCache
from eilev.config.conditions import CONDITIONS
from eilev.config.evaluate import EvaluateConfig
from eilev.episodes.availability import Unavailable, unavailable
from eilev.evaluation.calibration import calibration_error
from eilev.evaluation.class_f1 import f1_scores
from eilev.evaluation.generation import encode_clips, generate_narrations
from eilev.evaluation.judge import Judge
from eilev.evaluation.probes import probes
from eilev.evaluation.scores import accuracies, bleu, rouge_l
from eilev.evaluation.similarity import NO_TEXT_METRICS, TextMetrics, add_scores, mean_scores
from eilev.evaluation.trials import build_trials
from eilev.inputs.episode import clip_ids_of
from eilev.model.checkpoint import LoadedModel
from eilev.schema import Split
from eilev.unavailable import Missing

# Columns of the table for `dvc plots`.
_CURVES = ["split", "condition", "shots", "action_accuracy", "verb_accuracy", "noun_accuracy"]
_CURVES += ["rouge_l", "bleu", "verb_f1_macro", "noun_f1_macro"]


@dataclass(frozen=True)
class Evaluation:
    """`metrics` as in docs/design.md, section 4, `probes` by split, `predictions` row by row.

    `predictions` has the columns of schema.PREDICTIONS and more; `curves` is for `dvc plots`.
    """

    metrics: dict[str, Any]
    probes: dict[str, Any]
    predictions: pd.DataFrame
    curves: pd.DataFrame


@dataclass(frozen=True)
class Questions:
    """What a model is asked, and its baselines alike."""

    # schema.EPISODES of each split to evaluate.
    episodes: Mapping[Split, pd.DataFrame]
    # schema.NARRATIONS.
    narrations: pd.DataFrame
    # Holds every clip of the episodes.
    frames: ClipCache
    # Conditions, prompt and generation.
    config: EvaluateConfig
    # Where to compute.
    device: torch.device
    # data/episodes/summary.json: what the corpus cannot give.
    summary: Mapping[str, Any]
    # The pretrained ones, in addition to ROUGE-L and BLEU.
    text_metrics: TextMetrics = NO_TEXT_METRICS


def evaluate(loaded: LoadedModel, questions: Questions) -> Evaluation:
    """Generate and score the narration of every query under every condition and shot count.

    Args:
        loaded: The trained model, on the questions' device.
        questions: Episodes, conditions and metrics.

    Raises:
        ValueError: there are no episodes of any condition.
    """
    config, narrations = questions.config, questions.narrations
    tables = map(pa.Table.from_pandas, questions.episodes.values())
    shown = [str(clip_id) for clip_id in clip_ids_of(tables)]
    features = encode_clips(loaded, questions.frames, shown, config.batch_size, questions.device)
    judge = Judge(narrations, shown)
    judged = []
    for number, (split, rows) in enumerate(questions.episodes.items()):
        rng = np.random.default_rng([config.seed, number])
        trials = build_trials(rows, narrations, config.conditions, rng)
        generated = generate_narrations(trials, loaded, features, config)
        judged.append(judge.table(split, trials, generated))
    predictions = pd.concat(judged, ignore_index=True)
    if predictions.empty:
        raise ValueError("there is no episode of any of evaluate.conditions: nothing to evaluate")
    lacking = unavailable(questions.summary, config.conditions, config.splits)
    return summarise(add_scores(predictions, questions.text_metrics), lacking)


def summarise(predictions: pd.DataFrame, lacking: Unavailable) -> Evaluation:
    """Turn judged predictions (Judge.table, `add_scores`) into metrics, probes and curves.

    What is unavailable has an entry with the reason in the place of its scores.
    """
    metrics: dict[str, Any] = {
        split: {name: _entry(missing) for name, missing in conditions.items() if has_curve(name)}
        for split, conditions in lacking.items()
    }
    summaries: dict[str, Any] = {}
    points = []
    for split in dict.fromkeys([*lacking, *predictions["split"]]):
        of_split = predictions[predictions["split"] == split]
        curves: dict[str, dict[int, float | None]] = {}
        majority: dict[str, dict[int, float | None]] = {}
        for condition, shots, cell in cells(of_split):
            scores = _score(cell)
            curves.setdefault(condition, {})[shots] = scores["action_accuracy"]
            if CONDITIONS[condition].as_drawn and shots:
                by_majority = majority_accuracies(cell)["action_accuracy"]
                majority.setdefault(condition, {})[shots] = by_majority
            if has_curve(condition):
                of_condition = metrics.setdefault(split, {}).setdefault(condition, _entry({}))
                of_condition["shots"][str(shots)] = scores
                points.append({"split": split, "condition": condition, "shots": shots, **scores})
        summaries[split] = probes(curves, majority, lacking.get(split, {}))
    return Evaluation(metrics, summaries, predictions, pd.DataFrame(points)[_CURVES])


def has_curve(condition: str) -> bool:
    """Whether a condition is more than the half of a probe."""
    return not CONDITIONS[condition].comes_with


def _entry(missing: Missing) -> dict[str, Any]:
    return {"shots": {}, "unavailable": missing}


def cells(predictions: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Condition, shots and rows of each point of a split's curves, shots rising."""
    for condition in predictions["condition"].unique():
        rows = predictions[predictions["condition"] == condition]
        for shots in sorted(rows["shots"].unique().tolist()):
            yield condition, shots, rows[rows["shots"] == shots]


def _score(cell: pd.DataFrame) -> dict[str, Any]:
    """Score the predictions of one split, condition and shot count.

    count: judged queries, behind the accuracies and F1. unscored: those that could not be judged;
    the text metrics are over all. confidence: mean over the judged; calibration_error: of the
    action; both null where that of a judged one is not known. docs/evaluation.md defines each.
    """
    judged = cell[cell["scored"]]
    references, generated = cell["narration"].tolist(), cell["generated"].tolist()
    return {
        **accuracies(judged["verb_correct"].tolist(), judged["noun_correct"].tolist()),
        "rouge_l": rouge_l(references, generated),
        "bleu": bleu(references, generated),
        **_confidence(judged),
        "count": len(judged),
        "unscored": len(cell) - len(judged),
        **_class_f1(judged),
        **mean_scores(cell),
    }


def _confidence(judged: pd.DataFrame) -> dict[str, float | None]:
    sure, right = judged["confidence"], judged["verb_correct"] & judged["noun_correct"]
    if judged.empty or sure.isna().any():
        return {"confidence": None, "calibration_error": None}
    return {"confidence": float(sure.mean()), "calibration_error": calibration_error(sure, right)}


def _class_f1(judged: pd.DataFrame) -> dict[str, float | None]:
    scores: dict[str, float | None] = {}
    for part in ("verb", "noun"):
        of_part = f1_scores(judged[f"{part}_class"].tolist(), judged[f"{part}_said"].tolist())
        scores |= {f"{part}_f1_{average}": score for average, score in of_part.items()}
    return scores


def majority_accuracies(cell: pd.DataFrame) -> dict[str, float | None]:
    """Accuracies of the context's most frequent verb word and noun word, which see no video."""
    judged = cell[cell["scored"]]
    return accuracies(judged["majority_verb"].tolist(), judged["majority_noun"].tolist())
