"""A checkpoint exported outside of the pipeline, where there are no episodes to prove it on."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from eilev.bundle.manifest import Precision
from eilev.export.parity import Bounds, bundle_runner, compare, torch_runner
from eilev.export.quantization import quantize_bundle
from eilev.export.write import BundleInfo, git_revision, write_bundle
from eilev.inputs.defaults import NarrationDefaults
from eilev.inputs.turns import Request, Turn
from eilev.model.checkpoint import LoadedModel, load_model
from eilev.model.hub import pretrained_folder

# In float32 every narration is the same, and no logit is further away.
_EXACT = Bounds(1e-3, identical=1.0)
# What reduced precision costs depends on the episodes: it is told, and only NaN is refused.
_FINITE = Bounds(sys.float_info.max)
_SENTENCES = (
    "The camera wearer cuts the onion.",
    "The camera wearer opens the drawer.",
    "The camera wearer washes the cup.",
)


def export_checkpoint(
    name: str, folder: Path, precision: Precision, opset: int, max_new_tokens: int, episodes: int
) -> None:
    """Write a bundle and compare it with the checkpoint in float32, on clips of noise.

    Args:
        name: folder or hub name of the checkpoint.
        folder: an empty one.
        precision: of the bundle.
        opset: ONNX operator set.
        max_new_tokens: most tokens of an answer, where a request does not say.
        episodes: how many are compared.

    Raises:
        DataError: there is no such checkpoint, or a file of it is missing or broken.
        ParityError: the bundle does not say what the checkpoint says.
    """
    source = pretrained_folder(name)
    loaded = load_model(source)
    size = loaded.preprocessing.image_size
    defaults = NarrationDefaults.load(source, size)
    _write(source, loaded, _info(defaults, opset, max_new_tokens), precision, folder)
    parity = compare(
        torch_runner(loaded, max_new_tokens),
        bundle_runner(folder, max_new_tokens),
        noise_episodes(defaults, size, episodes),
        batch_size=8,
    )
    parity.check(_EXACT if precision == "fp32" else _FINITE)
    parity.record(folder)


def noise_episodes(defaults: NarrationDefaults, image_size: int, count: int) -> list[Request]:
    """Episodes of 0, 1, 2, 0, ... shots, whose queries have their narrations, too."""
    rng = np.random.default_rng(0)
    episodes: list[Request] = []
    for number in range(count):
        texts = _SENTENCES[: 1 + number % len(_SENTENCES)]
        shape = (len(texts), defaults.num_frames, image_size, image_size, 3)
        clips = list(rng.integers(0, 256, shape, dtype=np.uint8))
        episodes.append(([Turn(defaults.prompt, text) for text in texts], clips))
    return episodes


def _info(defaults: NarrationDefaults, opset: int, max_new_tokens: int) -> BundleInfo:
    return BundleInfo(
        num_frames=defaults.num_frames,
        window_s=defaults.window_s,
        frame_size=defaults.frame_size,
        prompt=defaults.prompt,
        max_new_tokens=max_new_tokens,
        opset=opset,
        git_revision=git_revision(),
        params={},
        metrics={},
    )


def _write(
    source: Path, loaded: LoadedModel, info: BundleInfo, precision: Precision, folder: Path
) -> None:
    if precision == "fp16":
        write_bundle(load_model(source, torch.float16), info, folder)
    elif precision == "fp32":
        write_bundle(loaded, info, folder)
    else:
        with tempfile.TemporaryDirectory(dir=folder.parent) as whole:
            write_bundle(loaded, info, Path(whole))
            quantize_bundle(Path(whole), folder)
