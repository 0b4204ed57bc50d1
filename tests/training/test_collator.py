from dataclasses import replace

import numpy as np
import pytest
import torch

from eilev.clips.cache import ClipCache
from eilev.inputs.interleave import IGNORE_INDEX, interleave
from eilev.inputs.turns import Turn
from eilev.training.augmentation.augment import normalise
from eilev.training.collator import InterleavedCollator
from eilev.training.dataset import EpisodeItem
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_model


@pytest.fixture(scope="module")
def loaded():
    return tiny_model()


@pytest.fixture(scope="module")
def clips():
    return dict(zip("abc", tiny_clips(3), strict=True))


def item(loaded, clip_ids):
    turns = [Turn(PROMPT, NARRATIONS[i]) for i in range(len(clip_ids))]
    layout = interleave(turns, loaded.codec, 3, encoder_decoder=False, loss_on="all")
    return EpisodeItem(layout, tuple(clip_ids))


def test_shorter_episodes_are_padded_without_loss(loaded, clips):
    collator = InterleavedCollator(ClipCache(clips, clips), loaded.codec.pad_id)
    long, short = item(loaded, "abc"), item(loaded, "b")
    batch = collator([long, short])
    length, used = len(long.layout.input_ids), len(short.layout.input_ids)
    assert batch["input_ids"].shape == (2, length)
    assert batch["attention_mask"].sum(1).tolist() == [length, used]
    assert (batch["labels"][1, used:] == IGNORE_INDEX).all()
    left = InterleavedCollator(ClipCache(clips, clips), loaded.codec.pad_id, "left")([long, short])
    assert left["attention_mask"][1].tolist() == [0] * (length - used) + [1] * used


def test_each_clip_is_stacked_once_and_indexed_in_placeholder_order(loaded, clips):
    collator = InterleavedCollator(ClipCache(clips, clips), loaded.codec.pad_id)
    batch = collator([item(loaded, "cab"), item(loaded, "ac")])
    assert batch["frames"].shape[0] == 3
    assert batch["frames"].dtype == torch.uint8
    in_order = batch["frames"][batch["clip_index"]].numpy()
    assert np.array_equal(in_order, np.stack([clips[name] for name in "cabac"]))


def test_encoding_distinct_clips_gives_the_loss_of_encoding_all(loaded, clips):
    collator = InterleavedCollator(ClipCache(clips, clips), loaded.codec.pad_id)
    batch = collator([item(loaded, "cab"), item(loaded, "ac")])
    assert not batch.pop("symmetry").any()
    assert len(batch.pop("clip_key")) == 3
    assert len(batch.pop("named")) == 2
    pixels = batch.pop("frames").permute(0, 4, 1, 2, 3).float() / 255
    pixels, index = normalise(pixels, loaded.preprocessing), batch.pop("clip_index")
    with torch.no_grad():
        features = loaded.model.encode_videos(pixels)[index]
        once = loaded.model(video_features=features, **batch)
        each = loaded.model(pixel_values=pixels[index], **batch)
    torch.testing.assert_close(once.loss, each.loss)


def test_a_clip_under_two_symmetries_counts_twice(loaded, clips):
    collator = InterleavedCollator(ClipCache(clips, clips), loaded.codec.pad_id)
    turned = replace(item(loaded, "ca"), symmetry=5)
    batch = collator([item(loaded, "ab"), turned])
    assert batch["symmetry"][batch["clip_index"]].tolist() == [0, 0, 5, 5]
    in_order = batch["frames"][batch["clip_index"]].numpy()
    assert np.array_equal(in_order, np.stack([clips[name] for name in "abca"]))


def test_a_clip_has_the_same_key_in_every_batch(loaded, clips):
    collator = InterleavedCollator(ClipCache(clips, clips), loaded.codec.pad_id)
    first, second = collator([item(loaded, "ab")]), collator([item(loaded, "cb")])
    assert first["clip_key"][1] == second["clip_key"][0]
    assert len(set(first["clip_key"].tolist() + second["clip_key"].tolist())) == 3
