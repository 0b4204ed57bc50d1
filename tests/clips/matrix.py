"""Kinds of files whose frames carry their number: containers, codecs, groups, edits, damages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.players import ffmpeg
from tests.videos import cut_off, overwrite, turn_right, write_audio, write_video

NUM_FRAMES = 100
# Frames at 10 to 89 ms from one another, the first one 3 s after the file's zero.
IRREGULAR_MS = (3000 + np.cumsum(np.random.default_rng(1).integers(10, 90, NUM_FRAMES))).tolist()
GROUPS = {"g": "12", "bf": "3"}
SILENT_X265 = "log-level=none:pools=none"

# What the encoder writes directly.
WRITTEN: dict[str, dict[str, Any]] = {
    "b_frames.mp4": {"options": GROUPS},
    "one_long_group.mp4": {"options": {"g": "250"}},
    "odd_size.mp4": {"size": (71, 37), "pixels": "yuv444p", "options": GROUPS},
    "tiny.mp4": {"size": (16, 16), "options": GROUPS},
    "ten_bits.mp4": {"pixels": "yuv420p10le", "options": GROUPS},
    "variable_rate.mp4": {"times_ms": IRREGULAR_MS, "options": GROUPS},
    "fragmented.mp4": {"muxer": {"movflags": "frag_keyframe+empty_moov"}, "options": GROUPS},
    "header_first.mp4": {"muxer": {"movflags": "faststart"}, "options": GROUPS},
    "matroska.mkv": {"options": GROUPS},
    "low_rate.mp4": {"fps": 8},
    "one_frame.mp4": {"num_frames": 1},
    "open_groups.mp4": {"options": {"x264-params": "open-gop=1:keyint=15:bframes=5"}},
    "hevc_open.mp4": {
        "codec": "libx265",
        "options": {"g": "20", "x265-params": SILENT_X265},
    },
    "hevc_closed.mkv": {
        "codec": "libx265",
        "options": {"g": "20", "x265-params": f"{SILENT_X265}:open-gop=0"},
    },
    "intra_refresh.mp4": {"options": {"x264-params": "intra-refresh=1:keyint=20:bframes=0"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12"}},
    "mpeg4_b.avi": {"codec": "mpeg4", "options": GROUPS},
    "mpeg4_b.mp4": {"codec": "mpeg4", "options": GROUPS},
    "h264_b.avi": {"options": GROUPS},
    "motion_jpeg.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "vp8.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}},
    "live.webm": {"codec": "libvpx", "muxer": {"live": "1"}, "options": {"g": "30"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"svtav1-params": "lp=1", "preset": "12"}},
    "h264.ts": {"options": GROUPS},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"g": "15", "bf": "2", "b:v": "4M"}},
}


def _derived(source: str, *arguments: str) -> Callable[[Path, Path], None]:
    """Made by ffmpeg from another one, without encoding again unless told to."""

    def make(path: Path, folder: Path) -> None:
        ffmpeg(*arguments[:-1], "-i", folder / source, *arguments[-1].split(), path)

    return make


def _late(path: Path, folder: Path) -> None:
    """The sound begins half a second before the picture."""
    sound = ["-f", "lavfi", "-i", "sine=d=4"]
    ffmpeg(
        "-itsoffset", "0.5", "-i", folder / "b_frames.mp4", *sound, "-c:v", "copy",
        "-c:a", "libvorbis" if path.suffix == ".webm" else "aac", path,
    )  # fmt: skip


def _turned(path: Path, folder: Path) -> None:
    turn_right(path, folder / "b_frames.mp4")


def _renamed(path: Path, folder: Path) -> None:
    path.write_bytes((folder / "matroska.mkv").read_bytes())


DERIVED: dict[str, Callable[[Path, Path], None]] = {
    # Cut where no key frame is: the container says what is not shown.
    "edit_list.mp4": _derived("b_frames.mp4", "-ss", "1.03", "-c copy"),
    "edit_list_long_group.mov": _derived("one_long_group.mp4", "-ss", "2.2", "-t 0.7 -c copy"),
    "edit_list_hevc.mp4": _derived("hevc_open.mp4", "-ss", "1.5", "-c copy"),
    "edit_list_fragments.mp4": _derived(
        "b_frames.mp4", "-ss", "1.03", "-c copy -movflags frag_keyframe"
    ),
    "late.mp4": _late,
    "late.mkv": _late,
    "late.ts": _late,
    "stamped.mts": _derived("b_frames.mp4", "-c copy -f mpegts -mpegts_m2ts_mode 1"),
    "rate_change.mp4": _derived(
        "b_frames.mp4", "-vf setpts='if(lt(N\\,50)\\,N\\,50+(N-50)*3)/30/TB' -fps_mode vfr"
    ),
    "turned.mp4": _turned,
    "upside_down.mp4": _derived("b_frames.mp4", "-display_rotation", "180", "-c copy"),
    "mirrored.mp4": _derived("b_frames.mp4", "-display_hflip", "-c copy"),
    "wrong_suffix.mp4": _renamed,
    "take:1.mp4": _derived("b_frames.mp4", "-c copy -f mp4 -y"),
}

# Files that a player shows in part, or not at all.
DAMAGED: dict[str, Callable[[Path, Path], object]] = {
    "cut_header_first.mp4": lambda path, folder: cut_off(path, folder / "header_first.mp4"),
    "cut_header_last.mp4": lambda path, folder: cut_off(path, folder / "b_frames.mp4"),
    "cut.mkv": lambda path, folder: cut_off(path, folder / "matroska.mkv"),
    "cut_fragment.mp4": lambda path, folder: cut_off(path, folder / "fragmented.mp4"),
    "cut.ts": lambda path, folder: cut_off(path, folder / "h264.ts"),
    "cut.avi": lambda path, folder: cut_off(path, folder / "mpeg4_b.avi"),
    "zeros.mp4": lambda path, folder: overwrite(path, folder / "header_first.mp4", 0.6, 0.65),
    "zeros.mkv": lambda path, folder: overwrite(path, folder / "matroska.mkv", 0.6, 0.65),
    "empty.mp4": lambda path, _: path.write_bytes(b""),
    "audio.mp4": lambda path, _: write_audio(path),
    "text.mp4": lambda path, _: path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/hosts\n"),
}


def make(name: str, folder: Path) -> Path:
    """The file of that name, in a folder that keeps them."""
    path = folder / name
    if not path.exists():
        if name in WRITTEN:
            settings = {"num_frames": NUM_FRAMES} | WRITTEN[name]
            write_video(path, settings.pop("num_frames"), **settings)
        elif name in DERIVED:
            for source in ("b_frames.mp4", "one_long_group.mp4", "hevc_open.mp4",
                           "open_groups.mp4", "matroska.mkv"):  # fmt: skip
                make(source, folder)
            DERIVED[name](path, folder)
        else:
            for source in ("header_first.mp4", "b_frames.mp4", "matroska.mkv", "fragmented.mp4",
                           "h264.ts", "mpeg4_b.avi"):  # fmt: skip
                make(source, folder)
            DAMAGED[name](path, folder)
    return path
