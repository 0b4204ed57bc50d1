"""A trained model on disk: weights, config, tokenizer and preprocessing in one folder.

The folder is a transformers checkpoint: `Blip2ForConditionalGeneration`, `AutoTokenizer` and
`AutoImageProcessor` open it as well.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from eilev.data.preprocess import PREPROCESSOR_FILE, Preprocessing
from eilev.data.tokenizer import TextCodec, load_codec, save_codec
from eilev.io import DataError, atomic_dir
from eilev.model.video_blip import VideoBlip

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode with what turns clips and text into its inputs."""

    model: VideoBlip
    codec: TextCodec
    preprocessing: Preprocessing


def save_model(
    model: VideoBlip, codec: TextCodec, preprocessing: Preprocessing, folder: Path
) -> None:
    """Write the checkpoint; an earlier one in `folder` is replaced only when all is written."""
    with atomic_dir(folder) as temporary:
        model.save_pretrained(temporary)
        save_codec(codec, temporary)
        preprocessing.to_file(temporary / PREPROCESSOR_FILE)


def load_model(folder: Path) -> LoadedModel:
    """Read a checkpoint in float32.

    Raises:
        DataError: a file is missing or broken; the message names it.
        ValueError: the weights are not exactly those of the config; every key is named.
    """
    codec = load_codec(folder)
    preprocessing = Preprocessing.from_file(folder / PREPROCESSOR_FILE)
    model = load_weights(folder)
    set_special_tokens(model, codec)
    model.train(mode=False)
    return LoadedModel(model, codec, preprocessing)


def load_weights(folder: Path) -> VideoBlip:
    """Read config and weights in float32, whatever precision they were saved in.

    Raises:
        DataError: a file is missing or broken; the message names it.
        ValueError: the weights are not exactly those of the config; every key is named.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise DataError(f"{folder / CONFIG_FILE}: no such file; run the stage that writes it")
    model: VideoBlip
    info: dict[str, set[Any]]
    try:
        model, info = VideoBlip.from_pretrained(  # type: ignore[misc]
            folder,
            dtype=torch.float32,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{folder}: not a readable BLIP-2 checkpoint: {error}") from error
    _check_complete(info, folder)
    return model


def set_special_tokens(model: VideoBlip, codec: TextCodec) -> None:
    """Make the model's configs agree with the codec, in place.

    BLIP-2's OPT checkpoints end generation at a newline; the reference trains and ends with the
    tokenizer's EOS. Old checkpoints name no image token, which plain transformers needs: the first
    embedding row that no token uses, else the pad id (ours at the placeholders).

    Raises:
        ValueError: the codec has more tokens than the model has embeddings.
    """
    num_rows = model.language_model.config.vocab_size
    if codec.vocab_size > num_rows:
        raise ValueError(
            f"the tokenizer has {codec.vocab_size} tokens, but the model only {num_rows}"
        )
    language_model = model.language_model
    for config in (language_model.config, language_model.generation_config):
        config.bos_token_id = codec.bos_id
        config.eos_token_id = codec.eos_id
        config.pad_token_id = codec.pad_id
    if model.config.image_token_index is None:
        spare = codec.vocab_size < num_rows
        model.config.image_token_index = codec.vocab_size if spare else codec.pad_id


def _check_complete(info: dict[str, set[Any]], folder: Path) -> None:
    problems = []
    for kind in ("missing", "unexpected", "mismatched"):
        # A mismatched key comes as (name, shape in the file, shape of the model).
        keys = sorted(
            str(key[0] if isinstance(key, tuple) else key) for key in info[f"{kind}_keys"]
        )
        more = f" and {len(keys) - 10} more" if len(keys) > 10 else ""
        if keys:
            problems.append(f"{kind}: {', '.join(keys[:10])}{more}")
    if problems:
        raise ValueError(f"{folder}: the weights do not fit {CONFIG_FILE}: {'; '.join(problems)}")
