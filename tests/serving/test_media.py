import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eilev.clips.decoder import read_clip
from eilev.clips.frame_choice import uniform_indices
from eilev.clips.limits import Limits
from eilev.serving.media import MediaError, Payload, load_clip, read_payload
from tests.clips.matrix import make
from tests.serving.conftest import data_url
from tests.videos import cut_off, numbered_frame, read_numbers, write_audio, write_video

SIZE = 32


def load(url, num_frames=4, limits=None):
    return load_clip(url, num_frames, SIZE, limits or Limits())


@pytest.fixture(scope="module")
def containers(tmp_path_factory):
    return tmp_path_factory.mktemp("containers")


def jpeg(number, size=(64, 48)):
    file = io.BytesIO()
    Image.fromarray(numbered_frame(number, *size)).save(file, "JPEG", quality=95)
    return file.getvalue()


def jpegs_url(numbers):
    frames = [data_url(jpeg(number), "video/jpeg") for number in numbers]
    return ",".join([frames[0], *(frame.partition(",")[2] for frame in frames[1:])])


def test_frames_of_a_video_are_uniform(tmp_path):
    url = data_url(write_video(tmp_path / "a.mp4", num_frames=13).read_bytes())
    frames = load(url)
    assert frames.shape == (4, SIZE, SIZE, 3)
    assert frames.dtype == np.uint8
    assert read_numbers(frames) == [0, 4, 8, 12]


def test_media_type_may_have_parameters(tmp_path):
    content = write_video(tmp_path / "a.mp4", num_frames=4).read_bytes()
    assert read_numbers(load(data_url(content, "video/mp4;codecs=avc1"))) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "name",
    ["header_first.mp4", "motion_jpeg.mov", "matroska.mkv", "live.webm", "vp9.webm", "mpeg4.avi",
     "h264.ts", "stamped.mts", "turned.mp4"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["application/octet-stream", "", "image/jpeg"])
def test_the_bytes_tell_what_a_file_is(name, kind, containers):
    path = make(name, containers)
    expected = read_clip(path, 4, SIZE)
    assert np.array_equal(load(data_url(path.read_bytes(), kind)), expected)
    if name != "turned.mp4":
        assert read_numbers(expected) == [0, 33, 66, 99]


@pytest.mark.parametrize("kind", ["image/gif", "video/gif", "video/mp4", ""])
def test_animations_are_clips(kind):
    file = io.BytesIO()
    first, *others = [Image.fromarray(numbered_frame(number, 64, 48)) for number in range(13)]
    first.save(file, "GIF", save_all=True, append_images=others)
    assert read_numbers(load(data_url(file.getvalue(), kind))) == [0, 4, 8, 12]


def test_a_browsers_recording():
    folder = cases("03-mediarecorder-webm")
    for name in ("live.webm", "with-duration.webm"):
        kind = "video/webm;codecs=vp8,opus"
        frames = load(data_url((folder / name).read_bytes(), kind))
        assert np.abs(frames.mean((1, 2, 3)) - [16, 82, 148, 214]).max() < 4


@pytest.mark.parametrize("name", ["dci4k.mp4", "gopro53k.mp4"])
def test_large_frames(name):
    url = data_url((cases("10-large-frames") / name).read_bytes())
    assert load(url).shape == (4, SIZE, SIZE, 3)
    with pytest.raises(MediaError, match=r"\d+ x \d+ pixels; at most 8,294,400 in all"):
        load(url, limits=Limits(max_pixels=3840 * 2160))


def cases(name):
    folder = Path(__file__).parents[3] / "shared/fixtures/cases" / name
    if not folder.is_dir():
        pytest.skip(f"needs the files of public bug reports in {folder}")
    return folder


