"""RandAugment (arXiv 1909.13719) on clips, in torch alone.

The operations, their ranges and how they are drawn are those of pytorchvideo, which the reference
uses: two of fourteen operations, each with a chance of one half, at a magnitude near the given one.
Values are taken as shares of the full range: a solarized clip turns round above a grey level, and
what a turned or shifted frame leaves empty is mid-grey.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from eilev.training.augmentation.draws import Generators, normal, uniform

NUM_OPERATIONS = 2
PROBABILITY = 0.5
MAX_MAGNITUDE = 10
# Standard deviation of the magnitude.
_SPREAD = 0.5
_FILL = 0.5
_LUMA = (0.2989, 0.587, 0.114)

# Changes float frames (T, 3, H, W) in [0, 1]; the strength is a share of the operation's range,
# negative for the opposite direction where it has one.
Operation = Callable[[Tensor, float], Tensor]


def rand_augment(frames: Tensor, magnitude: int, generators: Generators) -> Tensor:
    """Change each clip by operations drawn for it, the same for all its frames.

    Args:
        frames: uint8 (num_clips, T, H, W, 3).
        magnitude: 1 to 10.
        generators: Source of each clip's draws.

    Returns:
        Like `frames`.
    """
    draws = _draw(magnitude, generators)
    changed = [_change(clip, drawn) for clip, drawn in zip(frames, draws, strict=True)]
    return torch.stack(changed)


def _draw(magnitude: int, generators: Generators) -> list[list[tuple[str, float]]]:
    """Operations and strengths of each clip."""
    chosen = uniform(generators, len(OPERATIONS)).argsort(dim=1)[:, :NUM_OPERATIONS]
    applied = uniform(generators, NUM_OPERATIONS) < PROBABILITY
    sign = torch.where(uniform(generators, NUM_OPERATIONS) < PROBABILITY, -1.0, 1.0)
    noise = normal(generators, NUM_OPERATIONS)
    strength = sign * (magnitude + _SPREAD * noise).clamp(0, MAX_MAGNITUDE) / MAX_MAGNITUDE
    names = list(OPERATIONS)
    rows = zip(chosen.tolist(), applied.tolist(), strength.tolist(), strict=True)
    return [[(names[k], s) for k, use, s in zip(*row, strict=True) if use] for row in rows]


def _change(clip: Tensor, drawn: list[tuple[str, float]]) -> Tensor:
    if not drawn:
        return clip
    frames = clip.permute(0, 3, 1, 2).float().div(255.0)  # (T, 3, H, W)
    for name, strength in drawn:
        frames = OPERATIONS[name](frames, strength).clamp(0.0, 1.0)
    return frames.mul(255.0).round().to(torch.uint8).permute(0, 2, 3, 1)


def _blend(frames: Tensor, other: Tensor, strength: float) -> Tensor:
    """Away from `other` (factor up to 1.9) or towards it (down to 0.1)."""
    return other + (1.0 + 0.9 * strength) * (frames - other)


def _grey(frames: Tensor) -> Tensor:
    weights = frames.new_tensor(_LUMA).view(1, 3, 1, 1)
    return (frames * weights).sum(dim=1, keepdim=True)


def _brightness(frames: Tensor, strength: float) -> Tensor:
    return _blend(frames, torch.zeros_like(frames), strength)


def _contrast(frames: Tensor, strength: float) -> Tensor:
    return _blend(frames, _grey(frames).mean(dim=(1, 2, 3), keepdim=True), strength)


def _saturation(frames: Tensor, strength: float) -> Tensor:
    return _blend(frames, _grey(frames), strength)


def _sharpness(frames: Tensor, strength: float) -> Tensor:
    kernel = frames.new_ones(3, 1, 3, 3)
    kernel[:, :, 1, 1] = 5.0
    smooth = frames.clone()
    # The border has no neighbours to be smoothed with.
    smooth[..., 1:-1, 1:-1] = F.conv2d(frames, kernel / 13.0, groups=3)
    return _blend(frames, smooth, strength)


def _autocontrast(frames: Tensor, strength: float) -> Tensor:  # noqa: ARG001
    low, high = (edge(dim=(2, 3), keepdim=True) for edge in (frames.amin, frames.amax))
    stretched = (frames - low) / (high - low).clamp_min(1e-6)
    return torch.where(high > low, stretched, frames)


def _equalize(frames: Tensor, strength: float) -> Tensor:  # noqa: ARG001
    """Make the grey levels of each channel of each frame equally frequent, as PIL does."""
    levels = frames.mul(255.0).round().long().flatten(2)  # (T, 3, H * W)
    counts = torch.zeros(*levels.shape[:2], 256, dtype=torch.long, device=frames.device)
    counts.scatter_add_(2, levels, torch.ones_like(levels))
    # All pixels but those of the brightest level, shared out over 255 steps.
    last = counts.gather(2, levels.amax(dim=2, keepdim=True))
    step = (counts.sum(dim=2, keepdim=True) - last) // 255
    before = counts.cumsum(dim=2) - counts
    table = ((before + step // 2) // step.clamp_min(1)).clamp(max=255)
    equal = table.gather(2, levels).view_as(frames).to(frames.dtype) / 255.0
    return torch.where(step[..., None] > 0, equal, frames)


def _invert(frames: Tensor, strength: float) -> Tensor:  # noqa: ARG001
    return 1.0 - frames


def _posterize(frames: Tensor, strength: float) -> Tensor:
    """Keep the 4 highest bits of each grey level, or fewer: 2 at half the range."""
    dropped = 4 + int(4 * abs(strength))
    levels = frames.mul(255.0).round().int()
    return ((levels >> dropped) << dropped).to(frames.dtype) / 255.0


def _solarize(frames: Tensor, strength: float) -> Tensor:
    return torch.where(frames >= 1.0 - abs(strength), 1.0 - frames, frames)


def _rotate(frames: Tensor, strength: float) -> Tensor:
    angle = math.radians(30.0 * strength)
    cos, sin = math.cos(angle), math.sin(angle)
    return _warp(frames, ((cos, -sin, 0.0), (sin, cos, 0.0)))


def _shear_x(frames: Tensor, strength: float) -> Tensor:
    return _warp(frames, ((1.0, 0.3 * strength, 0.0), (0.0, 1.0, 0.0)))


def _shear_y(frames: Tensor, strength: float) -> Tensor:
    return _warp(frames, ((1.0, 0.0, 0.0), (0.3 * strength, 1.0, 0.0)))


def _translate_x(frames: Tensor, strength: float) -> Tensor:
    # The grid reaches from -1 to 1.
    return _warp(frames, ((1.0, 0.0, 2 * 0.45 * strength), (0.0, 1.0, 0.0)))


def _translate_y(frames: Tensor, strength: float) -> Tensor:
    return _warp(frames, ((1.0, 0.0, 0.0), (0.0, 1.0, 2 * 0.45 * strength)))


def _warp(frames: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Read each pixel of the (square) result where `matrix` maps it to, centre and sides +-1."""
    theta = frames.new_tensor(matrix).expand(len(frames), 2, 3)
    grid = F.affine_grid(theta, list(frames.shape), align_corners=False)
    # Zero outside, so mid-grey after the shift.
    return F.grid_sample(frames - _FILL, grid, align_corners=False) + _FILL


OPERATIONS: dict[str, Operation] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "sharpness": _sharpness,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "invert": _invert,
    "rotate": _rotate,
    "posterize": _posterize,
    "solarize": _solarize,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
