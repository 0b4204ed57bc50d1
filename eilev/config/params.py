"""The whole of params.yaml, read and checked."""

from pathlib import Path

from pydantic import Field

from eilev.config.clips import ClipsConfig
from eilev.config.episodes import EpisodesConfig
from eilev.config.evaluate import EvaluateConfig
from eilev.config.export import ExportConfig
from eilev.config.ingest import IngestConfig
from eilev.config.report import ReportConfig
from eilev.config.section import PARAMS, Section, check_section, read_params
from eilev.config.split import SplitConfig
from eilev.config.synthesize import SynthesizeConfig
from eilev.config.train import TrainConfig
from eilev.config.validate import ValidateConfig


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


def load_params(path: Path = PARAMS) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing, is not YAML, or breaks a rule; each bad key is named.
    """
    return check_section(read_params(path), Params, str(path))