def test_sampled_frames_come_as_jpegs():
    assert read_numbers(load(jpegs_url(range(7)))) == [0, 2, 4, 6]
    assert read_numbers(load(jpegs_url([5]))) == [5] * 4


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.mp4",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://example.com/a.mp4",
        "s3://bucket/a.mp4",
        "/etc/passwd",
        "video.mp4",
        "AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDE=",
        "blob:https://example.com/1",
        "database:video/mp4;base64,AAAA",
        "",
    ],
)
def test_nothing_is_fetched(url):
    scheme, colon, _ = url.partition(":")
    refusal = f"'{scheme}:' is not accepted" if colon else "this is no URL"
    message = f"^{refusal}; send the file itself as data:video/mp4;base64,"
    with pytest.raises(MediaError, match=message):
        load(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("data:text/html;base64,AAAA", "not an MP4, .* and no JPEG, PNG, GIF, WebP or AVIF either"),
        ("data:video/mp4,not-base64", "not an MP4"),
        ("data:video/mp4;base64,", "empty"),
        ("data:video/mp4;base64,***", "not base64"),
        ("data:image/png;base64,AAAA", "not an MP4, .* and no JPEG, PNG"),
        (data_url(b"hello, world, this is text"), "not an MP4"),
        (data_url(b"#EXTM3U\nhttp://example.com/a.ts\n"), "not an MP4"),
        (data_url(b"no jpeg", "video/jpeg"), "no JPEG, PNG"),
        (data_url(jpeg(1)[:200], "video/jpeg"), "not a readable JPEG"),
    ],
)
def test_what_is_no_video_is_refused(url, message):
    with pytest.raises(MediaError, match=message):
        load(url)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1", b"hevc"])
def test_a_heic_is_not_taken_for_a_video(brand):
    with pytest.raises(MediaError, match="HEIC, which is not decoded; send a JPEG"):
        load(data_url(b"\0\0\0\x18ftyp" + brand + bytes(12), "image/heic"))


def test_frames_are_pictures(tmp_path):
    video = write_video(tmp_path / "a.mp4", num_frames=4).read_bytes()
    parts = ",".join(base64.b64encode(part).decode() for part in (jpeg(1), video))
    with pytest.raises(MediaError, match="not a readable JPEG"):
        load(f"data:video/jpeg;base64,{parts}")


def test_what_frames_are_made_from_has_one_digest():
    first, second = (read_payload(jpegs_url(numbers), Limits()) for numbers in ([1, 2], [1, 3]))
    assert first.digest() == read_payload(jpegs_url([1, 2]), Limits()).digest()
    assert first.digest() != second.digest()
    joined = Payload((b"".join(first.parts),))
    assert joined.digest() != first.digest()


@pytest.mark.parametrize("num_parts", [1, 2, 3, 4, 5, 7, 100])
def test_only_parts_that_a_clip_shows_are_decoded(num_parts):
    parts = tuple(number.to_bytes(1) for number in range(num_parts))
    sampled = Payload(parts).sampled(4).parts
    assert len(sampled) == min(num_parts, 4)
    shown = [parts[place] for place in uniform_indices(num_parts, 4)]
    assert [sampled[place] for place in uniform_indices(len(sampled), 4)] == shown


def test_undecodable_videos_are_refused(tmp_path):
    whole = write_video(tmp_path / "a.mp4", num_frames=30)
    for path in (cut_off(tmp_path / "b.mp4", whole), write_audio(tmp_path / "c.mp4")):
        with pytest.raises(MediaError, match="cut off"):
            load(data_url(path.read_bytes()))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_duration_s=0.1), "it lasts 0.40 s; at most 0.1 s are one clip"),
        (Limits(max_frames=5), "12 frames; at most 5"),
        (Limits(max_pixels=100), "64 x 48 pixels; at most 100 in all"),
    ],
)
def test_too_large_videos_are_refused(tmp_path, limits, message):
    url = data_url(write_video(tmp_path / "a.mp4", num_frames=12).read_bytes())
    with pytest.raises(MediaError, match=message):
        load(url, limits=limits)


def test_too_large_jpegs_are_refused():
    with pytest.raises(MediaError, match="frames; at most 5"):
        load(jpegs_url(range(6)), limits=Limits(max_frames=5))
    with pytest.raises(MediaError, match="64 x 48 pixels; at most 100"):
        load(jpegs_url([1]), limits=Limits(max_pixels=100))
