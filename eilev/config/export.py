"""The section export: the ONNX bundle."""

from typing import Annotated

from pydantic import Field

from eilev.config.section import Positive, Section


class ExportConfig(Section):
    """ONNX export and its parity check against torch."""

    opset: Positive
    # Episodes whose greedy narrations must be identical, and the largest logit difference allowed.
    parity_episodes: Positive
    max_logit_difference: Annotated[float, Field(gt=0.0)]
