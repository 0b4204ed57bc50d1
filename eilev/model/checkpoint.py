"""A model on disk: weights, config, tokenizer and preprocessing in one folder.

The folder is a transformers checkpoint of BLIP-2. Those that are written here open as
`Blip2ForConditionalGeneration`, `AutoTokenizer` and `AutoImageProcessor`; read is any, in
safetensors or pickled (`pytorch_model.bin`, tensors only), whole or in shards.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from eilev.inputs.defaults import NarrationDefaults
from eilev.inputs.preprocess import PREPROCESSOR_FILE, Preprocessing
from eilev.inputs.tokenizer import TOKENIZER_FILE, TextCodec, load_codec, save_codec
from eilev.io import DataError, atomic_dir, read_json, write_json
from eilev.model.video_blip import VideoBlip
from eilev.model.weights import check_weights

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode with what turns clips and text into its inputs."""

    model: VideoBlip
    codec: TextCodec
    preprocessing: Preprocessing


def save_model(
    model: VideoBlip,
    codec: TextCodec,
    preprocessing: Preprocessing,
    folder: Path,
    defaults: NarrationDefaults | None = None,
) -> None:
    """Write the checkpoint; an earlier one in `folder` is replaced only when all is written.

    `defaults`: which frames and prompt the model was trained on, for those who narrate with it.

    Raises:
        DataError: the weights cannot be written (a full disk).
    """
    with atomic_dir(folder) as temporary:
        _save_weights(model, temporary, folder)
        if model.family.untied(model.config.text_config):
            _say_untied(temporary / CONFIG_FILE)
        save_codec(codec, temporary)
        preprocessing.to_file(temporary / PREPROCESSOR_FILE)
        if defaults is not None:
            defaults.write(temporary)


def _save_weights(model: VideoBlip, temporary: Path, folder: Path) -> None:
    try:
        model.save_pretrained(temporary)
    except SafetensorError as error:
        raise DataError(f"{folder}: cannot be written: {error}") from error


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> LoadedModel:
    """Read a checkpoint in evaluation mode, in float32 unless told otherwise.

    Raises:
        DataError: a file is missing or broken; the message names it.
        ValueError: the weights are not exactly those of the config; every key is named.
    """
    codec, preprocessing = load_inputs(folder)
    model = load_weights(folder, dtype)
    set_special_tokens(model, codec)
    model.train(mode=False)
    return LoadedModel(model, codec, preprocessing)


def load_inputs(folder: Path) -> tuple[TextCodec, Preprocessing]:
    """Read what turns text and clips into a checkpoint's inputs.

    Raises:
        DataError: a file is missing or broken; the message names it.
    """
    codec = load_codec(folder) if (folder / TOKENIZER_FILE).is_file() else _convert(folder)
    return codec, Preprocessing.from_folder(folder)


def load_weights(folder: Path, dtype: torch.dtype = torch.float32) -> VideoBlip:
    """Read config and weights, whatever precision they were saved in.

    Raises:
        DataError: a file is missing or broken, or holds code; the message names it.
        ValueError: the weights are not exactly those of the config; every key is named.
    """
    _check_config(folder / CONFIG_FILE)
    check_weights(folder)
    source = {"pretrained_model_name_or_path": folder, "local_files_only": True}
    model: VideoBlip = read_whole(
        VideoBlip, folder, "BLIP-2 checkpoint", **source, dtype=dtype, ignore_mismatched_sizes=True
    )
    return model


def read_whole(kind: Any, place: Path, what: str, **arguments: Any) -> Any:
    """Read a model of transformers whose weights are exactly those of its config.

    Args:
        kind: the class.
        place: names it in messages.
        what: it is, likewise.
        arguments: of `from_pretrained`.

    Raises:
        DataError: it cannot be read.
        ValueError: the weights are not exactly those of the config; every key is named.
    """
    try:
        with _quiet():
            model, info = kind.from_pretrained(
                **arguments, weights_only=True, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{place}: not a readable {what}: {error}") from error
    _check_complete(info, place)
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


def _say_untied(path: Path) -> None:
    """Say in a config that the output layer has weights of its own.

    transformers 5 goes by the tensors; 4 goes by the config, and would overwrite the output layer
    with the embeddings.
    """
    config = read_json(path)
    config["text_config"]["tie_word_embeddings"] = False
    write_json(config, path)


def _check_config(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file; run the stage that writes it")
    config = read_json(path)
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "blip-2":
        raise DataError(f"{path}: 'model_type' is {kind!r}, a BLIP-2 checkpoint has 'blip-2'")


def _check_complete(info: dict[str, set[Any]], folder: Path) -> None:
    problems = []
    for kind in ("missing", "unexpected", "mismatched"):
        keys = sorted(_key(key) for key in info[f"{kind}_keys"])
        more = f" and {len(keys) - 10} more" if len(keys) > 10 else ""
        if keys:
            problems.append(f"{kind}: {', '.join(keys[:10])}{more}")
    if problems:
        raise ValueError(f"{folder}: the weights do not fit {CONFIG_FILE}: {'; '.join(problems)}")


def _key(key: Any) -> str:
    """A key's name; a mismatched one comes with its shapes in the file and in the model."""
    if not isinstance(key, tuple):
        return str(key)
    name, found, expected = key
    return f"{name} ({list(found)} in the file, {list(expected)} in the model)"


def _convert(folder: Path) -> TextCodec:
    """Codec of a checkpoint that has its tokenizer in the form of before `tokenizer.json`."""
    if not any((folder / name).is_file() for name in ("vocab.json", "spiece.model")):
        return load_codec(folder)  # which says what is missing
    with tempfile.TemporaryDirectory(prefix="eilev-") as temporary:
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            tokenizer.save_pretrained(temporary)
        except (OSError, ValueError, ImportError) as error:
            raise DataError(
                f"{folder}: no {TOKENIZER_FILE}, and no tokenizer that can be converted: {error}"
            ) from error
        return load_codec(Path(temporary))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' report on keys that don't fit, which is an error here."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
