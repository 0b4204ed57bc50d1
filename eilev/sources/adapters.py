"""Narrated actions of a source as one narration table, with every left-out action and its reason.

One adapter per source: `ego4d` (which the synthetic source is written for, too), `epic_kitchens`
and `table`, each in the module of its name.
"""

from pathlib import Path

from eilev.config.ingest import IngestConfig
from eilev.config.section import Source
from eilev.io import DataError
from eilev.sources.annotations import Annotations
from eilev.sources.ego4d import read_ego4d
from eilev.sources.epic_kitchens import read_epic_kitchens
from eilev.sources.synonyms import NO_SYNONYMS, read_synonyms
from eilev.sources.table import read_table_source
from eilev.sources.times import Rule
from eilev.sources.video_files import Folder, as_folder


def read_annotations(config: IngestConfig) -> Annotations:
    """Read the annotations of a source, leaving out narrations whose video is not there.

    Raises:
        DataError: as `read_source`, or the folder of videos is missing or can't be listed.
    """
    videos = as_folder(config.videos)
    synonyms = None if config.synonyms is None else Path(config.synonyms)
    annotations = Path(config.annotations)
    return read_source(config.source, annotations, videos, synonyms, config.epic_time)


def read_source(
    source: Source,
    annotations: Path,
    videos: Folder | None,
    synonyms: Path | None = None,
    epic_time: Rule = "segment",
) -> Annotations:
    """Read the annotations of a source; without `videos` none is looked for.

    Args:
        source: which adapter reads.
        annotations: a file, or a folder of them where the source may have several.
        videos: folder of the videos, or its address.
        synonyms: file that groups words into classes (`table` only).
        epic_time: which of its two times a narration has (`epic_kitchens` only).

    Raises:
        DataError: a path is missing, a file is no annotation file of the source (the message has
            the key path or column), or no narration is left (the message has the reasons).
    """
    if not (annotations.is_file() or (source != "ego4d" and annotations.is_dir())):
        raise DataError(f"{annotations}: no such file; set ingest.annotations in params.yaml")
    if source == "table":
        groups = NO_SYNONYMS if synonyms is None else read_synonyms(synonyms)
        result = read_table_source(annotations, videos, groups)
    elif source == "epic_kitchens":
        result = read_epic_kitchens(annotations, videos, epic_time)
    else:
        result = read_ego4d(annotations, videos)
    if not result.kept.num_rows:
        raise DataError(f"{annotations}: no narrated action is usable; {_why_none(result)}")
    return result


def _why_none(result: Annotations) -> str:
    examples = result.reject_examples()
    reasons = [
        f"{count} {reason}" + (f" (first {examples[reason]})" if reason in examples else "")
        for reason, count in result.reject_counts().items()
    ]
    return (
        f"all {result.left_out.num_rows} were left out: {', '.join(reasons)}"
        if reasons
        else "it has none"
    )
