"""What a player shows: ffmpeg's own program, which shares no code with ours."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from tests.videos import read_numbers

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg quietly; it overwrites."""
    command = [FFMPEG, "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=check)


def shown_frames(path: Path, size: int = 48) -> NDArray[np.uint8]:
    """Every frame that is shown, in order and turned as shown, scaled to squares.

    A damaged file's are those until it breaks off.
    """
    picture = ["-vf", f"scale={size}:{size}:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo"]
    # Without -copyts ffmpeg itself begins at the container's start.
    done = ffmpeg(
        "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", *picture, "-", check=False
    )
    whole = len(done.stdout) // (size * size * 3) * size * size * 3
    return np.frombuffer(done.stdout[:whole], np.uint8).reshape(-1, size, size, 3)


def shown_numbers(path: Path) -> list[int]:
    """The numbers that the shown frames carry."""
    return read_numbers(shown_frames(path))


def shown_at(path: Path, time_s: float, size: int = 48) -> int:
    """The number of the first frame that is shown at or after a time of the container's clock."""
    picture = ["-vf", f"scale={size}:{size}:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo"]
    first = ["-map", "0:v:0", "-frames:v", "1", "-fps_mode", "passthrough"]
    done = ffmpeg("-ss", f"{time_s:.6f}", "-i", path, *first, *picture, "-")
    frame = np.frombuffer(done.stdout, np.uint8).reshape(-1, size, size, 3)
    return read_numbers(frame)[0]
