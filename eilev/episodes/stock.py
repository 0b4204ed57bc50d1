"""The clips that episodes are drawn from, split by split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eilev.episodes.classes import Bools, Ints
from eilev.episodes.facts import ClipFacts
from eilev.episodes.rewriter import Rewriter
from eilev.episodes.sampler import ContextIndex, index_clips
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
    """Everything that episodes are drawn from.

    Clips are positions in the table of all narrations; those without frames are in no corpus.
    """

    ids: "pa.StringArray"
    # Number of each clip's traits (num_clips,), and the classes of each (num_traits,).
    traits: NDArray[np.int32]
    verbs: Ints
    nouns: Ints
    # Position of a clip within its split's corpus (num_clips,).
    places: NDArray[np.int32]
    corpora: Mapping[Split, Corpus]
    rewriter: Rewriter
    verb_noun_ratio: float
    # Narrations of each split, those without frames as well.
    num_narrated: Mapping[Split, int]

    def classes(self, clips: Ints) -> tuple[Ints, Ints]:
        """Verb and noun class of each of some clips."""
        traits = self.traits[clips]
        return self.verbs[traits], self.nouns[traits]

    def why_empty(self, split: Split) -> str:
        """Say why a split has no clip."""
        if not self.num_narrated[split]:
            return f"no narration belongs to {split}{_WHY_NONE.get(split, '')}"
        return (
            f"none of the {self.num_narrated[split]} clips of {split} has frames, see"
            " data/clips/index.parquet for the reasons"
        )


def make_stock(facts: ClipFacts, ratio: float) -> Stock:
    """Index the clips that have frames.

    Args:
        facts: what is known of the narrations.
        ratio: share of a bursty context that shares the query's verb.

    Raises:
        ValueError: no training clip is left.
    """
    if not facts.training.any():
        raise ValueError(
            f"no training clip with frames among {len(facts.ids)} narrations: nothing to draw"
            " contexts from; see data/clips/index.parquet for the reasons"
        )
    belongs = {name: facts.splits == name for name in SPLITS}
    corpora = {name: _make_corpus(facts, facts.decoded & mine) for name, mine in belongs.items()}
    places = np.zeros(len(facts.ids), np.int32)
    for corpus in corpora.values():
        places[corpus.clips] = np.arange(corpus.clips.size)
    return Stock(
        ids=facts.ids.array,
        traits=facts.traits,
        verbs=facts.verbs,
        nouns=facts.nouns,
        places=places,
        corpora=corpora,
        rewriter=facts.rewriter,
        verb_noun_ratio=ratio,
        num_narrated={n: int(mine[facts.traits].sum()) for n, mine in belongs.items()},
    )


def _make_corpus(facts: ClipFacts, inside: Bools) -> Corpus:
    clips = np.flatnonzero(inside[facts.traits])
    traits = facts.traits[clips]
    return Corpus(clips, index_clips(facts.verbs[traits], facts.nouns[traits]))
