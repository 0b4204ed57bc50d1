"""The section ingest: where annotations and videos lie."""

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from eilev.config.section import Section, Source


class IngestConfig(Section):
    """Where the annotations and the videos lie, and which adapter reads them (docs/sources.md)."""

    source: Source
    """Adapter that reads the annotations. The rendered kitchen is written in Ego4D's schema, so the
    default runs through the adapter of Ego4D, the paper's data."""
    annotations: str
    """The annotations: a file, or for `epic_kitchens` and `table` also a folder of them. Relative
    to the repository, or absolute; DVC watches it for changes."""
    videos: str
    """Folder of the videos, or its address on S3 (`s3://bucket/folder`, docs/scale.md), searched
    with the folders inside it. A narration whose video is not there is rejected and counted. Every
    `dvc repro` lists it to see whether a video changed: by content where all files together are
    small, else by size and modification time (docs/sources.md)."""
    synonyms: str | None
    """For `table` only: file of classes and their words (eilev/sources/synonyms.py); null makes
    every lemma a class of its own. It lies in the folder `annotations`, which DVC watches for
    changes."""

    epic_time: Literal["segment", "narration"]
    """For `epic_kitchens`: a narration's time is the middle of its `segment`, or the time at which
    its `narration` was told, the reference's rule. Of the 9,668 published validation rows 4,505
    were told outside of their own segment, 893 of them by more than 4 s: a window of 8 s around
    that time shows nothing of the action. Where one of the two is missing, the other counts."""

    @model_validator(mode="after")
    def _synonyms_are_watched(self) -> Self:
        if self.synonyms is None:
            return self
        if self.source != "table":
            raise ValueError("'synonyms' is for source: table")
        if Path(self.annotations) not in Path(self.synonyms).parents:
            raise ValueError("'synonyms' must lie in the folder that 'annotations' names")
        return self
