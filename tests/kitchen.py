"""A handful of rendered clips with narrations and episodes."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from eilev import paths, schema
from eilev.config.episodes import (
    EpisodeMixture,
    EpisodesConfig,
    EvaluationEpisodes,
    MixtureItem,
    TrainingPhase,
)
from eilev.config.train import AugmentConfig, PhaseConfig, TrainConfig
from eilev.episodes.account import Account
from eilev.parquet import write_table
from eilev.synthetic.render import background, looks, motions, render_clip
from tests.tiny import IMAGE_SIZE, NUM_FRAMES, PROMPT, tiny_config
from tests.worlds import episode_frames, episode_table

CLIPS_PER_BATCH = 64

# Class: its words. "clean" is a homonym of two verb classes.
VERBS = {
    "cut_(slice)": ("cut", "slice"),
    "wash_(clean)": ("wash", "clean"),
    "wipe_(clean)": ("wipe", "clean"),
    "open": ("open",),
}
NOUNS = {
    "onion": ("onion",),
    "plate_(dish)": ("plate", "dish"),
    "knife": ("knife",),
    "cup_(mug)": ("cup", "mug"),
}
_PRESENT = {"wash": "washes"}


@dataclass(frozen=True)
class Kitchen:
    narrations: pd.DataFrame
    episodes: dict[str, pd.DataFrame]
    clips: dict[str, np.ndarray]
    # data/episodes/summary.json
    summary: dict[str, Any]

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The episodes as training takes them."""
        return {name: episode_table(frame) for name, frame in self.episodes.items()}


def narration_rows(actions) -> pd.DataFrame:
    """A narration table; `actions` are (verb class, noun class, verb word, noun word)."""
    rows = [
        {
            "narration_id": f"clip-{i:03d}",
            "video_id": "video",
            "video_path": "video.mp4",
            "timestamp_s": float(i),
            "narration": f"The camera wearer {_PRESENT.get(verb, f'{verb}s')} the {noun}.",
            "verb_class": verb_class,
            "noun_class": noun_class,
            "verb_word": verb,
            "noun_word": noun,
        }
        for i, (verb_class, noun_class, verb, noun) in enumerate(actions)
    ]
    return pd.DataFrame(rows)


def make_kitchen(num_clips=96, epochs=2, shots=4, seed=0, phases=("contexts",)) -> Kitchen:
    """Random actions, a third of the clips for val, test and novel, two kinds of episodes.

    Each phase has so many epochs.
    """
    rng = np.random.default_rng(seed)
    verbs, nouns = list(VERBS), list(NOUNS)
    picks = np.stack([rng.integers(len(table), size=num_clips) for table in (verbs, nouns)], 1)
    actions = [
        (verbs[v], nouns[n], rng.choice(VERBS[verbs[v]]).item(), rng.choice(NOUNS[nouns[n]]).item())
        for v, n in picks
    ]
    narrations = narration_rows(actions)
    splits = ["train", "train", "train", "train", "val", "test", "novel", "train"]
    split = pd.DataFrame(
        {
            "narration_id": narrations["narration_id"],
            "split": [splits[i % len(splits)] for i in range(num_clips)],
        }
    )
    ids = narrations["narration_id"].tolist()
    clips = dict(zip(ids, _render(picks, seed), strict=True))
    config = _episodes_config(epochs, shots, phases)
    counts = Account()
    episodes = episode_frames(narrations, split, ids, config, counts)
    return Kitchen(narrations, episodes, clips, counts.to_json())


def _render(picks, seed):
    rng = np.random.default_rng(seed)
    kinds, appearances = motions(), looks(rng)
    for verb, noun in picks:
        scene = background(rng, IMAGE_SIZE, IMAGE_SIZE)
        yield render_clip(kinds[verb], appearances[noun], scene, NUM_FRAMES, rng).frames


def _episodes_config(epochs, shots, phases):
    mixture = (
        MixtureItem(kind="bursty", meaning="natural", share=0.5),
        MixtureItem(kind="bursty", meaning="permuted", share=0.5),
    )
    drawn = {"shots": (shots,), "mixture": mixture, "max_queries": None, "marginal": None}
    return EpisodesConfig(
        seed=0,
        verb_noun_ratio=0.5,
        train=tuple(TrainingPhase(name=name, epochs=epochs, **drawn) for name in phases),
        val=EpisodeMixture(**drawn),
        evaluation=EvaluationEpisodes(
            shots=(0, 1, 2),
            kinds=("bursty", "random", "contrastive"),
            meaning="natural",
            ways=2,
            max_queries=6,
        ),
    )


def train_phase(**changes) -> PhaseConfig:
    """How the one phase of the kitchen is trained."""
    plain = {"name": "contexts", "freeze": (), "learning_rate_scale": 1.0}
    plain |= {"language": 1.0, "guidance": 0.0, "naming": 0.0}
    return PhaseConfig(**plain | changes)


def put_phase(params, **drawn):
    """Make the curriculum of a params.yaml one phase, drawn otherwise where it is said."""
    phases = params["episodes"]["train"]
    contexts = next(phase for phase in phases if phase["name"] == "matching")
    params["episodes"]["train"] = [contexts | {"name": "contexts", "epochs": 1} | drawn]
    params["train"]["phases"] = [train_phase().model_dump(mode="json")]
    bursty = {"burstiness": {"min": 0.95, "max": 1.0}}
    above = {"burstiness_above_random": {"min": 0.3, "max": None}}
    natural = {"verb_homonymy": None, "noun_homonymy": None}
    params["validate"]["phases"] = [{"name": "contexts", **bursty, **above, **natural}]


def tiny_train_config(**changes) -> TrainConfig:
    """A run of a few steps on the tiny model."""
    return TrainConfig(
        **{
            "seed": 0,
            "launch": "accelerate.yaml",
            "model": tiny_config(),
            "prompts": (PROMPT,),
            "loss_on": "all",
            "phases": (train_phase(),),
            "content_weight": 2.0,
            "batch_size": 8,
            "accumulation_steps": 1,
            "learning_rate": 3e-3,
            "betas": (0.9, 0.98),
            "weight_decay": 0.05,
            "warmup_steps": 2,
            "schedule": "cosine",
            "max_grad_norm": 1.0,
            "augment": AugmentConfig(
                randaugment=0,
                crop_scale=(0.7, 1.0),
                horizontal_flip=0.0,
                brightness=0.2,
                contrast=0.2,
                noise=0.02,
                symmetries=False,
            ),
            "views": 0,
            "validate_every": 5,
            "checkpoint_every": 4,
            "select_by": "icl",
            "num_workers": 0,
        }
        | changes
    )


def write_shard(clips):
    """Write clips (narration id: frames) to data/clips of the current folder."""
    paths.CLIPS.mkdir(parents=True)
    frames = [[to_jpeg(frame) for frame in clip] for clip in clips.values()]
    table = pa.table({"narration_id": list(clips), "frames": frames}, schema=schema.CLIPS_SHARD)
    with pa.ipc.new_file(str(paths.CLIPS / "clips-00000.arrow"), schema.CLIPS_SHARD) as file:
        for batch in table.to_batches(max_chunksize=CLIPS_PER_BATCH):
            file.write_batch(batch)
    index = pd.DataFrame({"narration_id": list(clips), "row": range(len(clips))})
    index = index.assign(video_id="video", shard="clips-00000.arrow", num_frames=2)
    index = index.assign(decoder="decord", error=None)
    write_table(index, schema.CLIPS_INDEX, paths.CLIPS / "index.parquet")


def to_jpeg(frame):
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG")
    return buffer.getvalue()
