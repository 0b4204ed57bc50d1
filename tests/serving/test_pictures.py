import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from eilev.clips.limits import Limits, VideoError
from eilev.serving.pictures import is_picture, read_picture
from tests.videos import numbered_frame, read_numbers

SIZE = 32


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def read(
    content: bytes, folder: Path, num_frames: int = 1, limits: Limits | None = None
) -> np.ndarray:
    path = folder / "picture"
    path.write_bytes(content)
    assert is_picture(path)
    return read_picture(path, num_frames, SIZE, limits or Limits())


def numbered(number: int) -> Image.Image:
    return Image.fromarray(numbered_frame(number, 64, 48))


def animation(numbers: range, format_: str, **options: object) -> bytes:
    first, *others = map(numbered, numbers)
    options = {"duration": 40, "lossless": True, "quality": 100} | options
    return encoded(first, format_, save_all=True, append_images=others, **options)


def colour(image: Image.Image, format_: str, folder: Path) -> list[int]:
    """Of a picture that has one colour."""
    (frame,) = read(encoded(image, format_), folder)
    assert np.ptp(frame, axis=(0, 1)).max() <= 1
    return frame[0, 0].tolist()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_a_still_is_a_clip(format_: str, tmp_path: Path) -> None:
    frames = read(encoded(numbered(1234), format_), tmp_path, 3)
    assert frames.shape == (3, SIZE, SIZE, 3)
    assert frames.dtype == np.uint8
    assert read_numbers(frames) == [1234] * 3


@pytest.mark.parametrize("format_", ["PNG", "GIF", "WEBP", "AVIF"])
def test_an_animation_is_a_clip(format_: str, tmp_path: Path) -> None:
    content = animation(range(1, 14), format_)
    assert read_numbers(read(content, tmp_path, 4)) == [1, 5, 9, 13]
    assert read_numbers(read(animation(range(1, 3), format_), tmp_path, 4)) == [1, 1, 1, 2]


def test_only_what_a_player_shows(tmp_path: Path) -> None:
    # A picture before the animation, for those who can't play it.
    content = animation(range(1, 5), "PNG", default_image=True)
    assert read_numbers(read(content, tmp_path, 3)) == [2, 3, 4]
    # A phone's preview behind the photo.
    content = encoded(numbered(7), "MPO", save_all=True, append_images=[numbered(8)])
    assert content.startswith(b"\xff\xd8\xff")
    assert read_numbers(read(content, tmp_path, 2)) == [7, 7]


def test_frames_of_an_animation_are_drawn_over_one_another(tmp_path: Path) -> None:
    dots = []
    for x in range(4):
        dot = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
        dot.paste((255, 0, 0, 255), (8 * x, 0, 8 * x + 8, SIZE))
        dots.append(dot)
    first = Image.new("RGBA", (SIZE, SIZE), "blue")
    content = encoded(first, "GIF", save_all=True, append_images=dots, disposal=1, duration=100)
    last = read(content, tmp_path, 5)[-1]
    assert (last == [255, 0, 0]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_photos_are_turned(format_: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = encoded(numbered(1234), format_, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    expected = np.asarray(upright.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    (frame,) = read(content, tmp_path)
    assert np.abs(frame.astype(int) - expected).max() <= 2
    assert (read_numbers([frame]) == [1234]) == (orientation == 1)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_no_harm(tmp_path: Path) -> None:
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        content = encoded(numbered(5), "JPEG", exif=exif)
        assert read_numbers(read(content, tmp_path)) == [5]


def test_colours(tmp_path: Path) -> None:
    grey = np.full((48, 64), 40_000, np.uint16)
    assert colour(Image.fromarray(grey), "PNG", tmp_path) == [40_000 >> 8] * 3
    assert colour(Image.new("L", (64, 48), 99), "PNG", tmp_path) == [99] * 3
    assert colour(Image.new("1", (64, 48), 1), "PNG", tmp_path) == [255] * 3
    for mode in ("LA", "RGBA"):
        shade = (0,) * (len(mode) - 1)
        assert colour(Image.new(mode, (64, 48), (*shade, 0)), "PNG", tmp_path) == [255] * 3
        assert colour(Image.new(mode, (64, 48), (*shade, 102)), "PNG", tmp_path) == [153] * 3
        assert colour(Image.new(mode, (64, 48), (*shade, 255)), "PNG", tmp_path) == [0] * 3
    half = Image.new("RGBA", (64, 48), (0, 0, 200, 0))
    assert colour(half, "WEBP", tmp_path) == [255] * 3
    cmyk = colour(Image.new("CMYK", (64, 48), (0, 255, 255, 0)), "JPEG", tmp_path)
    assert np.abs(np.array(cmyk) - [255, 0, 0]).max() <= 3


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("P", (64, 48), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert colour(image, "PNG", tmp_path) == [40, 50, 60]
    for format_ in ("PNG", "GIF"):
        content = encoded(image, format_, transparency=1)
        assert (read(content, tmp_path) == 255).all()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_pixels=100), "the picture: 64 x 48 pixels; at most 100"),
        (Limits(max_frames=5), "the picture: it has 6 frames; at most 5"),
        (Limits(max_duration_s=0.1), "the picture: it lasts 0.12 s; at most 0.1"),
    ],
)
@pytest.mark.parametrize("format_", ["PNG", "GIF", "WEBP", "AVIF"])
def test_what_is_too_large(format_: str, limits: Limits, message: str, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=message):
        read(animation(range(6), format_), tmp_path, 4, limits)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_what_is_cut_off(format_: str, tmp_path: Path) -> None:
    whole = [encoded(numbered(1), format_)]
    whole += [animation(range(9), format_)] if format_ != "JPEG" else []
    for content in whole:
        for size in (12, len(content) // 3, len(content) * 2 // 3):
            with pytest.raises(VideoError, match="not a readable JPEG, PNG, GIF, WebP or AVIF"):
                read(content[:size], tmp_path, 4)
