"""What a model was trained on: which frames are its clips, and which prompt asks for a narration.

A checkpoint of this pipeline has them in `narrator.json`, a bundle in its manifest; one from
elsewhere is taken for one of the reference's.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError

from eilev.config.section import Positive, Section
from eilev.io import DataError, write_json

DEFAULTS_FILE = "narrator.json"


class NarrationDefaults(Section):
    """The reference's values (8 frames of 8 s) where nothing else is known."""

    num_frames: Positive = 8
    # Seconds of video around a time.
    window_s: Annotated[float, Field(gt=0.0)] = 8.0
    # Side in pixels of the decoder's squares; a multiple of 32, as it gets some others wrong.
    frame_size: Annotated[int, Field(ge=32, multiple_of=32)] = 448
    prompt: str = "Question: What is the camera wearer doing? Answer:"

    @classmethod
    def load(cls, folder: Path, image_size: int) -> Self:
        """Read a checkpoint's file; without one, the reference's values for its image size.

        Raises:
            DataError: the file is not JSON or has wrong fields, which are named.
        """
        path = folder / DEFAULTS_FILE
        if not path.is_file():
            return cls(frame_size=-(-2 * image_size // 32) * 32)
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "top level"
            raise DataError(f"{path}: {place}: {first['msg']}") from error

    def write(self, folder: Path) -> None:
        """Write a checkpoint's file."""
        write_json(self.model_dump(), folder / DEFAULTS_FILE)
