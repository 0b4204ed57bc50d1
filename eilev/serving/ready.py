"""Ready examples of the web page: a folder of videos with an index.json."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

INDEX = "index.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadyClip(_Record):
    """A video of the folder, and the sentence for it."""

    video: str
    narration: str


class ReadySet(_Record):
    """Examples with a query; its narration is shown beside the answer."""

    title: str
    about: str
    examples: list[ReadyClip]
    query: ReadyClip


class ReadyExamples(_Record):
    """Of index.json."""

    sets: list[ReadySet] = Field(min_length=1)


def read_examples(folder: Path) -> ReadyExamples:
    """Read and check the index of a folder.

    Raises:
        ValueError: it can't be read, a field is wrong, a video is not there.
    """
    index = folder / INDEX
    try:
        found = ReadyExamples.model_validate_json(index.read_bytes())
    except OSError as error:
        raise ValueError(f"{index}: can't be read ({error.strerror})") from error
    except ValidationError as error:
        first: Any = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise ValueError(f"{index}: {place}: {first['msg']}") from error
    for each in found.sets:
        for clip in (*each.examples, each.query):
            if Path(clip.video).name != clip.video or not (folder / clip.video).is_file():
                raise ValueError(f"{index}: '{clip.video}' is no file of {folder}")
    return found
