"""The section export: the ONNX bundle."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eilev.config.section import Positive, Section, Share, require_distinct


class PrecisionBounds(Section):
    """How far a bundle of reduced precision may be from torch in float32 on the same episodes."""

    max_logit_difference: Annotated[float, Field(gt=0.0)]
    """Largest difference of a logit."""
    min_action_agreement: Share
    """Least share of greedy narrations whose verb and noun are the same; where the source names
    neither, of narrations that are the same."""


class ExportConfig(Section):
    """ONNX export and its parity check against torch."""

    opset: Positive
    """ONNX operator set of the graphs; all that reads a bundle must know it. 18 is the one that
    torch's exporter writes without converting."""
    precisions: tuple[Literal["fp16", "int8"], ...]
    """Bundles to make beside the one in float32, each in a folder of its own below
    data/export/precisions. int8 takes about 0.3 of the space and is made for CPUs; fp16 takes half
    and is made for GPUs. What they lose is measured, and noted in their manifests."""
    parity_episodes: Positive
    """Evaluation episodes, evenly spaced over all kinds and shot counts, whose greedy narrations
    must be identical under torch and onnxruntime. A single different one keeps the earlier
    bundle."""
    max_logit_difference: Annotated[float, Field(gt=0.0)]
    """Largest difference of a logit between torch and onnxruntime that is allowed on these
    episodes, in float32. Rounding stays far below it; a wrong graph does not."""
    fp16: PrecisionBounds
    """Bounds of the bundle in fp16. The Q-Former stays float32 in it, as in transformers."""
    int8: PrecisionBounds
    """Bounds of the bundle in int8. Single logits move by whole units; what counts is that few
    narrations change."""

    @model_validator(mode="after")
    def _precisions_are_distinct(self) -> Self:
        require_distinct("precisions", self.precisions)
        return self
