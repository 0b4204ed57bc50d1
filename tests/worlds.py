"""A narration table with the properties of the real ones, made in memory."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from eilev.config.episodes import EpisodesConfig
from eilev.episodes.account import Account
from eilev.episodes.build import build_episodes
from eilev.episodes.facts import ClipFacts, gather_facts
from eilev.language.templates import inflect
from eilev.schema import EPISODES, OTHER_VERB
from eilev.synthetic.lexicon import NOUNS, VERBS


@dataclass(frozen=True)
class World:
    """What the episodes and validate stages read."""

    narrations: pd.DataFrame
    split: pd.DataFrame
    clips: pd.DataFrame

    @property
    def decoded_ids(self) -> set[str]:
        return set(self.clips.loc[self.clips["shard"].notna(), "narration_id"])

    @property
    def facts(self) -> ClipFacts:
        return gather_facts(self.narrations, self.split, self.decoded_ids)


def make_world(
    num_clips: int, num_verbs: int = 8, num_nouns: int = 12, seed: int = 0, undecoded: int = 2
) -> World:
    """Zipf-distributed actions with synonyms, homonyms, `[other]` verbs and missing nouns.

    Four fifths of the actions are rare: a quarter `novel_val`, the others `novel`. The last
    `undecoded` clips have no frames.
    """
    rng = np.random.default_rng(seed)
    verbs, nouns = list(VERBS)[:num_verbs], list(NOUNS)[:num_nouns]
    num_actions = num_verbs * num_nouns
    weights = 1 / np.arange(1, num_actions + 1)
    drawn = rng.choice(num_actions, num_clips, p=weights / weights.sum())
    actions = rng.permutation(num_actions)[drawn]
    rows, splits = [], []
    for i, (rank, action) in enumerate(zip(drawn.tolist(), actions.tolist(), strict=True)):
        verb, noun = verbs[action // num_nouns], nouns[action % num_nouns]
        verb_word = _word(verb, VERBS, rng)
        noun_word = _word(noun, NOUNS, rng)
        inflected = inflect("takes", verb_word, "VERB")
        row = {
            "narration_id": f"clip-{i:05d}",
            "video_id": f"video-{i // 40:03d}",
            "video_path": f"videos/video-{i // 40:03d}.mp4",
            "timestamp_s": float(i % 40),
            "narration": f"The camera wearer {inflected} the {noun_word}.",
            "verb_class": verb,
            "noun_class": noun,
            "verb_word": verb_word,
            "noun_word": noun_word,
        }
        if i % 50 == 7:
            row |= {"verb_class": OTHER_VERB, "verb_word": None}
        if i % 50 == 9:
            row |= {"noun_class": None, "noun_word": None}
        rows.append(row)
        if rank >= num_actions // 5:
            splits.append("novel_val" if rank % 4 == 0 else "novel")
        else:
            splits.append(str(rng.choice(["train", "val", "test"], p=[0.7, 0.1, 0.2])))
    narrations = pd.DataFrame(rows)
    ids = narrations["narration_id"]
    return World(narrations, _split(ids, splits), _clips(narrations, undecoded))


def _word(name: str, words: dict[str, tuple[str, ...]], rng: np.random.Generator) -> str:
    return name if rng.random() < 0.7 else str(rng.choice(words[name]))


def _split(ids: pd.Series, splits: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"narration_id": ids, "split": splits})


def _clips(narrations: pd.DataFrame, undecoded: int) -> pd.DataFrame:
    num_decoded = len(narrations) - undecoded
    return pd.DataFrame(
        {
            "narration_id": narrations["narration_id"],
            "video_id": narrations["video_id"],
            "shard": ["clips-00000.arrow"] * num_decoded + [None] * undecoded,
            "row": pd.Series([*range(num_decoded), *[None] * undecoded], dtype="Int32"),
            "num_frames": np.int32(4),
            "decoder": "decord",
            "error": [None] * num_decoded + ["the video ends before the clip"] * undecoded,
        }
    )


def episode_frames(
    narrations, split, decoded_ids, config: EpisodesConfig, counts: Account | None = None
):
    """Episodes of every split as pandas reads them."""
    facts = gather_facts(narrations, split, decoded_ids)
    built = build_episodes(facts, config, counts or Account())
    return {
        name: pa.concat_tables([EPISODES.empty_table(), *tables]).to_pandas()
        for name, tables in built.items()
    }


def episode_table(frame: pd.DataFrame) -> pa.Table:
    """The episodes as Parquet files and training have them."""
    return pa.Table.from_pandas(frame, schema=EPISODES, preserve_index=False)


def episode_pieces(frame: pd.DataFrame, rows: int = 10**6) -> list[pa.RecordBatch]:
    """The episodes as validation reads them, so many rows to a piece."""
    return episode_table(frame).to_batches(max_chunksize=rows)
