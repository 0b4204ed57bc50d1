"""The section evaluate: how narrations are generated and scored."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from eilev.config.conditions import Condition
from eilev.config.section import Positive, Section, Seed, require_distinct


class TextMetricsConfig(Section):
    """Scoring models of the text metrics, each a hub name or a local folder; null asks for none."""

    # Cosine of two sentence embeddings; the paper's is sentence-transformers/all-mpnet-base-v2.
    bi_encoder: str | None
    # Both sentences read at once; the paper's is cross-encoder/stsb-roberta-large.
    cross_encoder: str | None
    # BERTScore's model; its usual one is roberta-large.
    bert_score: str | None


class BaselinesConfig(Section):
    """What the model is compared with (docs/evaluation.md); null leaves a baseline out."""

    # Folder of a checkpoint trained without contexts (VideoBLIP), asked about the same episodes.
    no_context_model: str | None
    # Clips of the training episodes, at most, that the frozen video classifier learns from.
    classifier_clips: Positive | None


class EvaluateConfig(Section):
    """How narrations are generated and under which conditions they are scored."""

    seed: Seed
    # Of the table in conditions.py.
    conditions: Annotated[tuple[Condition, ...], Field(min_length=1)]
    prompt: str
    max_new_tokens: Positive
    batch_size: Positive
    text_metrics: TextMetricsConfig
    baselines: BaselinesConfig

    @model_validator(mode="after")
    def _each_condition_once(self) -> Self:
        require_distinct("conditions", self.conditions)
        return self
