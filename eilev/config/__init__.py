"""params.yaml as strict, frozen records: one class per section, one section per stage.

An unknown, missing or ill-typed key raises `ParamsError`, which names the file and the key.
"""

from eilev.config.data import ClipsConfig, IngestConfig, SplitConfig, SynthesizeConfig
from eilev.config.episodes import (
    Bounds,
    EpisodeMixture,
    EpisodesConfig,
    EvaluationEpisodes,
    Marginal,
    MixtureItem,
    ValidateConfig,
)
from eilev.config.params import Params, ParamsError, check_params, load_params, read_params
from eilev.config.results import (
    BaselinesConfig,
    EvaluateConfig,
    ExportConfig,
    ReportConfig,
    TextMetricsConfig,
)
from eilev.config.section import (
    Condition,
    Even,
    Kind,
    Meaning,
    Positive,
    Section,
    Seed,
    Share,
    Source,
)
from eilev.config.training import (
    AugmentConfig,
    ModelConfig,
    ScratchConfig,
    TrainConfig,
    TransformerConfig,
)

__all__ = [
    "AugmentConfig",
    "BaselinesConfig",
    "Bounds",
    "ClipsConfig",
    "Condition",
    "EpisodeMixture",
    "EpisodesConfig",
    "EvaluateConfig",
    "EvaluationEpisodes",
    "Even",
    "ExportConfig",
    "IngestConfig",
    "Kind",
    "Marginal",
    "Meaning",
    "MixtureItem",
    "ModelConfig",
    "Params",
    "ParamsError",
    "Positive",
    "ReportConfig",
    "ScratchConfig",
    "Section",
    "Seed",
    "Share",
    "Source",
    "SplitConfig",
    "SynthesizeConfig",
    "TextMetricsConfig",
    "TrainConfig",
    "TransformerConfig",
    "ValidateConfig",
    "check_params",
    "load_params",
    "read_params",
]
