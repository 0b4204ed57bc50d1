"""evaluate: in-context learning curves of the trained model on unseen clips and novel actions."""

import pandas as pd
from accelerate import PartialState

from eilev import paths, schema
from eilev.config import load_params
from eilev.data.clips import ClipStore
from eilev.data.dataset import Frames, clip_ids_of
from eilev.evaluation.icl import evaluate
from eilev.io import atomic_file, read_json, read_table, write_json, write_table
from eilev.model.checkpoint import load_model
from eilev.schema import Split
from eilev.stages.runner import stage

SPLITS: tuple[Split, ...] = ("test", "novel")


@stage
def main() -> None:
    """Write data/evaluate/."""
    config = load_params().evaluate
    device = PartialState().device
    loaded = load_model(paths.MODEL)
    loaded.model.to(device)
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    tables = {
        split: read_table(paths.EPISODES / f"{split}.parquet", schema.EPISODES) for split in SPLITS
    }
    # Split by video, there are no novel actions.
    episodes = {split: table for split, table in tables.items() if len(table)}
    if not episodes:
        raise ValueError("the test and the novel episodes are empty: nothing to evaluate on")
    shown = clip_ids_of(pd.concat(episodes.values()))
    frames = Frames(ClipStore(paths.CLIPS), shown)
    evaluation = evaluate(loaded, episodes, narrations, frames, config, device)
    write_table(evaluation.predictions, schema.PREDICTIONS, paths.PREDICTIONS)
    with atomic_file(paths.EVALUATION_PLOTS / "in_context_curve.csv") as temporary:
        evaluation.curves.to_csv(temporary, index=False)
    extras = {
        "data": read_json(paths.VALIDATION)["data"],
        "model": read_json(paths.TRAIN_METRICS),
        "probes": evaluation.probes,
    }
    write_json(evaluation.metrics | extras, paths.METRICS)


if __name__ == "__main__":
    main()
