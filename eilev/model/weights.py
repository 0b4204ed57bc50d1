"""The files of a checkpoint's weights: which ones there are, and whether they are whole and safe.

Checked before transformers reads them, so that a damaged or dangerous file is named.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from eilev.io import DataError, read_json


@dataclass(frozen=True)
class WeightFormat:
    """One file, or an index that tells which of several files (shards) has which tensor."""

    single: str
    index: str

    def is_shard(self, name: str) -> bool:
        """Whether a file is called like a shard of this format."""
        stem, suffix = self.single.rsplit(".", 1)
        return name.startswith(f"{stem}-") and name.endswith(f".{suffix}") and "/" not in name


# In the order of preference, which is also transformers'.
WEIGHT_FORMATS = (
    WeightFormat("model.safetensors", "model.safetensors.index.json"),
    WeightFormat("pytorch_model.bin", "pytorch_model.bin.index.json"),
)


def check_weights(folder: Path) -> None:
    """Look at the weights of a checkpoint without reading the numbers.

    Raises:
        DataError: there are none, a shard is missing, or a file is cut off or holds anything but
            tensors (pickled code is never run); the file is named.
    """
    for path in weight_files(folder):
        if not path.is_file():
            raise DataError(f"{path}: no such file, but the index lists it; fetch it again")
        if path.suffix == ".safetensors":
            _check_safetensors(path)
        else:
            _check_pickle(path)


def weight_files(folder: Path) -> list[Path]:
    """Files of the first of `WEIGHT_FORMATS` that a folder has.

    Raises:
        DataError: it has none, or its index is broken.
    """
    for weights in WEIGHT_FORMATS:
        if (folder / weights.single).is_file():
            return [folder / weights.single]
        if (folder / weights.index).is_file():
            return [folder / name for name in _shards(folder / weights.index)]
    names = " or ".join(weights.single for weights in WEIGHT_FORMATS)
    raise DataError(f"{folder}: no weights: neither {names}, whole or in shards with their index")


def _shards(index: Path) -> list[str]:
    content = read_json(index)
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places:
        raise DataError(f"{index}: no 'weight_map' from tensors to files")
    names = sorted({str(name) for name in places.values()})
    for name in names:
        if Path(name).name != name:
            raise DataError(f"{index}: '{name}' is not the name of a file in the same folder")
    return names


def _check_safetensors(path: Path) -> None:
    try:
        # The header has the file's length.
        with safe_open(path, framework="pt"):
            return
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: damaged or cut off: {error}") from error


def _check_pickle(path: Path) -> None:
    try:
        content: Any = torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: refused, it is damaged or holds code beside tensors ({_detail(error)}); "
            "convert it to safetensors where you trust it"
        ) from error
    except (RuntimeError, OSError, EOFError, KeyError, ValueError) as error:
        raise DataError(f"{path}: damaged or cut off: {str(error).partition('.')[0]}") from error
    if not isinstance(content, Mapping) or not all(
        isinstance(value, Tensor) for value in content.values()
    ):
        raise DataError(f"{path}: not a plain dictionary of tensors")


def _detail(error: Exception) -> str:
    """What the unpickler stumbled over, without torch's advice to trust the file."""
    lines = (line.strip() for line in str(error).splitlines())
    told = [line for line in lines if line.startswith(("Trying to", "Unsupported"))]
    return told[0].partition(". ")[0].rstrip(".") if told else "not a torch file"
