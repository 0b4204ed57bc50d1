"""train: the interleaved video model on the train episodes, selected on the val episodes.

Started by `accelerate launch`, which decides device, precision and process count; plain `python -m`
works as well where the launch file says that there is one process.
"""

import shutil
from dataclasses import asdict
from pathlib import Path

from eilev import paths, schema
from eilev.clips.store import ClipStore
from eilev.config.clips import ClipsConfig
from eilev.config.launch import read_launch
from eilev.config.section import load_section
from eilev.config.train import TrainConfig
from eilev.inputs.defaults import NarrationDefaults
from eilev.inputs.episode import narrations_by_id
from eilev.io import replace_dir, write_json
from eilev.model.checkpoint import save_model
from eilev.model.video_blip import VideoBlip
from eilev.parquet import hold, read_batches
from eilev.stages.runner import stage
from eilev.stages.watched import watched_files
from eilev.training.result import TrainResult
from eilev.training.setup import (
    make_accelerator,
    make_reproducible,
    read_episodes,
    resumption,
    set_up,
)
from eilev.training.tracking import DvcLiveTracker, NullTracker
from eilev.training.trainer import train


@stage
def main() -> None:
    """Write data/train/; a stopped run continues from data/train/checkpoints/."""
    config = load_section("train", TrainConfig)
    clips = load_section("clips", ClipsConfig)
    launch = read_launch(Path(config.launch))
    accelerator = make_accelerator(config, launch.use_cpu)
    launch.check(accelerator.num_processes)
    make_reproducible(accelerator)
    tables = {split: paths.EPISODES / f"{split}.parquet" for split in ("train", "val")}
    told = read_batches(paths.NARRATIONS, schema.NARRATIONS, ("narration_id", "narration"))
    narrations = narrations_by_id(hold(told, ()))
    episodes = read_episodes(tables, narrations.ids, paths.CHECKPOINTS / "episodes", accelerator)
    setup = set_up(config, narrations, episodes, ClipStore(paths.CLIPS))
    resume = resumption(
        config,
        accelerator,
        [paths.NARRATIONS, *tables.values(), *watched_files("train")],
        paths.CLIPS,
        paths.CHECKPOINTS,
    )
    live = paths.CHECKPOINTS / paths.LIVE.name
    tracker = DvcLiveTracker(live) if accelerator.is_main_process else NullTracker()
    result = train(setup.model, setup.data, config, accelerator, tracker, resume)
    tracker.close()
    if accelerator.is_main_process:
        defaults = NarrationDefaults(
            num_frames=clips.num_frames,
            window_s=clips.window_s,
            frame_size=clips.frame_size,
            prompt=config.prompts[0],
        )
        save_model(setup.model, setup.codec, setup.data.preprocessing, paths.MODEL, defaults)
        _write_metrics(setup.model, result)
        replace_dir(live, paths.LIVE)
        shutil.rmtree(paths.CHECKPOINTS, ignore_errors=True)
    accelerator.end_training()


def _write_metrics(model: VideoBlip, result: TrainResult) -> None:
    parameters = list(model.parameters())
    sizes = {
        "parameters": sum(p.numel() for p in parameters),
        "trainable": sum(p.numel() for p in parameters if p.requires_grad),
    }
    metrics = asdict(result)
    write_json(metrics.pop("effort"), paths.TRAIN_EFFORT)
    write_json(sizes | metrics, paths.TRAIN_METRICS)


if __name__ == "__main__":
    main()
