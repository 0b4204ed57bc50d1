"""What frozen eyes see of clips, computed once for each clip and view.

A vision tower that a phase does not train says the same of the same pixels at every showing, and it
is the dearest part of a large model; so does a Q-Former where it is frozen as well. So what comes
out of the last frozen one is written once into memory-mapped files, for a few views (augmentations)
of each clip, of which every epoch draws one.
"""

import hashlib
import json
import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from eilev.clips.cache import ClipCache
from eilev.config.train import AugmentConfig
from eilev.ids import Ids
from eilev.inputs.preprocess import Preprocessing
from eilev.io import naming_the_full, read_json, write_json
from eilev.model.video_blip import VideoBlip
from eilev.training.batches import model_inputs
from eilev.training.collator import clip_key

# Clips that are seen at once.
_CHUNK = 64


@dataclass(frozen=True)
class Wanted:
    """Which features are wanted, and of what.

    folder: where they are written. clip_ids: of every clip that will be asked for. views: how many
    augmentations of each. seed: of the augmentations.
    """

    folder: Path
    clip_ids: "pa.StringArray"
    views: int
    augment: AugmentConfig
    seed: int


# What EpisodeModel calls the outputs of the two that may be frozen, from the last one to the first.
SeenBy = Literal["queries", "frame_tokens"]


@dataclass(frozen=True)
class Eyes:
    """Frozen eyes and what they work with.

    model: its vision tower is frozen, and perhaps its Q-Former. frames: where the clips' frames
    come from. preprocessing: the model's. accelerator: device, precision and processes; all of them
    must see the folder.
    """

    model: VideoBlip
    frames: ClipCache
    preprocessing: Preprocessing
    accelerator: Accelerator

    @property
    def seen_by(self) -> SeenBy:
        """What the last frozen one of them makes of a clip."""
        return "queries" if "qformer" in self.model.frozen else "frame_tokens"

    def see(self, pixel_values: Tensor) -> Tensor:
        """Float32 (num_clips, tokens, width) of (num_clips, 3, T, h, w)."""
        with torch.no_grad(), self.accelerator.autocast():
            if self.seen_by == "queries":
                return self.model.encode_queries(pixel_values).float()
            return self.model.frame_tokens(pixel_values).float()


@dataclass(frozen=True)
class FeatureStore:
    """What is seen of clips in memory-mapped files, one for each view."""

    seen_by: SeenBy
    ids: Ids
    # float (num_clips, tokens, width) each.
    views: Sequence[NDArray[np.floating]]
    seed: int

    def view(self, clip_id: str, epoch: int) -> int:
        """Which view of a clip an epoch shows."""
        return zlib.crc32(f"{self.seed}/{epoch}/{clip_id}".encode()) % len(self.views)

    def take(self, clips: Sequence[tuple[str, int]]) -> Tensor:
        """What is seen of (clip, view) pairs: float32 (num_clips, tokens, width)."""
        rows = self.ids.find([clip_id for clip_id, _ in clips]).tolist()
        taken = np.stack(
            [self.views[view][row] for row, (_, view) in zip(rows, clips, strict=True)]
        )
        return torch.from_numpy(taken.astype(np.float32))


def encode_once(wanted: Wanted, eyes: Eyes) -> tuple[FeatureStore, int]:
    """Look at every clip and view, sharing the clips among the processes.

    What an earlier call wrote for the same eyes, clips and views is used again.

    Returns:
        The features, and how many clips were encoded by all processes: clips x views, or 0 where
        all were there already.
    """
    accelerator, print_of = eyes.accelerator, wanted.folder / "of.json"
    wanted_print = _fingerprint(wanted, eyes)
    found = print_of.is_file() and read_json(print_of) == wanted_print
    accelerator.wait_for_everyone()
    if not found:
        _encode(wanted, eyes)
        if accelerator.is_main_process:
            write_json(wanted_print, print_of)
        accelerator.wait_for_everyone()
    paths = [_file(wanted, view) for view in range(wanted.views)]
    store = FeatureStore(
        seen_by=eyes.seen_by,
        ids=Ids(wanted.clip_ids),
        views=[np.load(path, mmap_mode="r") for path in paths],
        seed=wanted.seed,
    )
    return store, 0 if found else len(wanted.clip_ids) * wanted.views


