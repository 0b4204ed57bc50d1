"""The section release: what a model must be to take the place of the promoted one."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eilev.config.section import Section, Share, require_distinct

# Keys of data/evaluate/metrics.json one after the other: novel.bursty.shots.8.action_accuracy.
MetricPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+$")]
NotNegative = Annotated[float, Field(ge=0.0)]


class Comparison(Section):
    """The metric by which models are compared."""

    metric: MetricPath
    """Where it stands in data/evaluate/metrics.json: keys joined by dots, such as
    novel.bursty.shots.8.action_accuracy."""
    better: Literal["higher", "lower"]
    """Whether higher or lower values are better."""
    min_gain: float
    """Least gain over the promoted model; 0 asks for no less. An accuracy of 500 queries has a
    standard error of up to 0.02, so that smaller gains may be chance."""


class Tolerance(Section):
    """A metric that may become a little worse."""

    metric: MetricPath
    """Where it stands in data/evaluate/metrics.json, as in `comparison`."""
    better: Literal["higher", "lower"]
    """Whether higher or lower values are better."""
    max_loss: NotNegative
    """How much worse than the promoted model's it may be."""


class Probe(Section):
    """A gap that a model must have, whatever the promoted one has: what it owes to its videos."""

    name: str
    """As the gate and the model card name it."""
    score: MetricPath
    """The score with everything in its place."""
    left: MetricPath
    """What is left of it when videos are exchanged or blank."""
    min_gap: float
    """Least difference of the two."""


class ParityBounds(Section):
    """How well the exported bundle must answer as torch does."""

    min_identical: Share
    """Least share of greedy narrations that are identical."""
    max_logit_difference: Annotated[float, Field(gt=0.0)]
    """Largest difference of a logit."""


class ReleaseConfig(Section):
    """The gate before a model is promoted. No stage of the pipeline: `eilev release` reads it."""

    stage: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    """Stage that a released version is assigned, as GTO names it; `dvc artifacts get` takes it."""
    comparison: Comparison
    """What decides whether a model is better than the promoted one."""
    tolerances: tuple[Tolerance, ...]
    """Further metrics, and how much worse each may become."""
    probes: tuple[Probe, ...]
    """What shows that a model looks at its videos. Each must hold, also for the first version."""
    parity: ParityBounds
    """Of the bundle in float32, which is what is released."""
    license: str
    """Licence of the model, by its name on the Hugging Face Hub (mit, cc-by-nc-4.0, other)."""
    data_license: str
    """What the model card says of the licence of the data."""

    @model_validator(mode="after")
    def _nothing_is_judged_twice(self) -> Self:
        require_distinct("tolerances", [one.metric for one in self.tolerances])
        require_distinct("probes", [one.name for one in self.probes])
        return self
