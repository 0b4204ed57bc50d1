"""How a player turns a picture: by right angles and mirrors, as the first frame says."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from eilev.clips.limits import RefusedError

# Rows and columns of the display matrix that turn or mirror: x' = a x + c y, y' = b x + d y.
Turn = tuple[int, int, int, int]
UPRIGHT: Turn = (1, 0, 0, 1)


def turn_of_first(packets: Iterable[Any]) -> Turn:
    """How the first frame that can be decoded is to be turned.

    Raises:
        RefusedError: by an angle that is none of these.
    """
    for packet in packets:
        with suppress(av.error.FFmpegError):
            for frame in packet.decode():
                return _turn_of(frame)
    return UPRIGHT


def turned(image: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """What a player shows of an image (height, width, RGB)."""
    a, b, c, d = turn
    image = image if a else image.swapaxes(0, 1)
    return np.ascontiguousarray(image[:: b + d, :: a + c])


def _turn_of(frame: Any) -> Turn:
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return _right_angles(np.frombuffer(bytes(data), dtype=np.int32))
    return UPRIGHT


def _right_angles(matrix: NDArray[np.int32]) -> Turn:
    turn = tuple(int(np.sign(value)) for value in matrix[[0, 1, 3, 4]])
    a, b, c, d = turn
    if abs(a * d - b * c) != 1 or (a and b) or (c and d):
        raise RefusedError("a player turns it by an angle that is not a multiple of 90 degrees")
    return a, b, c, d
