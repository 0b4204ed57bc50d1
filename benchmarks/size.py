"""Time and memory of the stages by the number of narrations, up to Ego4D's and beyond.

Run `python -m benchmarks.size [--narrations N ...]`: a table, and a JSON object in the last line.
For each size, annotations in Ego4D's schema are made and go through the stages themselves, each a
process of its own: ingest, split, episodes (16 shots, 5 epochs), validate, and train, which is
stopped after the first step of a tiny model. Only `clips` is left out: every clip is the same two
grey frames, too large to be held for all clips even at the smallest size, as real ones are.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

SIZES = (6_000, 60_000, 300_000, 1_000_000)
STAGES = ("ingest", "split", "episodes", "validate", "train")
SHOTS, EPOCHS = 16, 5
NARRATIONS_PER_VIDEO = 250
FRAME_SIZE, NUM_FRAMES = 320, 2

PHASE = "contexts"
FREE = {"min": None, "max": None}

ROOT = Path(__file__).parents[1]
RAW = Path("data/raw/ego4d")


def make_params() -> dict[str, Any]:
    """The default's parameters but for the paper's contexts, a tiny model and no bounds."""
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["ingest"] |= {"annotations": f"{RAW}/fho_main.json", "videos": f"{RAW}/videos"}
    params["clips"] |= {"frame_size": FRAME_SIZE, "num_frames": NUM_FRAMES}
    choose_episodes(params["episodes"])
    choose_training(params["train"])
    params["evaluate"]["conditions"] = ["bursty"]
    bounds = {name: FREE for name in params["validate"] if name not in ("unique_queries", "phases")}
    phase: dict[str, Any] = {"name": PHASE, "burstiness": {"min": 0.5, "max": 1.0}}
    phase |= {"burstiness_above_random": FREE, "verb_homonymy": None, "noun_homonymy": None}
    params["validate"] |= bounds | {"phases": [phase]}
    return params


def choose_episodes(section: dict[str, Any]) -> None:
    """Contexts of the paper's: bursty, in the narrators' words."""
    mixture = [{"kind": "bursty", "meaning": "natural", "share": 1.0}]
    drawn = {"shots": [SHOTS], "mixture": mixture, "max_queries": None, "marginal": None}
    section["train"] = [{"name": PHASE, "epochs": EPOCHS, **drawn}]
    section["val"] = drawn | {"max_queries": 64}
    section["evaluation"] |= {"shots": [0, SHOTS], "kinds": ["bursty"], "max_queries": 500}


def choose_training(section: dict[str, Any]) -> None:
    """A model that takes next to no time and memory, and a checkpoint after its first step."""
    tiny = {"hidden_size": 32, "num_hidden_layers": 1}
    tiny |= {"num_attention_heads": 2, "intermediate_size": 64}
    section["model"]["scratch"] |= dict.fromkeys(("vision", "qformer", "text"), tiny)
    section["model"]["scratch"]["max_position_embeddings"] = 1024
    phase = {
        "name": PHASE,
        "freeze": [],
        "learning_rate_scale": 1.0,
        "language": 1.0,
        "guidance": 0.0,
        "naming": 0.0,
    }
    rarely = {"validate_every": 10**9, "checkpoint_every": 1}
    section |= {"phases": [phase], "batch_size": 8, "views": 0} | rarely


def annotate(num_narrations: int) -> Iterator[dict[str, Any]]:
    """Videos of fho_main.json with Zipf-distributed actions, flaws left out."""
    from benchmarks.sampler import make_actions
    from eilev.language.templates import inflect
    from eilev.synthetic.lexicon import NOUNS, VERBS

    words = [
        [(f"{name}_({',_'.join(others)})", (name, *others)) for name, others in table.items()]
        for table in (VERBS, NOUNS)
    ]
    verbs, nouns = make_actions(num_narrations)
    for start in range(0, num_narrations, NARRATIONS_PER_VIDEO):
        actions = []
        for i in range(start, min(start + NARRATIONS_PER_VIDEO, num_narrations)):
            verb, verb_words = words[0][verbs[i] % len(words[0])]
            noun, noun_words = words[1][nouns[i] % len(words[1])]
            spoken = inflect("takes", verb_words[i % len(verb_words)], "VERB")
            text = f"#C C {spoken} the {noun_words[i % len(noun_words)]}"
            actions.append(annotate_action(i, text, verb, noun))
        interval = {"start_sec": 0.0, "end_sec": 8.0, "narrated_actions": actions}
        yield {"video_uid": uid(start), "annotated_intervals": [interval]}


def annotate_action(number: int, text: str, verb: str, noun: str) -> dict[str, Any]:
    """A narrated action with the frames and boxes that real ones have."""
    bounds = {"x": 1204.31, "y": 630.28, "width": 310.57, "height": 277.94}
    boxes = [
        {"object_type": kind, "structured_noun": name, "bbox": bounds}
        for kind, name in (("left_hand", None), ("right_hand", None), ("object_of_change", noun))
    ]
    kinds = ("pre_45", "pre_30", "pre_15", "pre_frame", "contact_frame", "pnr_frame", "post_frame")
    return {
        "uid": uid(number),
        "narration_text": text,
        "narration_timestamp_sec": float(number % NARRATIONS_PER_VIDEO),
        "structured_verb": verb,
        "is_rejected": False,
        "is_valid_action": True,
        "frames": [{"frame_type": k, "video_frame": number, "boxes": boxes} for k in kinds],
    }


def uid(number: int) -> str:
    """An id as long as Ego4D's."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def write_source(num_narrations: int) -> None:
    """Write the annotations, video by video, and empty files in the place of the videos."""
    (RAW / "videos").mkdir(parents=True)
    with (RAW / "fho_main.json").open("w") as file:
        file.write('{"videos": [')
        for number, video in enumerate(annotate(num_narrations)):
            file.write("," * bool(number) + json.dumps(video))
            (RAW / "videos" / f"{video['video_uid']}.mp4").touch()
        file.write("]}")