def _file(wanted: Wanted, view: int) -> Path:
    return wanted.folder / f"view-{view}.npy"


def _encode(wanted: Wanted, eyes: Eyes) -> None:
    accelerator = eyes.accelerator
    chunks = [
        range(start, min(start + _CHUNK, len(wanted.clip_ids)))
        for start in range(0, len(wanted.clip_ids), _CHUNK)
    ]
    if accelerator.is_main_process:
        wanted.folder.mkdir(parents=True, exist_ok=True)
        (wanted.folder / "of.json").unlink(missing_ok=True)
        shape = _seen(wanted, eyes, 0, range(1)).shape[1:]
        kind = np.dtype(np.float32 if accelerator.mixed_precision == "no" else np.float16)
        for view in range(wanted.views):
            _allocate(_file(wanted, view), (len(wanted.clip_ids), *shape), kind)
    accelerator.wait_for_everyone()
    mine = chunks[accelerator.process_index :: accelerator.num_processes]
    bar = tqdm(
        desc="frozen eyes, once for each clip and view, this process",
        total=wanted.views * sum(map(len, mine)),
        unit="clip",
        disable=not accelerator.is_main_process,
    )
    for view in range(wanted.views):
        for rows in mine:
            _write(_file(wanted, view), rows, _seen(wanted, eyes, view, rows).cpu().numpy())
            bar.update(len(rows))
    bar.close()
    accelerator.wait_for_everyone()


# On a full disk, writing into a mapped file kills the process (SIGBUS). So the whole file is asked
# for first, before hours of work, and then written to, which some file systems may still refuse.
def _allocate(path: Path, shape: tuple[int, ...], kind: "np.dtype[Any]") -> None:
    """Begin a file of numpy's format whose rows `_write` fills in, with room for all of it."""
    header = {"descr": kind.str, "fortran_order": False, "shape": shape}
    with naming_the_full(path), path.open("wb", buffering=0) as file:
        np.lib.format.write_array_header_2_0(file, header)
        start = file.tell()
        os.posix_fallocate(file.fileno(), 0, start + kind.itemsize * math.prod(shape))


def _write(path: Path, rows: range, values: NDArray[np.float32]) -> None:
    """Write some rows of the file."""
    whole = np.load(path, mmap_mode="r")
    content = np.ascontiguousarray(values, whole.dtype).tobytes()
    with naming_the_full(path), path.open("r+b") as file:
        file.seek(whole.offset + rows.start * whole[:1].nbytes)
        file.write(content)


def _seen(wanted: Wanted, eyes: Eyes, view: int, rows: range) -> Tensor:
    """What is seen of some clips under a view: float32 (num_clips, tokens, width)."""
    ids = [str(wanted.clip_ids[row]) for row in rows]
    batch = {
        "frames": torch.from_numpy(eyes.frames.take(ids)).to(eyes.accelerator.device),
        "symmetry": torch.zeros(len(ids), dtype=torch.int64),
        "clip_key": torch.tensor([clip_key(clip_id) for clip_id in ids]),
    }
    inputs = model_inputs(batch, wanted.augment, eyes.preprocessing, (wanted.seed, view))
    return eyes.see(inputs["pixel_values"])


def _fingerprint(wanted: Wanted, eyes: Eyes) -> str:
    """Everything that they see depends on."""
    settings = {
        "views": wanted.views,
        "augment": wanted.augment.model_dump(mode="json"),
        "seed": wanted.seed,
        "preprocessing": repr(eyes.preprocessing),
        "precision": eyes.accelerator.mixed_precision,
        "seen_by": eyes.seen_by,
    }
    digest = hashlib.sha256(json.dumps(settings).encode())
    for clip_id in wanted.clip_ids:
        digest.update(f"{clip_id}\n".encode())
    model = eyes.model
    frozen = [*model.vision_model.parameters()]
    if eyes.seen_by == "queries":
        frozen += [model.query_tokens, *model.qformer.parameters()]
    for parameter in frozen:
        digest.update(parameter.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()
