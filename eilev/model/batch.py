"""Episodes and their clips as the model's inputs."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eilev.inputs.interleave import Layout, interleave, pad_layouts
from eilev.inputs.preprocess import preprocess
from eilev.inputs.turns import Request, Turn
from eilev.model.checkpoint import LoadedModel


def make_batch(loaded: LoadedModel, episodes: Sequence[Request]) -> dict[str, Tensor]:
    """Inputs of `VideoBlip` on its device, padded on the left, `labels` among them.

    Raises:
        ValueError: a clip is not uint8 (time, height, width, 3), or clips differ in length.
    """
    layouts = [make_layout(loaded, turns) for turns, _ in episodes]
    arrays = pad_layouts(layouts, loaded.codec.pad_id, "left")
    clips = [preprocess(clip, loaded.preprocessing) for _, clips in episodes for clip in clips]
    batch: dict[str, Tensor] = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if clips:
        batch["pixel_values"] = torch.from_numpy(np.stack(clips))
    return {name: tensor.to(loaded.model.device) for name, tensor in batch.items()}


def make_layout(loaded: LoadedModel, turns: Sequence[Turn]) -> Layout:
    """Token layout of an episode, with the loss on its query."""
    return interleave(
        turns,
        loaded.codec,
        loaded.model.config.num_query_tokens,
        encoder_decoder=loaded.model.family.encoder_decoder,
        loss_on="query",
    )