def write_clips() -> None:
    """Write shards and an index as the clips stage does."""
    import io

    import pandas as pd
    import pyarrow as pa
    from PIL import Image

    from eilev import paths, schema
    from eilev.parquet import read_table, write_table

    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    ids = narrations["narration_id"].tolist()
    buffer = io.BytesIO()
    Image.new("RGB", (FRAME_SIZE, FRAME_SIZE), "grey").save(buffer, "JPEG", quality=30)
    clip = [buffer.getvalue()] * NUM_FRAMES
    paths.CLIPS.mkdir(parents=True)
    shard = "clips-00000.arrow"
    with pa.ipc.new_file(str(paths.CLIPS / shard), schema.CLIPS_SHARD) as writer:
        for start in range(0, len(ids), 64):  # as many rows to a batch as the store expects
            rows = ids[start : start + 64]
            columns = {"narration_id": rows, "frames": [clip] * len(rows)}
            writer.write_table(pa.table(columns, schema=schema.CLIPS_SHARD))
    index = pd.DataFrame({"narration_id": ids, "video_id": narrations["video_id"]})
    index = index.assign(shard=shard, row=range(len(ids)), num_frames=NUM_FRAMES)
    index = index.assign(decoder="decord", error=None)
    write_table(index, schema.CLIPS_INDEX, paths.CLIPS / "index.parquet")


def prepare(folder: Path, num_narrations: int) -> None:
    """Write parameters and the source."""
    launch = {"distributed_type": "NO", "num_processes": 1, "mixed_precision": "no"}
    (folder / "accelerate.yaml").write_text(yaml.safe_dump(launch | {"use_cpu": True}))
    (folder / "params.yaml").write_text(yaml.safe_dump(make_params()))
    call(folder, ["-m", "benchmarks.size", f"--write-source={num_narrations}"])


def call(folder: Path, arguments: Iterable[str], until: str | None = None) -> dict[str, float]:
    """Run Python in the folder; once something matches `until`, it may stop.

    Returns:
        Seconds of processors and of the clock, and the most memory that was resident at once, of
        that process alone: with the pages of files that are mapped, as far as they were looked at,
        and without, as looked at every 50 ms. The kernel takes those pages back where memory is
        short.

    Raises:
        RuntimeError: it failed.
    """
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=env, stdout=sys.stderr, start_new_session=True
    )
    stopped, own_kib = False, 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if until and not stopped and any(folder.glob(until)):
            process.send_signal(signal.SIGTERM)
            stopped = True
        own_kib = max(own_kib, _own_kib(process.pid))
        time.sleep(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not stopped:
        raise RuntimeError(f"python {' '.join(arguments)} ended with {process.returncode}")
    return {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "clock_s": round(time.monotonic() - start, 1),
        "peak_mib": round(usage.ru_maxrss / 2**10),
        "own_mib": round(own_kib / 2**10),
    }


def _own_kib(pid: int) -> int:
    """Resident memory of a process that is no file's; 0 of one that has just ended."""
    found = re.search(
        r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    return int(found[1]) if found else 0


def measure(num_narrations: int, folder: Path) -> dict[str, Any]:
    """Run all stages on one size."""
    prepare(folder, num_narrations)
    stages = {}
    for stage in STAGES:
        if stage == "episodes":
            call(folder, ["-m", "benchmarks.size", "--write-clips"])
        until = "data/train/checkpoints/step-*" if stage == "train" else None
        figures = stages[stage] = call(folder, ["-m", f"eilev.stages.{stage}"], until)
        print(
            f"{num_narrations:>10}  {stage:<9} {figures['cpu_s']:>8} {figures['clock_s']:>9}"
            f" {figures['peak_mib']:>9} {figures['own_mib']:>8}",
            flush=True,
        )
    return {"narrations": num_narrations, "stages": stages}


def main() -> None:
    """Measure every size and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.size", description=__doc__)
    parser.add_argument("--narrations", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, help="for what is written; it is not removed")
    # In processes of their own: a stage would begin with the memory of whoever starts it.
    parser.add_argument("--write-source", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--write-clips", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write_source:
        write_source(options.write_source)
    elif options.write_clips:
        write_clips()
    else:
        print("narrations  stage        cpu s   clock s  peak MiB  own MiB")
        results = [run(size, options.folder) for size in options.narrations]
        print(json.dumps({"shots": SHOTS, "epochs": EPOCHS, "sizes": results}))


def run(size: int, folder: Path | None) -> dict[str, Any]:
    """Measure one size in a folder of its own."""
    place = Path(tempfile.mkdtemp(prefix=f"size-{size}-", dir=folder))
    try:
        return measure(size, place)
    finally:
        if folder is None:
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
