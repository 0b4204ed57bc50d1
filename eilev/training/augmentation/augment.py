"""Training clips on their way to the model: random changes, resize and normalisation in torch.

Everything runs on the whole batch at once and on the device where the frames lie, so that a step
is spent in the model. Evaluation and serving use eilev.inputs.preprocess, which this module equals
where nothing random is asked for.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from eilev.config.train import AugmentConfig
from eilev.inputs.preprocess import Preprocessing
from eilev.training.augmentation.draws import Generators, normal, uniform
from eilev.training.augmentation.rand_augment import rand_augment

# Few enough for their floats to stay in a processor's cache: twice as fast as a whole batch.
_CLIPS_AT_ONCE = 8


def augment(
    frames: Tensor, config: AugmentConfig, image_size: int, generators: Generators
) -> Tensor:
    """RandAugment, crop, flip, recolour, add noise: one draw per clip, the same for all its frames.

    The crop is a square window of random area (RandomResizedCrop of the reference, without its
    change of the aspect ratio: stored frames are squashed squares already). Colour changes are
    linear and unclipped; brightness scales the clip's mean, contrast the distance from it.
    Windows are read bilinearly, good down to half their size: the reference stores frames at twice
    the vision size.

    Args:
        frames: uint8 (num_clips, T, H, W, 3).
        config: Ranges of the changes; a range of width 0 leaves its property alone.
        image_size: Side of the result in pixels.
        generators: Source of each clip's draws.

    Returns:
        float32 (num_clips, 3, T, image_size, image_size), full range [0, 1] before the noise.
    """
    if config.randaugment:
        frames = rand_augment(frames, config.randaugment, generators)
    pixels = _resample(frames, config, image_size, generators).div_(255.0)
    # In place from here on: memory traffic is what all this costs.
    if config.brightness or config.contrast:
        _recolour(pixels, config, generators)
    if config.noise:
        # The noise of a sensor: independent in every frame.
        pixels.add_(normal(generators, *pixels.shape[1:]), alpha=config.noise)
    return pixels.transpose(1, 2)


def normalise(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Subtract the mean and divide by the deviation of each channel.

    Args:
        pixels: float (num_clips, 3, T, H, W) in [0, 1].
        preprocessing: Holds mean and std per channel.
    """
    shape = (1, 3, 1, 1, 1)
    mean = pixels.new_tensor(preprocessing.mean).view(shape)
    std = pixels.new_tensor(preprocessing.std).view(shape)
    return torch.sub(pixels, mean).div_(std)


def _resample(frames: Tensor, config: AugmentConfig, size: int, generators: Generators) -> Tensor:
    """Crop, flip and resize: float32 (num_clips, T, 3, size, size), in grey levels."""
    num_clips, num_frames = frames.shape[:2]
    grid = None
    if config.crop_scale != (1.0, 1.0) or config.horizontal_flip:
        theta = _draw_windows(config, generators)
        grid = F.affine_grid(theta, [num_clips, 1, size, size], align_corners=False)
    result = torch.empty((num_clips, num_frames, 3, size, size), device=frames.device)
    for start in range(0, num_clips, _CLIPS_AT_ONCE):
        part = slice(start, start + _CLIPS_AT_ONCE)
        # (num_clips, T * 3, H, W), contiguous: a strided view makes grid_sample crawl.
        planes = frames[part].permute(0, 1, 4, 2, 3).contiguous().float().flatten(1, 2)
        if grid is not None:
            # All frames of a clip go through the same grid as its channels.
            window = grid[part]
            planes = F.grid_sample(planes, window, padding_mode="border", align_corners=False)
        elif planes.shape[-2:] != (size, size):
            planes = F.interpolate(planes, (size, size), mode="bicubic", antialias=True)
        result[part] = planes.reshape(-1, num_frames, 3, size, size)
    return result


def _draw_windows(config: AugmentConfig, generators: Generators) -> Tensor:
    """Affine maps (num_clips, 2, 3) from the result to a random window inside the frame."""
    low, high = config.crop_scale
    draws = uniform(generators, 4)
    side = (low + (high - low) * draws[:, 0]).sqrt()
    centre = (1.0 - side)[:, None] * (2.0 * draws[:, 1:3] - 1.0)
    flip = 1.0 - 2.0 * (draws[:, 3] < config.horizontal_flip).float()
    theta = torch.zeros(len(draws), 2, 3, device=draws.device)
    theta[:, 0, 0] = side * flip
    theta[:, 1, 1] = side
    theta[:, :, 2] = centre
    return theta


def _recolour(pixels: Tensor, config: AugmentConfig, generators: Generators) -> None:
    """Scale the mean (brightness) and the deviations from it (contrast) of each clip, in place."""
    draws = 2.0 * uniform(generators, 2) - 1.0
    contrast, brightness = (
        1.0 + width * draw.view(-1, 1, 1, 1, 1)
        for width, draw in zip((config.contrast, config.brightness), draws.T, strict=True)
    )
    mean = pixels.mean(dim=(1, 2, 3, 4), keepdim=True)
    # (pixels - mean) * contrast + mean * brightness
    pixels.mul_(contrast).add_(mean * (brightness - contrast))
