"""Frozen eyes, which see each clip and view once."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from eilev.clips.cache import ClipCache
from eilev.ids import id_array
from eilev.inputs.preprocess import Preprocessing
from eilev.training.batches import NO_AUGMENTATION
from eilev.training.features import Eyes, Wanted, encode_once
from tests.kitchen import make_kitchen, tiny_train_config, train_phase
from tests.tiny import IMAGE_SIZE, tiny_model
from tests.training.tiny_run import run

TOWER, BOTH = ("vision_model",), ("vision_model", "qformer")


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen(num_clips=48)


@pytest.fixture
def encode(kitchen, tmp_path):
    """Encode the kitchen's clips; returns store, number of clips encoded, calls of the tower."""
    model = tiny_model().model.eval()
    frames = ClipCache(kitchen.clips, kitchen.clips, show_progress=False)
    wanted = Wanted(
        tmp_path / "features",
        id_array(sorted(kitchen.clips)),
        2,
        tiny_train_config().augment,
        seed=0,
    )
    calls = []
    model.vision_model.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))

    def run_once(**changes):
        calls.clear()
        own = replace(wanted, **changes)
        size = Preprocessing(IMAGE_SIZE)
        store, count = encode_once(own, Eyes(model, frames, size, Accelerator()))
        return store, count, sum(calls)

    run_once.model = model
    return run_once


def test_each_clip_and_view_is_encoded_once(encode, kitchen):
    store, count, images = encode()
    num_frames = len(next(iter(kitchen.clips.values())))
    assert count == 2 * len(kitchen.clips)
    # One more clip tells the size of the files.
    assert images == num_frames * (count + 1)
    again, none, no_images = encode()
    assert (none, no_images) == (0, 0)
    pairs = [(clip, view) for clip in list(kitchen.clips)[:3] for view in (0, 1)]
    assert torch.equal(store.take(pairs), again.take(pairs))
    assert isinstance(store.views[0], np.memmap)


def test_views_differ_and_epochs_draw_them_all(encode, kitchen):
    store, _, _ = encode()
    clip = next(iter(kitchen.clips))
    first, second = store.take([(clip, 0), (clip, 1)])
    assert not torch.allclose(first, second, atol=1e-3)
    assert {store.view(clip, epoch) for epoch in range(20)} == {0, 1}
    plain, _, _ = encode(views=1, augment=NO_AUGMENTATION)
    assert not torch.allclose(plain.take([(clip, 0)])[0], first, atol=1e-3)


def test_another_tower_is_encoded_anew(encode):
    _, first, _ = encode()
    with torch.no_grad():
        next(encode.model.vision_model.parameters()).add_(0.1)
    assert encode()[1] == first


def test_a_frozen_qformer_is_seen_through_as_well(encode):
    encode.model.freeze(TOWER)
    assert encode()[0].views[0].shape[2] == encode.model.vision_model.config.hidden_size
    encode.model.freeze(BOTH)
    store, count, _ = encode()
    assert store.views[0].shape[1:] == encode.model.query_tokens.shape[1:]
    assert count
    with torch.no_grad():
        encode.model.query_tokens.add_(0.1)
    assert encode()[1] == count


@pytest.mark.parametrize("frozen", [TOWER, BOTH], ids=len)
def test_the_losses_are_those_of_eyes_that_see_every_showing(kitchen, tmp_path, frozen):
    """To 1e-3, augmentation off."""
    still = {"phases": (train_phase(freeze=frozen),), "augment": NO_AUGMENTATION}
    every = run(tmp_path / "every", kitchen, **still)[2]
    result, _, once, _ = run(tmp_path / "once", kitchen, views=1, **still)
    for name in ("train/loss", "val/loss"):
        assert once.column(name) == pytest.approx(every.column(name), abs=1e-3)
    assert result.effort.phases["contexts"].encoded_once > 0


def test_a_phase_that_trains_its_eyes_encodes_nothing_once(kitchen, tmp_path):
    assert run(tmp_path, kitchen, views=2)[0].effort.phases["contexts"].encoded_once == 0


# A file system of 1 MiB of its own, in a name space that ends with the process.
MOUNT = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
FULL = """
import sys
from pathlib import Path
import numpy as np
from eilev.training.features import _allocate, _write
kind, disk = np.dtype(np.float16), Path(sys.argv[1])
_allocate(disk / "fits", (4, 1000), kind)
_write(disk / "fits", range(1, 3), np.ones((2, 1000), np.float32))
assert np.load(disk / "fits").sum(1).tolist() == [0, 1000, 1000, 0]
_allocate(disk / "does not", (1024, 1024), kind)
"""


def test_a_full_disk_is_named_before_any_work(tmp_path):
    own = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel gives users no name spaces of their own to mount a disk in")
    command = [*own, MOUNT, "sh", tmp_path, sys.executable, FULL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told = f"No space left on device, nothing of it is kept: '{tmp_path}/does not'"
    assert told in done.stderr.splitlines()[-1]
