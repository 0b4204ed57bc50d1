"""The clips that episodes are drawn from, split by split."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from eilev.episodes.classes import Bools, Ints, encode_classes
from eilev.episodes.rewriter import Rewriter, make_rewriter
from eilev.episodes.sampler import ContextIndex, index_clips
from eilev.parquet import text_array
from eilev.schema import SPLITS, Split

_WHY_NONE = {
    "novel": " (split.by: video holds no action out)",
    "novel_val": " (split.novel_val_share holds none out)",
}


@dataclass(frozen=True)
class Corpus:
    """The clips of one split, indexed; `clips` are positions in the table of all clips."""

    clips: Ints
    index: ContextIndex


@dataclass(frozen=True)
class Stock:
    """Everything that episodes are drawn from. Arrays are (num_clips,), in the table's order."""

    ids: "pa.Array[Any]"
    verbs: Ints
    nouns: Ints
    # Position of a clip within its split's corpus.
    places: Ints
    corpora: Mapping[Split, Corpus]
    rewriter: Rewriter
    verb_noun_ratio: float
    # Narrations of each split, those without frames as well.
    num_narrated: Mapping[Split, int]

    def why_empty(self, split: Split) -> str:
        """Say why a split has no clip."""
        if not self.num_narrated[split]:
            return f"no narration belongs to {split}{_WHY_NONE.get(split, '')}"
        return (
            f"none of the {self.num_narrated[split]} clips of {split} has frames, see"
            " data/clips/index.parquet for the reasons"
        )


def make_stock(
    narrations: pd.DataFrame, split: pd.DataFrame, decoded_ids: Collection[str], ratio: float
) -> Stock:
    """Index the clips that have frames.

    Args:
        narrations: rows of schema.NARRATIONS.
        split: rows of schema.SPLIT.
        decoded_ids: narration ids that have frames.
        ratio: share of a bursty context that shares the query's verb.

    Raises:
        ValueError: no training clip is left.
    """
    clips = narrations.merge(split, on="narration_id", validate="one_to_one")
    num_narrated = {name: int((clips["split"] == name).sum()) for name in SPLITS}
    clips = clips[clips["narration_id"].isin(decoded_ids)].reset_index(drop=True)
    splits = clips["split"].to_numpy(dtype=object)
    if not (splits == "train").any():
        raise ValueError(
            f"no training clip with frames among {len(narrations)} narrations: nothing to draw"
            " contexts from; see data/clips/index.parquet for the reasons"
        )
    verbs, nouns = (encode_classes(clips[f"{kind}_class"])[0] for kind in ("verb", "noun"))
    corpora = {name: _make_corpus(verbs, nouns, splits == name) for name in SPLITS}
    places = np.empty_like(verbs)
    for corpus in corpora.values():
        places[corpus.clips] = np.arange(corpus.clips.size)
    ids = text_array(clips["narration_id"])
    rewriter = make_rewriter(clips, splits == "train")
    return Stock(ids, verbs, nouns, places, corpora, rewriter, ratio, num_narrated)


def _make_corpus(verbs: Ints, nouns: Ints, inside: Bools) -> Corpus:
    clips = np.flatnonzero(inside)
    return Corpus(clips, index_clips(verbs[clips], nouns[clips]))
