"""The whole of params.yaml, read and checked."""

import json
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from eilev.config.data import ClipsConfig, IngestConfig, SplitConfig, SynthesizeConfig
from eilev.config.episodes import EpisodesConfig, ValidateConfig
from eilev.config.results import EvaluateConfig, ExportConfig, ReportConfig
from eilev.config.section import Section
from eilev.config.training import TrainConfig


class ParamsError(ValueError):
    """params.yaml is missing, unreadable or breaks a rule; the message names the key."""


class Params(Section):
    """The whole of params.yaml."""

    synthesize: SynthesizeConfig
    ingest: IngestConfig
    split: SplitConfig
    clips: ClipsConfig
    episodes: EpisodesConfig
    # `validate` would shadow a pydantic method, hence the alias.
    validate_: ValidateConfig = Field(alias="validate")
    train: TrainConfig
    evaluate: EvaluateConfig
    export: ExportConfig
    report: ReportConfig


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing, is not YAML, or breaks a rule; each bad key is named.
    """
    return check_params(read_params(path), str(path))


def read_params(path: Path) -> object:
    """Read params.yaml without checking its keys.

    Raises:
        ParamsError: the file is missing or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; run from the repository's root") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error


def check_params(raw: object, origin: str) -> Params:
    """Check values as they come from a YAML file.

    Args:
        raw: what the file holds.
        origin: names the file in messages.

    Raises:
        ParamsError: a rule is broken; each bad key is named.
    """
    try:
        # Strict JSON mode: lists become tuples, but "3" never becomes 3.
        return Params.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise ParamsError(f"{origin}: {_describe(error)}") from error


def _describe(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(part) for part in item['loc']) or 'top level'}: {item['msg']}"
        for item in error.errors()
    ]
    return "; ".join(problems)
