"""What a run trains on: measured where the pipeline has been run, else estimated."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pyarrow.parquet as pq

from eilev import paths, schema
from eilev.clips.store import INDEX
from eilev.config.episodes import EpisodeMixture
from eilev.config.params import Params
from eilev.episodes.recipes import mixture_recipes, round_shares
from eilev.inputs.episode import EpisodeFormat, make_layout
from eilev.inputs.tokenizer import train_word_codec
from eilev.language.new_words import new_word_forms
from eilev.model.video_blip import VideoBlip
from eilev.parquet import read_table
from eilev.planning.cost import Group

# Tokens of a narration: EPIC-KITCHENS-100's have 8.1 words and punctuation marks.
NARRATION_TOKENS = 10
# Words of a model from scratch.
VOCABULARY = 256


@dataclass(frozen=True)
class Workload:
    """What is trained on.

    episodes: of one epoch. val_episodes: of one validation. narrations: clips stored.
    narration_tokens: of a sentence. vocab_size: of a model from scratch. clip_bytes: of one stored
    clip, None where it is to be estimated.
    """

    episodes: int
    val_episodes: int
    narrations: int
    narration_tokens: int
    vocab_size: int
    clip_bytes: float | None = None


def read_workload(params: Params) -> Workload | None:
    """Measure what the stages up to `episodes` have written; None where they have not.

    Raises:
        DataError: a table is unreadable.
    """
    tables = {split: paths.EPISODES / f"{split}.parquet" for split in ("train", "val")}
    if not all(path.is_file() for path in (*tables.values(), paths.NARRATIONS)):
        return None
    rows = {split: pq.read_metadata(path).num_rows for split, path in tables.items()}
    texts = read_table(paths.NARRATIONS, schema.NARRATIONS)["narration"].tolist()
    codec = train_word_codec([*texts, *params.train.prompts, *new_word_forms()])
    shards = [path.stat().st_size for path in paths.CLIPS.glob("*.arrow")]
    index = read_table(paths.CLIPS / INDEX, schema.CLIPS_INDEX)
    return Workload(
        episodes=rows["train"] // sum(phase.epochs for phase in params.episodes.train),
        val_episodes=rows["val"],
        narrations=len(texts),
        narration_tokens=round(fmean(len(codec.encode(text)) for text in texts)),
        vocab_size=codec.vocab_size,
        clip_bytes=sum(shards) / max(1, int(index["shard"].notna().sum())),
    )


def estimate_workload(
    params: Params, episodes: int | None, narration_tokens: int = NARRATION_TOKENS
) -> Workload:
    """Estimate from the shares of the split.

    Args:
        params: All parameters.
        episodes: Training episodes of one epoch; None takes those of the synthetic source.
        narration_tokens: Of a sentence.

    Raises:
        ValueError: `episodes` is None and the source is not the synthetic one.
    """
    split = params.split
    common = split.common_share if split.by == "action" else 1.0
    train = common * split.train_val_share * split.train_share
    narrations = _synthetic_narrations(params) if episodes is None else episodes / train
    asked = round(narrations * train)
    limits = [p.max_queries for p in params.episodes.train for _ in range(p.epochs)]
    val = narrations * common * split.train_val_share * (1 - split.train_share)
    return Workload(
        episodes=round(fmean(min(asked, most or asked) for most in limits)),
        val_episodes=round(min(val, params.episodes.val.max_queries or val)),
        narrations=round(narrations),
        narration_tokens=narration_tokens,
        vocab_size=VOCABULARY,
    )


def _synthetic_narrations(params: Params) -> float:
    kitchen = params.synthesize
    if params.ingest.annotations != str(paths.SYNTHETIC / "fho_main.json"):
        raise ValueError(
            f"the size of {params.ingest.annotations} is not known before `dvc repro episodes`: "
            "give --episodes, the training episodes (narrations of the train split) of one epoch"
        )
    rejected = kitchen.rejected_rate + kitchen.invalid_rate + kitchen.other_person_rate
    return kitchen.num_actions * (1 - rejected)


def typical_batch(
    params: Params, mixture: EpisodeMixture, batch_size: int, model: VideoBlip, workload: Workload
) -> tuple[Group, ...]:
    """Episodes of one process at once: the mixture's shot counts in their shares, rounded."""
    recipes, shares = mixture_recipes(mixture)
    episodes: dict[int, int] = {}
    for recipe, number in zip(recipes, round_shares(shares, batch_size), strict=True):
        episodes[recipe.shots] = episodes.get(recipe.shots, 0) + int(number)
    return tuple(
        _group(params, shots, number, model, workload)
        for shots, number in sorted(episodes.items())
        if number
    )


def _group(params: Params, shots: int, episodes: int, model: VideoBlip, load: Workload) -> Group:
    """Length of an episode by laying one out, a token for each word and punctuation mark."""
    narration = " ".join(["word"] * load.narration_tokens)
    codec = train_word_codec([narration, *params.train.prompts, "\n"])
    prompts = sorted(params.train.prompts, key=lambda prompt: len(codec.encode(prompt)))
    layout = make_layout(
        [narration] * (shots + 1),
        EpisodeFormat(
            codec=codec,
            num_query_tokens=model.config.num_query_tokens,
            encoder_decoder=model.family.encoder_decoder,
            prompts=(prompts[len(prompts) // 2],),
            loss_on=params.train.loss_on,
        ),
        np.random.default_rng(0),
    )
    labels = sum(label >= 0 for label in layout.labels)
    return Group(episodes, shots + 1, len(layout.input_ids), labels)
