"""Scores of a model in training on the validation episodes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from eilev.inputs.preprocess import Preprocessing
from eilev.training.batches import NO_AUGMENTATION, model_inputs


@dataclass(frozen=True)
class Scores:
    """Validation scores, all on the query's narration.

    loss: mean over its tokens (nats).
    exact: share of episodes with every token predicted under teacher forcing, which is the share
        that greedy decoding would narrate word for word.
    token_accuracy: share of tokens predicted.
    """

    loss: float
    exact: float
    token_accuracy: float


def is_better(
    scores: Scores, best_score: float, best_loss: float, select_by: Literal["icl", "loss"]
) -> bool:
    """Say whether `scores` beat the best so far.

    "icl" ranks by exact narrations, ties by loss: in-context learning is transient, and loss alone
    keeps a model that has unlearnt it. "loss" is the reference's choice.
    """
    if select_by == "loss":
        return scores.loss < best_loss
    return (scores.exact, -scores.loss) > (best_score, -best_loss)


def validate(
    model: nn.Module,
    batches: Iterable[Mapping[str, Tensor]],
    preprocessing: Preprocessing,
    accelerator: Accelerator,
) -> Scores:
    """Score an EpisodeModel on every validation episode; it is left in training mode."""
    model.eval()
    per_episode = []
    with torch.no_grad():
        for batch in batches:
            rows = model(**model_inputs(batch, NO_AUGMENTATION, preprocessing))["rows"]
            per_episode.append(accelerator.gather_for_metrics(rows).cpu())
    model.train()
    loss, correct, tokens = torch.cat(per_episode).double().unbind(1)
    total = float(tokens.sum())
    return Scores(
        loss=float(loss.sum()) / total,
        exact=float((correct == tokens).double().mean()),
        token_accuracy=float(correct.sum()) / total,
    )
