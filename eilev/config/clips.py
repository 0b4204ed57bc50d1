"""The section clips: which frames of a video are kept."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from eilev.config.section import Positive, Section


class ClipsConfig(Section):
    """Which frames of a video are kept for a narration, by the reference's rules."""

    # Without a say in the result: DVC does not watch them, nor does a bundle tell them.
    FREE: ClassVar[frozenset[str]] = frozenset({"processes", "executor", "scheduler"})

    window_s: Annotated[float, Field(gt=0.0)]
    """Seconds of video that belong to a narration, centred on its time and moved inside the video.
    The paper takes 8; an action of the rendered kitchen lasts 1 (`synthesize.action_s`)."""
    num_frames: Positive
    """Frames taken uniformly from the window, its first and its last among them. The paper takes 8;
    half as many do for a kitchen whose verbs are told by places, not by the direction of time."""
    frame_size: Annotated[int, Field(ge=32, multiple_of=32)]
    """Side in pixels of the squares that are stored: twice what the vision tower sees, as in the
    reference, so that a crop of half the area stays sharp. The decoder gets some sizes wrong that
    32 does not divide."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    """JPEG quality of the stored frames, in full colour resolution (halved, it blurs small objects
    away). 95 takes some 4 bits a pixel of a sharp photograph (docs/plan.md)."""
    max_pixels: Positive
    """Width x height of the largest frames that are decoded, by default 8K; a video of larger ones
    is recorded as failed before one is decoded. `eilev narrate` and the server have the same limit,
    `--max-pixels`."""
    shard_size: Positive
    """Clips per Arrow shard. Shards are memory-mapped, so this is about the number of files only:
    1,024 clips of the paper's size are about 0.6 GB, good for DVC and for copying."""
    processes: Positive
    """Processes that decode, each with videos of its own. The result does not depend on it; one
    takes up to 250 MiB. The default suits a laptop's 2 cores, the other sources expect 8."""
    executor: Literal["local", "dask"]
    """Where they decode: on this machine, or on the workers of a Dask cluster (docs/scale.md), of
    which each thread is a process. The result does not depend on it."""
    scheduler: str | None
    """For `dask`: address of the cluster's scheduler, such as `tcp://10.0.0.1:8786`, or path of its
    scheduler file."""

    @model_validator(mode="after")
    def _cluster_has_an_address(self) -> Self:
        if (self.executor == "dask") != (self.scheduler is not None):
            raise ValueError("'scheduler' is for executor: dask, which needs one")
        return self
