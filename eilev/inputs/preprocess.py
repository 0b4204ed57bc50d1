"""Frames to pixel values in numpy and PIL: one code for training, export parity and serving."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from eilev.io import DataError, read_json, write_json

PREPROCESSOR_FILE = "preprocessor_config.json"
# Where transformers 5 writes it, under "image_processor".
PROCESSOR_FILE = "processor_config.json"

# CLIP's channel statistics, which BLIP-2 checkpoints use.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Preprocessing:
    """Pixels per side of the model's square input; channel statistics of values from 0 to 1."""

    image_size: int
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read a checkpoint's preprocessing, wherever its transformers version put it.

        Raises:
            DataError: there is none, or one that is not supported (see `from_file`).
        """
        path = folder / PREPROCESSOR_FILE
        together = folder / PROCESSOR_FILE
        if not path.is_file() and together.is_file():
            config = read_json(together)
            section = config.get("image_processor") if isinstance(config, dict) else None
            if section is not None:
                return cls._from_config(section, together)
        return cls.from_file(path)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a BLIP image processor's `preprocessor_config.json`.

        Raises:
            DataError: the file is missing, or asks for anything but a bicubic resize to a square,
                division by 255 and normalisation per channel.
        """
        return cls._from_config(read_json(path), path)

    @classmethod
    def _from_config(cls, config: Any, path: Path) -> Self:
        if not isinstance(config, dict):
            raise DataError(f"{path}: not the settings of an image processor")
        _check_fixed(config, path)
        try:
            height, width = _sides(config["size"])
            mean, std = tuple(config["image_mean"]), tuple(config["image_std"])
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: no usable {error}") from error
        if height != width or len(mean) != 3 or len(std) != 3:
            raise DataError(f"{path}: needs a square 'size' and 3 channels of mean and std")
        return cls(height, mean, std)

    def to_file(self, path: Path) -> None:
        """Write a `preprocessor_config.json` that transformers opens as a BLIP image processor."""
        size = {"height": self.image_size, "width": self.image_size}
        write_json(
            _FIXED
            | {"image_processor_type": "BlipImageProcessor", "do_convert_rgb": True}
            | {"rescale_factor": 1 / 255, "size": size}
            | {"image_mean": list(self.mean), "image_std": list(self.std)},
            path,
        )


# resample 3 is PIL's bicubic filter.
_FIXED: dict[str, Any] = {
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "resample": 3,
}


def _check_fixed(config: dict[str, Any], path: Path) -> None:
    for key, expected in _FIXED.items():
        # A null asks for the processor's default, which these are.
        if config.get(key) not in (None, expected):
            raise DataError(f"{path}: '{key}' is {config[key]}, only {expected} is supported")
    for key in ("do_center_crop", "do_pad"):
        if config.get(key):
            raise DataError(f"{path}: '{key}' is {config[key]}, which is not supported")
    factor = config.get("rescale_factor")
    if factor is not None and abs(factor * 255 - 1) > 1e-6:
        raise DataError(f"{path}: 'rescale_factor' is {factor}, only 1/255 is supported")


def _sides(size: Any) -> tuple[int, int]:
    """Height and width; old configs give one number for both."""
    return (size, size) if isinstance(size, int) else (size["height"], size["width"])


def preprocess(
    frames: npt.NDArray[np.uint8], preprocessing: Preprocessing
) -> npt.NDArray[np.float32]:
    """Squash each frame to a square (PIL bicubic, as the reference), scale and normalise.

    Args:
        frames: uint8 (time, height, width, 3), RGB.
        preprocessing: size and channel statistics.

    Returns:
        float32 (3, time, image_size, image_size).

    Raises:
        ValueError: `frames` has another type or shape, or no frame.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise ValueError(
            f"frames are {frames.dtype} {frames.shape}, expected uint8 (time, height, width, 3)"
        )
    size = preprocessing.image_size
    if frames.shape[1:3] != (size, size):
        frames = np.stack([_resize(frame, size) for frame in frames])
    mean = np.asarray(preprocessing.mean, dtype=np.float32)
    std = np.asarray(preprocessing.std, dtype=np.float32)
    pixels = frames * (1 / (255 * std)) - mean / std  # (time, size, size, 3)
    return np.ascontiguousarray(pixels.transpose(3, 0, 1, 2), dtype=np.float32)


def _resize(frame: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    image = Image.fromarray(frame).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)
