"""The reference: what a bundle's model was trained on, from the results of the stages."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.frame_choice import Frames
from eilev.drift.figures import corpus_of, count, reader, share_bursty
from eilev.io import DataError
from eilev.traffic import Reference, summarize, words_of

# Training episodes whose words are read; more would not change the shares.
_MAX_EPISODES = 4000


@dataclass(frozen=True)
class Trained:
    """What the stages have made.

    narrations: rows of schema.NARRATIONS. split: rows of schema.SPLIT. episodes: training episodes,
    rows of schema.EPISODES. decoded_ids: narrations that have a clip. frames: of one of these.
    engine: the bundle.
    """

    narrations: pd.DataFrame
    split: pd.DataFrame
    episodes: pd.DataFrame
    decoded_ids: Collection[str]
    frames: Callable[[str], Frames]
    engine: OnnxEngine


def make_reference(trained: Trained, num_clips: int, seed: int) -> Reference:
    """Measure the training distribution.

    Args:
        trained: by what.
        num_clips: training clips that the model looks at.
        seed: of the choice of these and of episodes.

    Raises:
        DataError: no training episode has its narrators' words, or no training clip has frames.
    """
    rng = np.random.default_rng(seed)
    ids = trained.split.loc[trained.split["split"] == "train", "narration_id"]
    texts = dict(
        zip(trained.narrations["narration_id"], trained.narrations["narration"], strict=True)
    )
    named = trained.narrations[trained.narrations["narration_id"].isin(set(ids))]
    read = reader(named["verb_word"].dropna(), named["noun_word"].dropna())
    natural = natural_episodes(trained.episodes)
    chosen = rng.permutation(len(natural))[:_MAX_EPISODES]
    episodes = [
        (read(texts[query]), [read(texts[one]) for one in context])
        for query, context in natural[["query", "context"]].iloc[chosen].itertuples(index=False)
    ]
    told = [words for query, context in episodes for words in (query, *context)]
    means, stds = _features(trained, list(ids), num_clips, rng)
    return Reference(
        fingerprint=trained.engine.manifest.fingerprint,
        vocabulary=tuple(sorted({word for text in named["narration"] for word in words_of(text)})),
        actions=tuple(sorted({(v, n) for v, n in map(read, named["narration"]) if v and n})),
        verbs=count(verb for verb, _ in told),
        nouns=count(noun for _, noun in told),
        shots=tuple(sorted(set(natural["shots"].tolist()))),
        burstiness=share_bursty(episodes),
        feature_mean=means,
        feature_std=stds,
        corpus=corpus_of(trained.narrations),
    )


def natural_episodes(episodes: pd.DataFrame) -> pd.DataFrame:
    """Those of the last phase that are told in the narrators' words, as requests are.

    Raises:
        DataError: there is none.
    """
    natural = episodes[episodes["meaning"] == "natural"]
    last = natural[natural["epoch"] == natural["epoch"].max()]
    chosen = natural[natural["phase"].isin(set(last["phase"]))]
    if chosen.empty:
        raise DataError("data/episodes/train.parquet has no episode told in the narrators' words")
    return chosen


def _features(
    trained: Trained, ids: list[str], num_clips: int, rng: np.random.Generator
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the features of some training clips."""
    decoded = set(trained.decoded_ids)
    shown = [one for one in ids if one in decoded]
    if not shown:
        raise DataError("data/clips/index.parquet: no training clip has frames")
    chosen = [shown[number] for number in rng.permutation(len(shown))[:num_clips]]
    pairs = [summarize(trained.engine.encode([trained.frames(one)])[0]) for one in chosen]
    means, stds = zip(*pairs, strict=True)
    return tuple(means), tuple(stds)
