import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from eilev.clips.decoder import Limits
from eilev.serving.decoding import DecoderPool, Decoding
from eilev.serving.media import MediaError

DECODING = Decoding(num_frames=3, size=32, limits=Limits(), timeout_s=30)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool(1, DECODING)
    pool.warm_up()
    yield pool
    pool.close()


def test_frames_and_refusals_come_back(pool, video_urls):
    assert pool.load(video_urls[0]).shape == (3, 32, 32, 3)
    with pytest.raises(MediaError, match="never fetched"):
        pool.load("https://example.com/a.mp4")


def test_a_process_that_ended_is_replaced(pool, video_urls):
    (worker,) = pool._workers
    worker._process.kill()
    worker._process.join()
    assert pool.load(video_urls[0]).shape == (3, 32, 32, 3)


def test_a_crash_while_decoding_is_an_error_of_that_video(video_urls):
    pool = DecoderPool(1, DECODING)
    pool.warm_up()
    (worker,) = pool._workers
    os.kill(worker._process.pid, signal.SIGSTOP)
    try:
        # It dies with the request in its pipe, as a decoder does that aborts.
        send = worker._connection.send
        worker._connection.send = lambda url: (send(url), worker._process.kill())
        with pytest.raises(MediaError, match="crashes the decoder"):
            pool.load(video_urls[0])
        assert pool.load(video_urls[0]).shape == (3, 32, 32, 3)
    finally:
        pool.close()


def test_a_hanging_decoder_is_given_up(video_urls):
    pool = DecoderPool(1, DECODING)
    pool.warm_up()
    (worker,) = pool._workers
    worker._decoding = replace(DECODING, timeout_s=0.2)
    os.kill(worker._process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(MediaError, match=r"longer than 0\.2 s"):
            pool.load(video_urls[0])
        worker._decoding = DECODING
        assert pool.load(video_urls[0]).shape == (3, 32, 32, 3)
    finally:
        pool.close()
