"""The section clips: which frames of a video are kept."""

from typing import Annotated

from pydantic import Field

from eilev.config.section import Positive, Section


class ClipsConfig(Section):
    """Which frames of a video are kept for a narration (reference rules, design section 5)."""

    # Seconds of video centred on the narration time; the paper's is 8.
    window_s: Annotated[float, Field(gt=0.0)]
    # Frames taken uniformly from the window; the paper's is 8.
    num_frames: Positive
    # Pixels: stored frames are squares of this side, twice the vision size in the reference. (The
    # decoder gets some sizes wrong that 32 does not divide.)
    frame_size: Annotated[int, Field(ge=32, multiple_of=32)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    # Clips per Arrow shard.
    shard_size: Positive
    processes: Positive
