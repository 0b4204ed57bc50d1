"""Checkpoints by name: a local folder, or a model of the hub, of which only what is needed is read.

A hub name is `OWNER/NAME`, or `OWNER/NAME@REVISION` for a branch, a tag or a commit. Downloads go
to the hub's cache (`HF_HOME`); what is there is used when the hub can't be reached.
"""

from pathlib import Path

import httpx2
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from eilev.io import DataError
from eilev.model.weights import WEIGHT_FORMATS

# Everything but the weights that a BLIP-2 checkpoint may be described by.
_DESCRIPTION = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "narrator.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
)


def pretrained_folder(name: str) -> Path:
    """Local folder of a checkpoint: a folder as it is, a hub name downloaded to the hub's cache.

    Of several formats of the weights the first of `WEIGHT_FORMATS` is fetched, no other.

    Raises:
        DataError: neither a folder nor a model that the hub or its cache has; says what to do.
    """
    if Path(name).is_dir():
        return Path(name)
    repository, _, revision = name.partition("@")
    try:
        return _download(repository, revision or None)
    except HFValidationError as error:
        raise DataError(
            f"{name}: no such folder, and not a hub name (OWNER/NAME or OWNER/NAME@REVISION)"
        ) from error
    except GatedRepoError as error:
        raise DataError(
            f"{name}: the hub asks for consent first: agree on its page, then 'hf auth login'"
        ) from error
    except RevisionNotFoundError as error:
        raise DataError(f"{name}: {repository} has no revision '{revision or 'main'}'") from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"{name}: no such folder, and no such model on the hub, unless it is private: "
            "check the spelling, or 'hf auth login'"
        ) from error
    except (OSError, httpx2.HTTPError) as error:
        raise DataError(_unreachable(name, error)) from error


def needed_files(files: list[str]) -> list[str]:
    """Of a repository's files those that are loaded: one format of weights, and what describes it.

    >>> needed_files(["README.md", "config.json", "model.safetensors", "pytorch_model.bin"])
    ['config.json', 'model.safetensors']
    """
    described = [name for name in files if name in _DESCRIPTION]
    for weights in WEIGHT_FORMATS:
        if weights.single in files:
            return [*described, weights.single]
        if weights.index in files:
            return [*described, weights.index, *filter(weights.is_shard, files)]
    return described


def _download(repository: str, revision: str | None) -> Path:
    try:
        siblings = HfApi().model_info(repository, revision=revision).siblings or []
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
        raise
    except (OSError, httpx2.HTTPError) as error:
        return _cached(repository, revision, error)
    files = needed_files([sibling.rfilename for sibling in siblings])
    return Path(snapshot_download(repository, revision=revision, allow_patterns=files))


def _cached(repository: str, revision: str | None, reason: Exception) -> Path:
    """The folder that an earlier download left; its weights are checked when they are loaded."""
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                local_files_only=True,
                allow_patterns=["config.json"],
            )
        )
    except LocalEntryNotFoundError:
        raise reason from None


def _unreachable(name: str, error: Exception) -> str:
    repository, _, revision = name.partition("@")
    command = f"hf download {repository}{revision and f' --revision {revision}'}"
    lines = str(error).strip().splitlines()
    detail = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return (
        f"{name}: no such folder, not in the hub's cache ({constants.HF_HUB_CACHE}), and the hub "
        f"can't be reached ({detail}); go online, with HF_HUB_OFFLINE unset, or fetch it elsewhere "
        f"('{command} --local-dir FOLDER') and give that folder"
    )
