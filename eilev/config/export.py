"""The section export: the ONNX bundle."""

from typing import Annotated

from pydantic import Field

from eilev.config.section import Positive, Section


class ExportConfig(Section):
    """ONNX export and its parity check against torch."""

    opset: Positive
    """ONNX operator set of the graphs; all that reads a bundle must know it. 18 is the one that
    torch's exporter writes without converting."""
    parity_episodes: Positive
    """Evaluation episodes, evenly spaced over all kinds and shot counts, whose greedy narrations
    must be identical under torch and onnxruntime. A single different one keeps the earlier
    bundle."""
    max_logit_difference: Annotated[float, Field(gt=0.0)]
    """Largest difference of a logit between torch and onnxruntime that is allowed on these
    episodes, in float32. Rounding stays far below it; a wrong graph does not."""
