import base64
import io
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

import numpy as np
import pytest
from PIL import Image

from eilev.clips.limits import Limits
from eilev.serving.decoding import ClipFormat, DecoderPool, Decoding
from eilev.serving.media import MediaError, Payload, read_payload
from tests.serving.conftest import data_url
from tests.videos import numbered_frame, read_numbers, write_video

CLIP = ClipFormat(num_frames=3, size=32)
# The videos are small: what is damaged to be large is refused at once.
LIMITS = Limits(max_pixels=2**18)


def load(pool, url):
    return pool.decode(read_payload(url, LIMITS), CLIP)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool(1, Decoding(LIMITS))
    pool.warm_up()
    yield pool
    pool.close()


def test_frames_and_refusals_come_back(pool, video_urls):
    assert load(pool, video_urls[0]).shape == (3, 32, 32, 3)
    with pytest.raises(MediaError, match="'https:' is not accepted"):
        load(pool, "https://example.com/a.mp4")


def test_a_process_that_ended_is_replaced(pool, video_urls):
    (worker,) = pool._pool.workers
    worker._process.kill()
    worker._process.wait()
    assert load(pool, video_urls[0]).shape == (3, 32, 32, 3)


def test_a_hanging_decoder_is_given_up(video_urls):
    pool = DecoderPool(1, Decoding(LIMITS))
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


def test_damaged_data_urls_are_shown_or_refused(pool, tmp_path):
    rng = np.random.default_rng(1)
    urls = list(some_urls(tmp_path))
    outcomes = Counter(outcome(pool, damaged(rng, urls[n % len(urls)])) for n in range(500))
    assert min(outcomes["shown"], outcomes["refused"]) > 50


def some_urls(folder):
    """Of every kind that is read, in a few forms."""
    codecs = {"a.mp4": "libx264", "b.webm": "libvpx", "c.ts": "libx264", "d.avi": "mpeg4"}
    for name, codec in codecs.items():
        video = write_video(folder / name, 6, codec=codec, muxer={"fflags": "+bitexact"})
        yield data_url(video.read_bytes())
    first, *others = [Image.fromarray(numbered_frame(number, 64, 48)) for number in range(6)]
    for kind in ("GIF", "PNG", "WEBP"):
        file = io.BytesIO()
        first.save(file, kind, save_all=True, append_images=others)
        yield data_url(file.getvalue(), f'image/{kind};a="b,c"')
        yield f"data:;a=b,{quote_from_bytes(file.getvalue())}"
    file = io.BytesIO()
    first.save(file, "JPEG")
    yield f"{data_url(file.getvalue(), 'video/jpeg')},{base64.b64encode(file.getvalue()).decode()}"


def damaged(rng, url):
    """Every other time in what it holds, else in how it is written, mostly near the start."""
    characters, in_form = list(url), rng.random() < 0.5
    for _ in range(rng.integers(1, 6)):
        place = int(len(characters) * rng.random() ** 4)
        if in_form:
            new = ["", chr(rng.integers(32, 127)), *'%,;="/+- \n\0\u00e9\ud800']
            characters[place : place + rng.integers(3)] = rng.choice(new)
        elif characters[place].isalnum() and place > 50:
            characters[place] = rng.choice(list("0123456789ABCDEF"))
    cut = in_form and rng.random() < 0.2
    return "".join(characters[: rng.integers(len(characters)) if cut else None])


def outcome(pool, url):
    try:
        frames = load(pool, url)
    except MediaError as error:
        assert 0 < len(str(error)) < 500
        return "refused"
    assert frames.shape == (3, 32, 32, 3)
    return "shown"


def test_what_a_process_is_sent_is_small(pool, tmp_path):
    # A list of frames of which three are looked at: three files in memory, of which paths are sent.
    file = io.BytesIO()
    Image.fromarray(numbered_frame(5, 64, 48)).save(file, "JPEG")
    payload = Payload((file.getvalue(),) * 10_000)
    assert read_numbers(pool.decode(payload, CLIP)) == [5] * 3


def open_files(pid):
    links = Path(f"/proc/{pid}/fd").iterdir()
    return {os.path.realpath(link) for link in links}


def test_no_file_is_made(pool, video_urls):
    (worker,) = pool._pool.workers
    load(pool, video_urls[0])
    opened = open_files(worker._process.pid) - open_files("self")
    assert not [name for name in opened if name.startswith(tempfile.gettempdir())]
