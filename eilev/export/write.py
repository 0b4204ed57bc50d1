"""Everything that serves a model without torch, in one folder with checksums."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from eilev.bundle.manifest import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    Clip,
    ImageFormat,
    Manifest,
    Precision,
    Tokens,
)
from eilev.bundle.rules import FRAME_CHOICE, LAYOUTS, PIXELS, Family
from eilev.export.onnx import cache_shape, export_graphs
from eilev.export.storage import INLINE_BYTES
from eilev.inputs.preprocess import PREPROCESSOR_FILE, Preprocessing
from eilev.inputs.tokenizer import TextCodec, save_codec
from eilev.io import sha256
from eilev.model.checkpoint import LoadedModel
from eilev.model.video_blip import VideoBlip


@dataclass(frozen=True)
class BundleInfo:
    """What a bundle tells beyond the model: its inputs, its defaults, its origin."""

    num_frames: int
    window_s: float
    frame_size: int
    prompt: str
    max_new_tokens: int
    opset: int
    git_revision: str | None
    params: dict[str, Any]
    metrics: dict[str, Any]


# Those that a model can be loaded in; int8 is made of an fp32 bundle (quantization.py).
_PRECISIONS: dict[torch.dtype, Precision] = {torch.float32: "fp32", torch.float16: "fp16"}


def write_bundle(
    loaded: LoadedModel, info: BundleInfo, folder: Path, inline_bytes: int = INLINE_BYTES
) -> Manifest:
    """Export the model into an empty folder; the manifest is written last.

    Args:
        loaded: the model, in float32 or as it is loaded in float16; the bundle has its precision.
        info: what else the manifest says.
        folder: where to.
        inline_bytes: the largest model whose weights lie inside the graphs.

    Returns:
        The manifest as written.

    Raises:
        onnx.checker.ValidationError: a graph breaks ONNX's rules.
        ValueError: the model has another type.
    """
    dtype = loaded.model.language_model.dtype
    if dtype not in _PRECISIONS:
        raise ValueError(f"the model is in {dtype}; load it in float32 or float16")
    export_graphs(loaded.model, info.num_frames, info.opset, folder, inline_bytes)
    save_codec(loaded.codec, folder)
    loaded.preprocessing.to_file(folder / PREPROCESSOR_FILE)
    manifest = _manifest(loaded, info, folder, _PRECISIONS[dtype])
    manifest.write(folder)
    return manifest


def file_facts(folder: Path) -> dict[str, Any]:
    """What a manifest says of the files beside it."""
    files = sorted(path for path in folder.iterdir() if path.name != MANIFEST_FILE)
    return {
        "files": {path.name: sha256(path) for path in files},
        "num_bytes": sum(path.stat().st_size for path in files),
    }


def git_revision() -> str | None:
    """Commit of the code with "-dirty" if changed since; None outside a repository.

    Lock files and what is kept in data/ do not count: the run that asks rewrites them.
    """
    if (git := shutil.which("git")) is None:
        return None
    head = subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return None
    ours = [":/", ":(top,exclude,glob)**/dvc.lock", ":(top,exclude)data"]
    clean = (
        subprocess.run(
            [git, "diff", "--quiet", "HEAD", "--", *ours], capture_output=True, check=False
        ).returncode
        == 0
    )
    return head.stdout.strip() + ("" if clean else "-dirty")


def _manifest(
    loaded: LoadedModel, info: BundleInfo, folder: Path, precision: Precision
) -> Manifest:
    model = loaded.model
    text = model.language_model.config
    family: Family = "encoder_decoder" if model.family.encoder_decoder else "decoder_only"
    return Manifest(
        format_version=FORMAT_VERSION,
        family=family,
        precision=precision,
        **file_facts(folder),
        clip=Clip(
            choice=FRAME_CHOICE,
            pixels=PIXELS,
            num_frames=info.num_frames,
            window_s=info.window_s,
        ),
        frame_size=info.frame_size,
        num_query_tokens=model.config.num_query_tokens,
        hidden_size=text.hidden_size,
        vocab_size=text.vocab_size,
        tokenizer_size=loaded.codec.vocab_size,
        layout=LAYOUTS[family],
        max_length=model.family.max_length(text),
        cache=cache_shape(model),
        tokens=_tokens(model, loaded.codec),
        image=_image(loaded.preprocessing),
        prompt=info.prompt,
        max_new_tokens=info.max_new_tokens,
        opset=info.opset,
        git_revision=info.git_revision,
        parity=None,
        params=info.params,
        metrics=info.metrics,
    )


def _tokens(model: VideoBlip, codec: TextCodec) -> Tokens:
    text = model.language_model.config
    start = text.decoder_start_token_id if model.family.encoder_decoder else None
    return Tokens(bos=codec.bos_id, eos=codec.eos_id, pad=codec.pad_id, decoder_start=start)


def _image(preprocessing: Preprocessing) -> ImageFormat:
    return ImageFormat(
        size=preprocessing.image_size, mean=preprocessing.mean, std=preprocessing.std
    )
