"""The section evaluate: how narrations are generated and scored."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eilev.config.conditions import Condition
from eilev.config.section import Positive, Section, Seed, require_distinct

EvaluatedSplit = Literal["test", "novel", "novel_val"]


class TextMetricsConfig(Section):
    """Scoring models of the text metrics, each a hub name or a local folder; null asks for none."""

    bi_encoder: str | None
    """Cosine of two sentence embeddings; the paper's is sentence-transformers/all-mpnet-base-v2.
    Null in the default, which downloads nothing; the models need the extra `text-metrics`."""
    cross_encoder: str | None
    """Likeness of two sentences by a model that reads both at once; the paper's is
    cross-encoder/stsb-roberta-large."""
    bert_score: str | None
    """BERTScore's model; its usual one is roberta-large."""


class BaselinesConfig(Section):
    """What the model is compared with (docs/evaluation.md); null leaves a baseline out."""

    no_context_model: str | None
    """Folder of a checkpoint trained without contexts (VideoBLIP), asked about the same episodes.
    Null as long as none has been trained; DVC does not watch the folder."""
    classifier_clips: Positive | None
    """Clips of the training episodes, at most, that the frozen video classifier learns from. 8,192
    are all of the default's and bound the time on large data."""


class EvaluateConfig(Section):
    """How narrations are generated and under which conditions they are scored."""

    seed: Seed
    """Seed of what is drawn here: whose video goes with which text under `shuffled`, the words
    under `new_words`, the classifier's clips."""
    splits: Annotated[tuple[EvaluatedSplit, ...], Field(min_length=1)]
    """Whose episodes are asked about. `test` and `novel` are reported; to choose between recipes,
    ask about `novel_val` and leave `novel` alone."""
    conditions: Annotated[tuple[Condition, ...], Field(min_length=1)]
    """What is done to the contexts (docs/evaluation.md): the paper's bursty, random and shuffled
    ones, and probes of what they are used for. Each needs its kind among
    `episodes.evaluation.kinds`."""
    prompt: str
    """Asks for each narration, in the context and of the query. The paper's question for a
    pretrained language model; empty for a small one, which knows no other task."""
    max_new_tokens: Positive
    """Most tokens of a generated narration; generation is greedy. 32 is several times a usual one
    (EPIC-KITCHENS' have 8, the kitchen's 7)."""
    batch_size: Positive
    """Episodes generated, and sentences scored, at once: as many as the memory holds. It changes
    speed only, but for rounding."""
    text_metrics: TextMetricsConfig
    """Models that score sentences, each a hub name or a local folder; null asks for none. ROUGE-L
    and BLEU are always computed."""
    baselines: BaselinesConfig
    """What the model is compared with (docs/evaluation.md), beside the context's most frequent
    words, which are always tried; null leaves a baseline out."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        require_distinct("conditions", self.conditions)
        require_distinct("splits", self.splits)
        return self
