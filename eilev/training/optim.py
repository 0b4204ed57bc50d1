"""The optimiser and its learning rate."""

import math

import torch
from torch import nn

from eilev.config.train import PhaseConfig, TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; biases and norms (vectors) are not decayed.

    Raises:
        ValueError: every module is frozen.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    if not trainable:
        raise ValueError(
            "params.yaml: train.model.freeze and a phase's freeze leave nothing to train"
        )
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    # Fused: one pass over each tensor; a small model spends a tenth of its step here otherwise.
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def learning_rate(step: int, num_steps: int, config: TrainConfig, phase: PhaseConfig) -> float:
    """Return the learning rate of the phase's optimiser step `step`, counted from 0.

    Linear warm-up over `warmup_steps`, then constant, or falling to zero at `num_steps` along a
    line or half a cosine. A function of the step alone: a resumed run needs no scheduler state.
    """
    greatest = config.learning_rate * phase.learning_rate_scale
    if step < config.warmup_steps:
        return greatest * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return greatest
    done = (step - config.warmup_steps) / max(1, num_steps - config.warmup_steps)
    share = 1.0 - done if config.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
    return greatest * share
