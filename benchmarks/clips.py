"""Clips per second of one core: each clip by itself, as before 2026-11-28, and as they are cut now.

Run `python -m benchmarks.clips` from the root: a table, and a JSON object in the last line. Every
figure is taken in a process of its own: decoding, JPEGs and shards, by seconds of its processor, so
that a busy machine matters little. The old way is flattered: it also checked every video's seeks.
`--processes 1 2` times the whole stage by the clock, for a machine with as many idle cores.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pandas as pd

from eilev.clips import decoder
from eilev.clips.cutting import Cutter, Job
from eilev.clips.limits import Limits, no_deadline
from eilev.clips.writing import ShardWriter, write_clips
from eilev.config.clips import ClipsConfig

WINDOW_S = 8.0
# Key frames every so many frames: a camera's, and x264's default.
GROUPS = (30, 250)
SPACINGS = {"dense": 1.6, "sparse": 12.0}
JOB_CLIPS = 64


def config(processes: int = 1) -> ClipsConfig:
    """The paper's values."""
    return ClipsConfig(
        window_s=WINDOW_S,
        num_frames=8,
        frame_size=448,
        jpeg_quality=95,
        max_pixels=Limits.max_pixels,
        shard_size=1024,
        processes=processes,
        executor="local",
        scheduler=None,
    )


def render(path: Path, seconds: float, group: int) -> None:
    """A video of 1440 x 1080 pixels, 30 frames a second."""
    source = f"testsrc2=s=1440x1080:r=30:d={seconds}"
    encoding = ["-c:v", "libx264", "-preset", "veryfast", "-g", str(group), "-pix_fmt", "yuv420p"]
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*ffmpeg, "-f", "lavfi", "-i", source, *encoding, str(path)], check=True)


def times(seconds: float, spacing_s: float) -> tuple[float, ...]:
    """What the clips are centred on."""
    count = int((seconds - WINDOW_S) / spacing_s) + 1
    return tuple(WINDOW_S / 2 + spacing_s * number for number in range(count))


def work(video: Path, seconds: float, spacing_s: float, one_by_one: bool) -> dict[str, Any]:
    """Cut all clips in this process."""
    if one_by_one:
        decoder._OVERLAP = math.inf
    cutter, wanted = Cutter(config()), times(seconds, spacing_s)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        writer = ShardWriter(Path(folder), 0)
        for first in range(0, len(wanted), JOB_CLIPS):
            part = wanted[first : first + JOB_CLIPS]
            job = Job(str(video), tuple(range(len(part))), part, path=str(video))
            cuts = [cut for _, cut in cutter(job, no_deadline)]
            if any(cut.error for cut in cuts):
                raise SystemExit(f"{cuts}")
            for place, cut in enumerate(cuts):
                writer.add(str(first + place), cut.jpegs)
        writer.close()
    used = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    rate = round(len(wanted) / used, 2)
    return {"clips": len(wanted), "decoder": cuts[0].decoder, "per_s": rate, "mib": peak}


def measure(video: Path, seconds: float, spacing_s: float, one_by_one: bool) -> dict[str, Any]:
    """The same in a process of its own."""
    asked = [f"--video={video}", f"--seconds={seconds}", f"--work={spacing_s}"]
    command = [sys.executable, "-m", "benchmarks.clips", *asked, *["--one-by-one"] * one_by_one]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def time_stage(video: Path, seconds: float, processes: int) -> float:
    """Clips per second of the clock of the whole stage, dense."""
    wanted = times(seconds, SPACINGS["dense"])
    table = pd.DataFrame({"timestamp_s": wanted})
    table = table.assign(narration_id=table.index.astype(str), video_id="v", video_path=str(video))
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_clips(table, config(processes), Path(folder) / "clips")
        return round(len(wanted) / (time.perf_counter() - start), 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clips", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="length of the video")
    parser.add_argument("--processes", type=int, nargs="*", default=[], help="of the whole stage")
    parser.add_argument("--video", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=float, metavar="SPACING", help=argparse.SUPPRESS)
    parser.add_argument("--one-by-one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(options.video, options.seconds, options.work, options.one_by_one)))
        return
    cases, stage = [], {}
    print(
        "key frames  narrations  one by one  now (decoder)    times  MiB   (clips per CPU second)"
    )
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "video.mp4"
        for group in GROUPS:
            render(video, options.seconds, group)
            for name, spacing_s in SPACINGS.items():
                before = measure(video, options.seconds, spacing_s, one_by_one=True)
                now = measure(video, options.seconds, spacing_s, one_by_one=False)
                ratio = round(now["per_s"] / before["per_s"], 2)
                case = {"group": group, "narrations": name, "before": before, "now": now}
                cases.append(case | {"ratio": ratio})
                print(
                    f"{group:10d}  {name:10s}  {before['per_s']:10.2f}  {now['per_s']:6.2f}"
                    f" ({now['decoder']:6s})  {ratio:7.2f}  {now['mib']:3d}",
                    flush=True,
                )
        for processes in options.processes:
            stage[processes] = time_stage(video, options.seconds, processes)
            print(f"stage, {processes} processes: {stage[processes]} clips a second of the clock")
    print(json.dumps({"cases": cases, "stage_clips_per_s": stage}))


if __name__ == "__main__":
    main()
