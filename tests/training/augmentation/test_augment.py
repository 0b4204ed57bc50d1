import numpy as np
import pytest
import torch

from eilev.config.train import AugmentConfig
from eilev.inputs.preprocess import Preprocessing, preprocess
from eilev.training.augmentation.augment import augment, normalise
from eilev.training.augmentation.draws import seeded_generator

OFF = {
    "randaugment": 0,
    "crop_scale": (1.0, 1.0),
    "horizontal_flip": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "noise": 0.0,
    "symmetries": False,
}


def config(**changes):
    return AugmentConfig(**OFF | changes)


def random_frames(num_clips=3, num_frames=2, size=16):
    rng = np.random.default_rng(0)
    shape = (num_clips, num_frames, size, size, 3)
    return torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8))


def still_frames(num_clips=4, num_frames=3, size=16):
    """Clips whose frames are all the same."""
    return random_frames(num_clips, 1, size).expand(-1, num_frames, -1, -1, -1)


def generators(num_clips, seed=0):
    return [seeded_generator(seed, clip) for clip in range(num_clips)]


def run(frames, size=16, seed=0, **changes):
    return augment(frames, config(**changes), size, generators(len(frames), seed))


def test_without_augmentation_training_sees_what_evaluation_sees():
    frames, preprocessing = random_frames(), Preprocessing(16)
    pixels = normalise(run(frames), preprocessing)
    expected = np.stack([preprocess(clip.numpy(), preprocessing) for clip in frames])
    torch.testing.assert_close(pixels, torch.from_numpy(expected), atol=1e-3, rtol=0)


def test_without_augmentation_larger_frames_are_resized_as_in_evaluation():
    frames, preprocessing = random_frames(size=32), Preprocessing(16)
    pixels = normalise(run(frames), preprocessing)
    expected = np.stack([preprocess(clip.numpy(), preprocessing) for clip in frames])
    # PIL rounds to whole grey levels.
    torch.testing.assert_close(pixels, torch.from_numpy(expected), atol=0.03, rtol=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"randaugment": 5},
        {"crop_scale": (0.3, 1.0)},
        {"horizontal_flip": 0.5},
        {"brightness": 0.5},
        {"contrast": 0.5},
    ],
)
def test_one_draw_per_clip_and_the_same_for_its_frames(changes):
    same_clips = still_frames(num_clips=1).expand(8, -1, -1, -1, -1)
    pixels = run(same_clips, **changes)
    assert torch.equal(pixels[:, :, 0], pixels[:, :, 1])
    assert not torch.allclose(pixels[0], pixels[1:], atol=1e-3)


def test_noise_differs_in_every_frame_and_has_the_configured_deviation():
    frames = still_frames(num_clips=8)
    noise = run(frames, noise=0.05) - run(frames)
    assert not torch.equal(noise[:, :, 0], noise[:, :, 1])
    assert noise.std().item() == pytest.approx(0.05, rel=0.05)


def test_flip_mirrors_from_left_to_right():
    frames = random_frames()
    torch.testing.assert_close(
        run(frames, horizontal_flip=1.0), run(frames).flip(-1), atol=1e-5, rtol=0
    )


def test_crop_is_a_window_of_the_configured_area():
    ramp = torch.arange(64, dtype=torch.uint8).view(1, 1, 1, 64, 1).expand(32, 1, 64, 64, 3) * 4
    pixels = run(ramp, size=64, crop_scale=(0.25, 0.25))
    width = (pixels[..., -1] - pixels[..., 0]) * 255 / 4
    # Half the side; the first and the last pixel's centres lie half a pixel inside.
    torch.testing.assert_close(width, torch.full_like(width, 31.5), atol=0.01, rtol=0)


def test_brightness_scales_the_mean_and_contrast_leaves_it():
    frames = random_frames(num_clips=16)
    means = run(frames).mean(dim=(1, 2, 3, 4))
    factors = run(frames, brightness=0.5).mean(dim=(1, 2, 3, 4)) / means
    assert 0.5 <= factors.min() < factors.max() <= 1.5
    contrasted = run(frames, contrast=0.5)
    torch.testing.assert_close(contrasted.mean(dim=(1, 2, 3, 4)), means)
    assert not torch.allclose(contrasted, run(frames), atol=1e-2)


def test_a_clip_changes_alike_in_whatever_batch_it_is():
    everything = {"crop_scale": (0.5, 1.0), "brightness": 0.2, "contrast": 0.2, "noise": 0.1}
    settings, frames = config(randaugment=5, horizontal_flip=0.5, **everything), random_frames()
    together = augment(frames, settings, 16, generators(3))
    alone = [augment(frames[i : i + 1], settings, 16, [generators(3)[i]]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_draws_depend_on_the_keys_only():
    everything = {"crop_scale": (0.5, 1.0), "brightness": 0.2, "noise": 0.1}
    frames = random_frames()
    assert torch.equal(run(frames, seed=1, **everything), run(frames, seed=1, **everything))
    assert not torch.equal(run(frames, seed=1, **everything), run(frames, seed=2, **everything))
    seeds = {seeded_generator(*keys).initial_seed() for keys in [(0, 1), (1, 0), (0, 1, 1), (2,)]}
    assert len(seeds) == 4


def test_nothing_is_drawn_where_nothing_is_asked_for():
    (generator,) = generators(1)
    before = generator.get_state()
    augment(random_frames(num_clips=1), config(), 16, [generator])
    assert torch.equal(generator.get_state(), before)


def test_randaugment_comes_first_and_leaves_the_range():
    frames = still_frames(num_clips=16, size=32)
    pixels = run(frames, randaugment=5, crop_scale=(0.5, 1.0))
    assert -1e-6 <= pixels.min() < pixels.max() <= 1.0 + 1e-6
    assert not torch.allclose(pixels, run(frames, crop_scale=(0.5, 1.0)), atol=0.02)
