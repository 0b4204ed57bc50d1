import torch

from eilev.training.augmentation.symmetry import SYMMETRIES, apply_symmetries


def clips(num_clips, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((num_clips, 3, 2, 8, 8), generator=generator)


def test_the_first_symmetry_changes_nothing_and_all_differ():
    one = clips(1)
    everything = apply_symmetries(one.repeat(len(SYMMETRIES), 1, 1, 1, 1), torch.arange(48))
    assert torch.equal(everything[0], one[0])
    assert len({clip.numpy().tobytes() for clip in everything}) == len(SYMMETRIES) == 48


def test_each_clip_undergoes_its_own_symmetry():
    pixels = clips(3)
    mirrored = SYMMETRIES.index((0, True, (0, 1, 2)))
    swapped = SYMMETRIES.index((0, False, (2, 1, 0)))
    changed = apply_symmetries(pixels, torch.tensor([mirrored, 0, swapped]))
    assert torch.equal(changed[0], pixels[0].flip(-1))
    assert torch.equal(changed[1], pixels[1])
    assert torch.equal(changed[2], pixels[2].flip(0))


def test_equal_clips_stay_equal_under_one_symmetry():
    pair = clips(1).repeat(2, 1, 1, 1, 1)
    changed = apply_symmetries(pair, torch.tensor([29, 29]))
    assert torch.equal(changed[0], changed[1])
    assert not torch.equal(changed[0], pair[0])
