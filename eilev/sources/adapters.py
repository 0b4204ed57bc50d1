"""Narrated actions of a source as one narration table, with every left-out action and its reason.

One adapter per source: `ego4d` (which the synthetic source is written for, too), `epic_kitchens`
and `table`, each in the module of its name.
"""

from collections.abc import Callable
from pathlib import Path

from eilev.config.ingest import IngestConfig
from eilev.config.section import Source
from eilev.io import DataError
from eilev.sources.annotations import Annotations
from eilev.sources.ego4d import read_ego4d
from eilev.sources.epic_kitchens import read_epic_kitchens
from eilev.sources.synonyms import NO_SYNONYMS, read_synonyms
from eilev.sources.table import read_table_source


def read_annotations(config: IngestConfig) -> Annotations:
    """Read the annotations of a source, leaving out narrations whose video is not on disk.

    Raises:
        DataError: as `read_source`, or the folder of videos is missing.
    """
    videos = Path(config.videos)
    if not videos.is_dir():
        raise DataError(f"{videos}: no such folder; set ingest.videos in params.yaml")
    synonyms = None if config.synonyms is None else Path(config.synonyms)
    return read_source(config.source, Path(config.annotations), videos, synonyms)


def read_source(
    source: Source, annotations: Path, videos: Path | None, synonyms: Path | None = None
) -> Annotations:
    """Read the annotations of a source; without `videos` none is looked for on disk.

    Args:
        source: which adapter reads.
        annotations: a file, or a folder of them where the source may have several.
        videos: folder of the videos.
        synonyms: file that groups words into classes (`table` only).

    Raises:
        DataError: a path is missing, a file breaks its schema (the message has the key path or
            column), or no narration is left (the message has the reasons).
    """
    if not (annotations.is_file() or (source != "ego4d" and annotations.is_dir())):
        raise DataError(f"{annotations}: no such file; set ingest.annotations in params.yaml")
    if source == "table":
        groups = NO_SYNONYMS if synonyms is None else read_synonyms(synonyms)
        result = read_table_source(annotations, videos, groups)
    else:
        result = _ADAPTERS[source](annotations, videos)
    if result.narrations.empty:
        counts = ", ".join(f"{count} {reason}" for reason, count in result.reject_counts().items())
        reasons = f"all {len(result.rejects)} were left out: {counts}" if counts else "it has none"
        raise DataError(f"{annotations}: no narrated action is usable; {reasons}")
    return result


_ADAPTERS: dict[Source, Callable[[Path, Path | None], Annotations]] = {
    "ego4d": read_ego4d,
    "epic_kitchens": read_epic_kitchens,
}
