"""What the sections of params.yaml have in common: their base and their kinds of values."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Even = Annotated[int, Field(ge=2, multiple_of=2)]
Seed = Annotated[int, Field(ge=0)]

Source = Literal["ego4d", "epic_kitchens", "table"]
Kind = Literal["bursty", "random", "contrastive"]
Meaning = Literal["natural", "canonical", "permuted", "renamed"]
Condition = Literal["bursty", "random", "contrastive", "shuffled", "no_video", "new_words"]


class Section(BaseModel):
    """Base of every section: no coercion, no extra keys, no mutation."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
