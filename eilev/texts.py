"""Texts of many rows as one Arrow array whose pages are a file's.

The kernel takes such pages back where memory is short, and reads them again when they are needed.
"""

import mmap
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eilev.io import naming_the_full


def map_texts(pieces: "Iterable[pa.Array[Any]]") -> "pa.StringArray":
    """Write texts to a file without a name, in the folder for temporary files, and map it.

    Args:
        pieces: texts; an empty value counts as the empty text.

    Examples:
        >>> map_texts([pa.array(["ab", "c"]), pa.array(["", "d"])]).to_pylist()
        ['ab', 'c', '', 'd']
    """
    sizes = [np.zeros(1, np.int32)]
    with naming_the_full(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
        for piece in pieces:
            texts: Any = piece.cast(pa.string()).fill_null("")
            file.write(_joined(texts))
            sizes.append(pc.binary_length(texts).to_numpy())
        file.flush()
        # It lives as long as what is mapped of it; an empty one can't be mapped.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.tell() else b""
    ends: Any = pa.array(np.concatenate(sizes).cumsum(dtype=np.int64), pa.int32())
    return pa.StringArray.from_buffers(len(ends) - 1, ends.buffers()[1], pa.py_buffer(data))


def _joined(texts: "pa.Array[Any]") -> "pa.Buffer":
    """The bytes of all texts, one after another."""
    whole = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    joined: Any = pc.binary_join(whole, "")
    data: pa.Buffer = joined[0].as_buffer()
    return data
