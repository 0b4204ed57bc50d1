"""Symmetries of looks: the same change for every clip of an episode.

Where the words of an episode are permuted, only its context tells what a look is called. So its
videos may be turned, mirrored and recoloured together without making a label wrong, and a few
hundred actions become many times as many: what permuted words are to text, this is to video.
"""

from itertools import permutations, product

import torch
from torch import Tensor

# Quarter turns, mirrored or not, order of the colour channels; the first changes nothing.
SYMMETRIES: tuple[tuple[int, bool, tuple[int, ...]], ...] = tuple(
    product(range(4), (False, True), permutations(range(3)))
)


def apply_symmetries(pixels: Tensor, symmetry: Tensor) -> Tensor:
    """Change each clip by its symmetry.

    Args:
        pixels: float (num_clips, 3, T, size, size).
        symmetry: int64 (num_clips,), rows of SYMMETRIES.

    Returns:
        Like `pixels`; `pixels` itself where nothing is to be changed.
    """
    if not bool(symmetry.any()):
        return pixels
    changed = pixels.clone()
    for number in torch.unique(symmetry).tolist():
        turns, mirrored, channels = SYMMETRIES[number]
        members = symmetry == number
        clips = torch.rot90(pixels[members][:, list(channels)], turns, dims=(-2, -1))
        changed[members] = clips.flip(-1) if mirrored else clips
    return changed
