import numpy as np
import pytest

from eilev.clips.cache import ClipCache


@pytest.mark.parametrize("max_bytes", [1 << 20, 0])
def test_frames_come_in_the_order_asked_cached_or_not(max_bytes):
    source = {name: np.full((2, 4, 4, 3), i, np.uint8) for i, name in enumerate("abc")}
    frames = ClipCache(source, ["c", "a", "a"], max_bytes)
    assert frames.cached == (max_bytes > 0)
    taken = frames.take(["c", "a", "c"])
    assert taken.dtype == np.uint8
    assert taken.shape == (3, 2, 4, 4, 3)
    assert taken[:, 0, 0, 0, 0].tolist() == [2, 0, 2]
