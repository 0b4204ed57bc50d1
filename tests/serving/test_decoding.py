import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eilev.clips.limits import Limits
from eilev.serving.decoding import ClipFormat, DecoderPool, Decoding
from eilev.serving.media import MediaError, read_payload

CLIP = ClipFormat(num_frames=3, size=32)


def load(pool, url):
    return pool.decode(read_payload(url, Limits()), CLIP)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool(1, Decoding(Limits()))
    pool.warm_up()
    yield pool
    pool.close()


def test_frames_and_refusals_come_back(pool, video_urls):
    assert load(pool, video_urls[0]).shape == (3, 32, 32, 3)
    with pytest.raises(MediaError, match="never fetched"):
        load(pool, "https://example.com/a.mp4")


def test_a_process_that_ended_is_replaced(pool, video_urls):
    (worker,) = pool._pool.workers
    worker._process.kill()
    worker._process.wait()
    assert load(pool, video_urls[0]).shape == (3, 32, 32, 3)


def test_a_hanging_decoder_is_given_up(video_urls):
    pool = DecoderPool(1, Decoding(Limits()))
    pool.warm_up()
    (worker,) = pool._pool.workers
    worker._at_most_s = 0.2
    os.kill(worker._process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(MediaError, match=r"^the video: decoding takes longer than 0\.2 s"):
            load(pool, video_urls[0])
        worker._at_most_s = 30
        assert load(pool, video_urls[0]).shape == (3, 32, 32, 3)
    finally:
        pool.close()


def open_files(pid):
    links = Path(f"/proc/{pid}/fd").iterdir()
    return {os.path.realpath(link) for link in links}


def test_no_file_is_made(pool, video_urls):
    (worker,) = pool._pool.workers
    load(pool, video_urls[0])
    opened = open_files(worker._process.pid) - open_files("self")
    assert not [name for name in opened if name.startswith(tempfile.gettempdir())]
