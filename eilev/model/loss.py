"""The language loss."""

from torch import Tensor
from torch.nn import functional

from eilev.inputs.interleave import IGNORE_INDEX


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the labelled positions, in float32 whatever the precision of the logits."""
    labelled = labels != IGNORE_INDEX
    targets = labels[labelled]
    if not targets.numel():
        raise ValueError("no position of the batch carries a loss: every label is ignored")
    return functional.cross_entropy(logits[labelled].float(), targets)
