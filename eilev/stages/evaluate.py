"""evaluate: in-context learning curves of the trained model on unseen clips and novel actions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from accelerate import PartialState

from eilev import paths, schema
from eilev.clips.cache import ClipCache
from eilev.clips.store import ClipStore
from eilev.config.evaluate import EvaluateConfig
from eilev.config.section import load_section
from eilev.evaluation.baselines import compare
from eilev.evaluation.classifier import training_clips
from eilev.evaluation.curves import Evaluation, Questions, evaluate
from eilev.evaluation.similarity import load_text_metrics
from eilev.inputs.episode import clip_ids_of
from eilev.io import atomic_file, read_json, write_json
from eilev.model.checkpoint import LoadedModel, load_model
from eilev.parquet import hold, read_batches, read_table, write_table
from eilev.schema import Split
from eilev.stages.runner import stage
from eilev.vocabulary import listed

# What is asked of a narration; of the words there are few.
_WORDS = ("verb_class", "noun_class", "verb_word", "noun_word")
_TOLD = ("narration_id", "narration", *_WORDS)


@stage
def main() -> None:
    """Write data/evaluate/."""
    config = load_section("evaluate", EvaluateConfig)
    device = PartialState().device
    # What is missing shows now, not after hours of generation.
    loaded = _load(paths.MODEL, device)
    without_contexts = _load_baseline(config, device)
    text_metrics = load_text_metrics(config.text_metrics, config.batch_size, device)
    told = read_batches(paths.NARRATIONS, schema.NARRATIONS, _TOLD)
    narrations = hold(told, _WORDS)
    episodes = _read_episodes(config.splits)
    learnt = _clips_to_learn(narrations, config)
    asked = map(str, clip_ids_of(map(pa.Table.from_pandas, episodes.values())))
    frames = ClipCache(ClipStore(paths.CLIPS), [*asked, *learnt])
    summary = read_json(paths.EPISODES_SUMMARY)
    questions = Questions(episodes, narrations, frames, config, device, summary, text_metrics)
    evaluation = evaluate(loaded, questions)
    _write(
        evaluation,
        baselines=compare(loaded, without_contexts, learnt, questions, evaluation),
        text_metrics=text_metrics.about(),
    )


def _load(folder: Path, device: torch.device) -> LoadedModel:
    loaded = load_model(folder)
    loaded.model.to(device)  # type: ignore[arg-type]  # transformers' wrapper hides `self`
    return loaded


def _load_baseline(config: EvaluateConfig, device: torch.device) -> LoadedModel | None:
    folder = config.baselines.no_context_model
    return None if folder is None else _load(Path(folder), device)


def _read_episodes(splits: Sequence[Split]) -> dict[Split, pd.DataFrame]:
    """Episodes of the splits that have some: split by video, there are no novel actions."""
    tables = {
        split: read_table(paths.EPISODES / f"{split}.parquet", schema.EPISODES) for split in splits
    }
    episodes = {split: table for split, table in tables.items() if len(table)}
    if not episodes:
        raise ValueError(f"the {listed(splits)} episodes are empty: nothing to evaluate on")
    return episodes


def _clips_to_learn(narrations: pd.DataFrame, config: EvaluateConfig) -> list[str]:
    """Clips that the frozen video classifier learns from; none where it is not asked for."""
    most = config.baselines.classifier_clips
    if most is None:
        return []
    train = read_batches(paths.EPISODES / "train.parquet", schema.EPISODES, ("query", "context"))
    return training_clips(train, narrations, most, np.random.default_rng(config.seed))


def _write(evaluation: Evaluation, **extras: Any) -> None:
    write_table(evaluation.predictions, schema.PREDICTIONS, paths.PREDICTIONS)
    with atomic_file(paths.EVALUATION_PLOTS / "in_context_curve.csv") as temporary:
        evaluation.curves.to_csv(temporary, index=False)
    known = {"data": read_json(paths.VALIDATION)["data"], "model": read_json(paths.TRAIN_METRICS)}
    metrics = evaluation.metrics | known | {"probes": evaluation.probes} | extras
    write_json(metrics, paths.METRICS)


if __name__ == "__main__":
    main()
