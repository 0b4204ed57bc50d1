"""The section ingest: where annotations and videos lie."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from eilev.config.section import Section, Source


class IngestConfig(Section):
    """Where the annotations and the videos lie, and which adapter reads them."""

    source: Source
    # A file; for epic_kitchens and table also a folder of them.
    annotations: str
    videos: str
    # table only: file of classes and their words (eilev/sources/synonyms.py); null makes every
    # lemma a class of its own. It lies in the folder `annotations`, which DVC watches for changes.
    synonyms: str | None

    @model_validator(mode="after")
    def _synonyms_are_watched(self) -> Self:
        if self.synonyms is None:
            return self
        if self.source != "table":
            raise ValueError("'synonyms' is for source: table")
        if Path(self.annotations) not in Path(self.synonyms).parents:
            raise ValueError("'synonyms' must lie in the folder that 'annotations' names")
        return self
