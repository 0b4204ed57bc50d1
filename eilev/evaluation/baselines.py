"""What the model's curves are compared with: the `baselines` of metrics.json."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from eilev.config.conditions import CONDITIONS
from eilev.evaluation.classifier import classifier_baseline
from eilev.evaluation.curves import Evaluation, Questions, cells, evaluate, majority_accuracies
from eilev.model.checkpoint import LoadedModel

# The paper's contexts, on which the model without contexts is asked too.
_CONDITIONS = ("bursty",)


def compare(
    loaded: LoadedModel,
    without_contexts: LoadedModel | None,
    learnt: Sequence[str],
    questions: Questions,
    evaluation: Evaluation,
) -> dict[str, Any]:
    """Ask every baseline that there is: majority_word, no_context, video_classifier.

    Args:
        loaded: The model, with whose eyes the frozen video classifier sees.
        without_contexts: A model trained without contexts, if there is one.
        learnt: Clips that the frozen video classifier learns from, where it is asked for.
        questions: What the model itself was asked.
        evaluation: What became of it.
    """
    baselines: dict[str, Any] = {"unavailable": {}}
    baselines |= {"majority_word": majority_baseline(evaluation.predictions)}
    if without_contexts is not None:
        baselines["no_context"] = no_context_baseline(without_contexts, questions)
    if learnt:
        baselines["video_classifier"] = classifier_baseline(loaded, learnt, questions)
    elif questions.config.baselines.classifier_clips is not None:
        reason = "no clip of the training episodes has a verb and a noun class"
        baselines["unavailable"]["video_classifier"] = {"reason": reason}
    return baselines


def majority_baseline(predictions: pd.DataFrame) -> dict[str, Any]:
    """Accuracy of the most frequent verb word with the most frequent noun word of each context.

    It looks at no video. The same conditions and shots as in `probes`, verbs and nouns apart too.

    Args:
        predictions: Judge.table.

    Returns:
        {split: {condition: {"shots": {shots: accuracies}}}}.
    """
    baseline: dict[str, Any] = {}
    for split in predictions["split"].unique():
        for condition, shots, cell in cells(predictions[predictions["split"] == split]):
            if CONDITIONS[condition].as_drawn and shots:
                curve = baseline.setdefault(split, {}).setdefault(condition, {"shots": {}})
                curve["shots"][str(shots)] = majority_accuracies(cell)
    return baseline


def no_context_baseline(loaded: LoadedModel, questions: Questions) -> dict[str, Any]:
    """Scores of a model trained without contexts (VideoBLIP), asked about the bursty episodes.

    Args:
        loaded: That model, on the questions' device.
        questions: What the model itself is asked.

    Returns:
        The folder it came from, and for each split what metrics.json has of the model itself.
    """
    config = questions.config
    bursty = config.model_copy(update={"conditions": _CONDITIONS})
    answers = evaluate(loaded, replace(questions, config=bursty))
    return {"model": config.baselines.no_context_model, **answers.metrics}
