"""The whole of params.yaml, read and checked."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from eilev.config.clips import ClipsConfig
from eilev.config.conditions import CONDITIONS
from eilev.config.drift import DriftConfig
from eilev.config.episodes import EpisodesConfig
from eilev.config.evaluate import EvaluateConfig
from eilev.config.export import ExportConfig
from eilev.config.ingest import IngestConfig
from eilev.config.release import ReleaseConfig
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
    release: ReleaseConfig
    drift: DriftConfig

    @model_validator(mode="after")
    def _sections_have_the_same_phases(self) -> Self:
        drawn = [phase.name for phase in self.episodes.train]
        for section, phases in (("train", self.train), ("validate", self.validate_)):
            found = [phase.name for phase in phases.phases]
            if found != drawn:
                raise ValueError(
                    f"{section}.phases are {', '.join(found)}, but episodes.train has the phases"
                    f" {', '.join(drawn)}: they must be the same, in the same order"
                )
        return self

    @model_validator(mode="after")
    def _what_is_evaluated_is_drawn(self) -> Self:
        kinds = self.episodes.evaluation.kinds
        asked = {
            f"evaluate.conditions has '{name}'": CONDITIONS[name].kind
            for name in self.evaluate.conditions
        }
        if self.evaluate.baselines.no_context_model is not None:
            asked["evaluate.baselines.no_context_model is given"] = "bursty"
        lacking = [
            f"{why}, which needs '{kind}'" for why, kind in asked.items() if kind not in kinds
        ]
        if lacking:
            raise ValueError(f"{'; '.join(lacking)} in episodes.evaluation.kinds")
        return self


def load_params(path: Path = PARAMS) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing, is not YAML, or breaks a rule; each bad key is named.
    """
    return check_section(read_params(path), Params, str(path))
