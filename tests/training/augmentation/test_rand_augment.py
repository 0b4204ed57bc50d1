"""RandAugment against PIL's operations, and how it is drawn."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from eilev.training.augmentation.draws import seeded_generator
from eilev.training.augmentation.rand_augment import OPERATIONS, _draw, rand_augment

SIZE = 24


def frames(num_clips=2, num_frames=3, still=False):
    """Dark, coloured noise: every grey level statistic matters."""
    rng = np.random.default_rng(0)
    shape = (num_clips, 1 if still else num_frames, SIZE, SIZE, 3)
    values = (rng.beta(2, 4, shape) * [255, 200, 150]).astype(np.uint8)
    return torch.from_numpy(values).expand(-1, num_frames, -1, -1, -1)


def generators(num_clips, seed=0):
    return [seeded_generator(seed, clip) for clip in range(num_clips)]


def apply(name, strength, clip):
    """One operation on a uint8 clip (T, H, W, 3), back to uint8."""
    result = OPERATIONS[name](clip.permute(0, 3, 1, 2).float() / 255, strength).clamp(0, 1)
    return result.mul(255).round().byte().permute(0, 2, 3, 1).numpy()


PIL_TWINS = [
    ("brightness", 0.5, lambda image: ImageEnhance.Brightness(image).enhance(1.45)),
    ("brightness", -0.5, lambda image: ImageEnhance.Brightness(image).enhance(0.55)),
    ("contrast", 0.5, lambda image: ImageEnhance.Contrast(image).enhance(1.45)),
    ("saturation", -0.5, lambda image: ImageEnhance.Color(image).enhance(0.55)),
    ("sharpness", 0.5, lambda image: ImageEnhance.Sharpness(image).enhance(1.45)),
    ("autocontrast", 0.5, ImageOps.autocontrast),
    ("equalize", 0.5, ImageOps.equalize),
    ("invert", 0.5, ImageOps.invert),
    ("posterize", 0.5, lambda image: ImageOps.posterize(image, 2)),
    ("solarize", 0.5, lambda image: ImageOps.solarize(image, 128)),
]


@pytest.mark.parametrize(("name", "strength", "twin"), PIL_TWINS)
def test_colours_change_as_in_pil(name, strength, twin):
    clip = frames()[0]
    expected = np.stack([np.asarray(twin(Image.fromarray(frame.numpy()))) for frame in clip])
    result = apply(name, strength, clip)
    # PIL rounds in between.
    assert np.abs(result.astype(int) - expected.astype(int)).max() <= 2
    assert not np.array_equal(result, clip.numpy())


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        # From a result's pixel to the place that it is read at, in pixels about the centre.
        ("rotate", np.array([[np.cos(np.pi / 12), -np.sin(np.pi / 12), 0],
                             [np.sin(np.pi / 12), np.cos(np.pi / 12), 0]])),
        ("shear_x", np.array([[1, 0.15, 0], [0, 1, 0]])),
        ("shear_y", np.array([[1, 0, 0], [0.15, 1, 0]])),
        ("translate_x", np.array([[1, 0, 0.225 * SIZE], [0, 1, 0]])),
        ("translate_y", np.array([[1, 0, 0], [0, 1, 0.225 * SIZE]])),
    ],
)  # fmt: skip
def test_shapes_change_as_in_pil(name, matrix):
    clip = frames()[0]
    centre = np.array([SIZE / 2, SIZE / 2])
    offset = matrix[:, 2] + centre - matrix[:, :2] @ centre
    data = (*matrix[0, :2], offset[0], *matrix[1, :2], offset[1])
    result = apply(name, 0.5, clip)
    for frame, changed in zip(clip, result, strict=True):
        image = Image.fromarray(frame.numpy())
        twin = image.transform(
            image.size,
            Image.Transform.AFFINE,
            data,
            Image.Resampling.BILINEAR,
            fillcolor=(128,) * 3,
        )
        # PIL fills a pixel whose neighbours lie outside, we read half of it.
        differs = np.abs(changed.astype(int) - np.asarray(twin).astype(int)).max(axis=2) > 3
        assert differs.mean() < 0.15
        assert not differs[8:-8, 8:-8].any()
    corners = result[:, [0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
    assert np.abs(corners - 128).max(axis=2).min() <= 1


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_flat_clip_stays_finite(name):
    flat = torch.full((1, SIZE, SIZE, 3), 90, dtype=torch.uint8)
    assert apply(name, 0.5, flat).shape == flat.shape


def test_all_frames_of_a_clip_are_changed_alike():
    still = frames(num_clips=8, still=True)
    changed = rand_augment(still, 5, generators(len(still)))
    assert changed.dtype == torch.uint8
    assert torch.equal(changed, changed[:, :1].expand_as(changed))
    assert not torch.equal(changed, still)


def test_draws_depend_on_the_generator_only():
    first, second = (rand_augment(frames(), 5, generators(2, seed)) for seed in (3, 3))
    assert torch.equal(first, second)
    assert not torch.equal(first, rand_augment(frames(), 5, generators(2, 4)))


def test_two_different_operations_each_with_a_chance_of_one_half():
    draws = _draw(5, generators(4000))
    sizes = np.bincount([len(clip) for clip in draws], minlength=3)
    assert sizes / 4000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    names = [[name for name, _ in clip] for clip in draws]
    assert all(len(set(clip)) == len(clip) for clip in names)
    flat = [name for clip in names for name in clip]
    shares = [flat.count(name) / len(flat) for name in OPERATIONS]
    assert shares == pytest.approx([1 / 14] * 14, abs=0.015)
    strengths = np.array([strength for clip in draws for _, strength in clip])
    assert np.abs(strengths).mean() == pytest.approx(0.5, abs=0.01)
    assert np.abs(strengths).std() == pytest.approx(0.05, abs=0.01)
    assert (strengths < 0).mean() == pytest.approx(0.5, abs=0.03)
