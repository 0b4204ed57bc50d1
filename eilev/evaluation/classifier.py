"""Baseline: a linear classifier of verbs and nouns on the model's frozen video features.

What the eyes alone can tell, without a language model and without a context. Verbs and nouns are
classified apart, so an action that was never trained on can still be put together from the two.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from eilev.evaluation.class_f1 import f1_scores
from eilev.evaluation.curves import Questions
from eilev.evaluation.judge import has_classes, known_classes
from eilev.evaluation.scores import accuracies
from eilev.evaluation.trials import rows_of
from eilev.ids import id_array
from eilev.inputs.episode import clip_ids_of
from eilev.inputs.preprocess import preprocess
from eilev.model.checkpoint import LoadedModel

# Inverse strength of the L2 penalty, scikit-learn's default.
C = 1.0
_MAX_STEPS = 200


@dataclass(frozen=True)
class LinearClassifier:
    """Multinomial logistic regression on standardised features.

    weights: (features + 1, classes), float64, the last row the biases; mean, scale: (features,).
    """

    classes: tuple[str, ...]
    weights: Tensor
    mean: Tensor
    scale: Tensor

    def predict(self, features: Tensor) -> list[str]:
        """Return the likeliest class of each row of (clips, features)."""
        logits = _with_one((features - self.mean) / self.scale) @ self.weights
        return [self.classes[place] for place in logits.argmax(dim=1).tolist()]


def fit(features: Tensor, labels: Sequence[str]) -> LinearClassifier:
    """Minimise the summed cross-entropy plus half the squared weights (biases apart) over C.

    Deterministic: zero start, full-batch L-BFGS.

    Args:
        features: (clips, features), float64.
        labels: class of each clip.

    Raises:
        ValueError: there is no clip.
    """
    if not labels:
        raise ValueError("no clip has a class: nothing to train the frozen video classifier on")
    classes = tuple(sorted(set(labels)))
    targets = torch.tensor([classes.index(label) for label in labels], device=features.device)
    mean, scale = features.mean(dim=0), features.std(dim=0, correction=0)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    inputs = _with_one((features - mean) / scale)
    weights = inputs.new_zeros(inputs.shape[1], len(classes), requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=_MAX_STEPS, line_search_fn="strong_wolfe", tolerance_grad=1e-6
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        penalty = weights[:-1].square().sum() / (2 * C)
        total = functional.cross_entropy(inputs @ weights, targets, reduction="sum") + penalty
        # The mean has the same minimum, and steps that do not grow with the number of clips.
        mean_loss: Tensor = total / len(targets)
        mean_loss.backward()  # type: ignore[no-untyped-call]
        return mean_loss

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return LinearClassifier(classes, weights.detach(), mean, scale)


def training_clips(
    episodes: Iterable[pa.Table | pa.RecordBatch],
    narrations: pd.DataFrame,
    max_clips: int,
    rng: np.random.Generator,
) -> list[str]:
    """Choose clips of the training episodes that have a verb and a noun class, at most so many.

    Args:
        episodes: Pieces of schema.EPISODES of train.
        narrations: schema.NARRATIONS.
        max_clips: most clips.
        rng: Source of the choice, where there are more.
    """
    classified = id_array(narrations["narration_id"][has_classes(narrations)])
    shown = clip_ids_of(episodes)
    known = shown.filter(pc.is_in(shown, value_set=classified))
    if len(known) > max_clips:
        known = known.take(np.sort(rng.choice(len(known), max_clips, replace=False)))
    return [str(clip_id) for clip_id in known]


def classifier_baseline(
    loaded: LoadedModel, learnt: Sequence[str], questions: Questions
) -> dict[str, Any]:
    """Learn from clips of train, classify the distinct queries of each split.

    Args:
        loaded: The model whose vision tower is used as it is, on the questions' device.
        learnt: `training_clips`.
        questions: Their frames hold the clips of train as well.

    Returns:
        What it learnt from, and for each split its accuracies and F1 on the queries that have
        classes. A class that training has no clip of is always wrong.
    """
    asked = chain.from_iterable(table["query"] for table in questions.episodes.values())
    classes = known_classes(rows_of(questions.narrations, {*learnt, *asked}))
    seen = video_features(loaded, learnt, questions)
    verbs, nouns = (fit(seen, [classes[clip][part] for clip in learnt]) for part in (0, 1))
    scores: dict[str, Any] = {
        "clips": len(learnt),
        "features": seen.shape[1],
        "verb_classes": len(verbs.classes),
        "noun_classes": len(nouns.classes),
    }
    for split, table in questions.episodes.items():
        queries = sorted({query for query in table["query"] if query in classes})
        truths = [classes[query] for query in queries]
        said: list[list[str]] = [[], []]
        if queries:
            features = video_features(loaded, queries, questions)
            said = [verbs.predict(features), nouns.predict(features)]
        scores[split] = score(truths, *said)
    return scores


def score(
    truths: Sequence[tuple[str, str]], verbs: Sequence[str], nouns: Sequence[str]
) -> dict[str, Any]:
    """Accuracies and F1 of classes said about queries against their verb and noun class.

    >>> score([("cut", "onion")], ["cut"], ["pan"])["verb_accuracy"]
    1.0
    """
    rows = list(zip(truths, verbs, nouns, strict=True))
    verb_f1 = f1_scores([truth[0] for truth in truths], [(verb,) for verb in verbs])
    noun_f1 = f1_scores([truth[1] for truth in truths], [(noun,) for noun in nouns])
    return {
        **accuracies(
            [truth[0] == verb for truth, verb, _ in rows],
            [truth[1] == noun for truth, _, noun in rows],
        ),
        **{f"verb_f1_{average}": value for average, value in verb_f1.items()},
        **{f"noun_f1_{average}": value for average, value in noun_f1.items()},
        "count": len(truths),
    }


@torch.no_grad()
def video_features(loaded: LoadedModel, clip_ids: Sequence[str], questions: Questions) -> Tensor:
    """Mean token of each frame by the vision tower, the frames of a clip side by side.

    Side by side, not averaged: what moves how is in their order.

    Returns:
        (clips, frames * vision width), float64, on `device`.
    """
    pieces = []
    size = questions.config.batch_size
    for start in tqdm(range(0, len(clip_ids), size), desc="classifier", unit="batch"):
        clips = questions.frames.take(clip_ids[start : start + size])
        pixels = np.stack([preprocess(clip, loaded.preprocessing) for clip in clips])
        images = (
            torch.from_numpy(pixels).to(questions.device).transpose(1, 2)
        )  # (clips, time, 3, h, w)
        tokens = loaded.model.vision_model(images.flatten(0, 1)).last_hidden_state
        pieces.append(tokens.mean(dim=1).reshape(len(clips), -1).double())
    return torch.cat(pieces)


def _with_one(features: Tensor) -> Tensor:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)
