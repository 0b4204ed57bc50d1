"""Building millions of 16-shot episodes over a million narrations: seconds and peak memory.

Run `python -m benchmarks.episodes [--episodes N] [--narrations N]`: a table, and a JSON object in
the last line. Reading the tables, indexing, drawing and writing Parquet are all counted.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.sampler import SHOTS, WAYS, make_actions
from eilev.config.episodes import (
    EpisodeMixture,
    EpisodesConfig,
    EvaluationEpisodes,
    MixtureItem,
    TrainingPhase,
)
from eilev.episodes.account import Account
from eilev.episodes.build import build_episodes
from eilev.episodes.facts import gather_facts
from eilev.parquet import write_tables
from eilev.schema import EPISODES


def make_tables(num_clips: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Narrations of Zipf-distributed actions, all of them for training."""
    verbs, nouns = make_actions(num_clips)
    ids = pd.Series(np.char.mod("clip-%09d", np.arange(num_clips)), dtype="str")
    words = {"verb": np.char.mod("verb%d", verbs), "noun": np.char.mod("noun%d", nouns)}
    narrations = pd.DataFrame(
        {
            "narration_id": ids,
            "video_id": "video",
            "video_path": "video.mp4",
            "timestamp_s": np.arange(num_clips, dtype=np.float64),
            "narration": "The camera wearer does something.",
            **{f"{part}_class": pd.Series(values, dtype="str") for part, values in words.items()},
            **{f"{part}_word": pd.Series(values, dtype="str") for part, values in words.items()},
        }
    )
    return narrations, pd.DataFrame({"narration_id": ids, "split": "train"})


def make_config(epochs: int) -> EpisodesConfig:
    """Bursty, random and contrastive contexts in the narrators' words."""
    mixture = (
        MixtureItem(kind="bursty", meaning="natural", share=0.5),
        MixtureItem(kind="random", meaning="natural", share=0.25),
        MixtureItem(kind="contrastive", meaning="natural", share=0.25, ways=WAYS),
    )
    drawn = EpisodeMixture(shots=(SHOTS,), mixture=mixture, max_queries=None, marginal=None)
    evaluation = EvaluationEpisodes(
        shots=(0,), kinds=("bursty",), meaning="natural", ways=WAYS, max_queries=None
    )
    return EpisodesConfig(
        seed=0,
        verb_noun_ratio=0.5,
        train=(TrainingPhase(name="contexts", epochs=epochs, **dict(drawn)),),
        val=drawn,
        evaluation=evaluation,
    )


def main() -> None:
    """Build and write, then print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000_000)
    parser.add_argument("--narrations", type=int, default=1_000_000)
    options = parser.parse_args()
    narrations, split = make_tables(options.narrations)
    before = _peak_gib()
    start = time.monotonic()
    config = make_config(max(1, options.episodes // options.narrations))
    facts = gather_facts(narrations, split, narrations["narration_id"])
    built = build_episodes(facts, config, Account())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        write_tables(built["train"], EPISODES, path)
        size = path.stat().st_size / 2**30
    figures = {
        "narrations": options.narrations,
        "episodes": config.train[0].epochs * options.narrations,
        "seconds": round(time.monotonic() - start, 1),
        "peak_gib": round(_peak_gib(), 2),
        "peak_gib_before": round(before, 2),
        "file_gib": round(size, 2),
    }
    for name, value in figures.items():
        print(f"{name:>16} {value}")
    print(json.dumps(figures))


def _peak_gib() -> float:
    """Largest resident memory of this process so far (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
