"""A loss that draws what is seen of a clip towards the words for it, the verb apart from the noun.

The language loss on the query asks for a clip's words through the whole language model. This one
asks the eyes themselves: one half of a clip's tokens for the first telling word of its narration
(the verb), the other half for the last (the noun), as likenesses to the words' embeddings. So clips
of the same action come together before contexts are shown, and a motion is seen apart from what is
moved. It exists in training only and has no weights of its own.
"""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from eilev.ids import ById
from eilev.inputs.interleave import IGNORE_INDEX
from eilev.inputs.tokenizer import TextCodec

# First and last telling token of a narration.
Names = tuple[int, int]
NAMELESS: Names = (IGNORE_INDEX, IGNORE_INDEX)


def find_names(texts: ById[str], telling: Tensor, codec: TextCodec) -> NDArray[np.int32]:
    """Find the telling tokens of narrations; one without any has NAMELESS.

    Args:
        texts: Narrations (num_narrations,).
        telling: bool (vocabulary,).
        codec: Makes them tokens.

    Returns:
        (num_narrations, 2).
    """
    told = set(telling.nonzero()[:, 0].tolist())
    names = np.full((len(texts), 2), NAMELESS, np.int32)
    for row, text in enumerate(texts):
        own = [token for token in codec.encode(f" {text}") if token in told]
        if own:
            names[row] = own[0], own[-1]
    return names


def naming_loss(features: Tensor, named: Tensor, words: Tensor, telling: Tensor) -> Tensor:
    """Cross-entropy of each clip's two words among the telling ones.

    Args:
        features: What the language model sees of a clip, (batch, query tokens, width).
        named: First and last telling token, int64 (batch, 2), IGNORE_INDEX where there is none.
        words: Token embeddings (vocabulary, width).
        telling: bool (vocabulary,), the tokens to choose among.

    Returns:
        (batch,), the mean of the two; 0 for a clip without names.
    """
    middle = features.shape[1] // 2
    losses = []
    for half, target in zip(
        (features[:, : max(1, middle)], features[:, middle:]), named.T, strict=True
    ):
        seen = F.layer_norm(half.float().mean(dim=1), half.shape[-1:])
        likeness = (seen @ words.float().T).masked_fill(~telling, float("-inf"))
        losses.append(
            F.cross_entropy(likeness, target, reduction="none", ignore_index=IGNORE_INDEX)
        )
    return torch.stack(losses).mean(dim=0)
