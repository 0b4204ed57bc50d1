"""The project's vocabulary: tables and their columns, the names of splits and special values.

clip        `num_frames` frames sampled uniformly from a window centred on a narration
narration   the sentence for a clip
class/word  a verb or noun class of the taxonomy / the surface word (a lemma) that a narrator used
action      a (verb class, noun class) pair
episode     context clips in order, then one query clip
shots       number of context clips
meaning     natural: the narrators' words; canonical: one word per class; permuted: the words of the
            classes are re-assigned within the episode, so only the context can tell; renamed: the
            same word by word, so that synonyms stay synonyms; invented: so renamed in words that
            nobody has
"""

from typing import Any, Literal, get_args

import pyarrow as pa

# Ego4D's catch-all verb class: no bucket in the reference sampler.
OTHER_VERB = "[other]"

# test: unseen clips of common actions; novel: clips of actions that were never trained on, to be
# reported; novel_val: clips of others that were never trained on, to choose a recipe by.
Split = Literal["train", "val", "test", "novel", "novel_val"]
SPLITS: tuple[Split, ...] = get_args(Split)
# Those whose episodes a trained model is asked about.
EVALUATED: tuple[Split, ...] = ("test", "novel", "novel_val")


def _field(name: str, kind: pa.DataType, *, nullable: bool = False) -> "pa.Field[Any]":
    return pa.field(name, kind, nullable=nullable)


NARRATIONS = pa.schema(
    [
        _field("narration_id", pa.string()),
        _field("video_id", pa.string()),
        _field("video_path", pa.string()),
        _field("timestamp_s", pa.float64()),
        _field("narration", pa.string()),
        _field("verb_class", pa.string(), nullable=True),
        _field("noun_class", pa.string(), nullable=True),
        _field("verb_word", pa.string(), nullable=True),
        _field("noun_word", pa.string(), nullable=True),
    ]
)

REJECTS = pa.schema(
    [
        _field("narration_id", pa.string()),
        _field("video_id", pa.string()),
        _field("narration", pa.string(), nullable=True),
        _field("reason", pa.string()),
    ]
)

SPLIT = pa.schema(
    [
        _field("narration_id", pa.string()),
        _field("split", pa.string()),
    ]
)

# A clip that could not be decoded has a null shard, row and decoder, and its reason in `error`.
CLIPS_INDEX = pa.schema(
    [
        _field("narration_id", pa.string()),
        _field("video_id", pa.string()),
        _field("shard", pa.string(), nullable=True),
        _field("row", pa.int32(), nullable=True),
        _field("num_frames", pa.int32()),
        _field("decoder", pa.string(), nullable=True),
        _field("error", pa.string(), nullable=True),
    ]
)

# One row of a shard: the clip's frames in order, each a JPEG.
CLIPS_SHARD = pa.schema(
    [
        _field("narration_id", pa.string()),
        _field("frames", pa.list_(pa.binary())),
    ]
)

# `narrations`: the episode's own sentences (context in order, then query); null where they are the
# table's (meaning "natural"). `phase` is that of the curriculum, null outside of train; `epoch` is
# counted through all phases, 0 outside of train. Evaluated splits: every kind has rows of 0 shots
# as well, about its own queries (contrastive episodes have fewer possible queries), so a kind's
# curve over shots is about the same queries throughout.
EPISODES = pa.schema(
    [
        _field("query", pa.string()),
        _field("context", pa.list_(pa.string())),
        _field("shots", pa.int32()),
        _field("phase", pa.string(), nullable=True),
        _field("epoch", pa.int32()),
        _field("kind", pa.string()),
        _field("meaning", pa.string()),
        _field("narrations", pa.list_(pa.string()), nullable=True),
    ]
)

PREDICTIONS = pa.schema(
    [
        _field("split", pa.string()),
        _field("condition", pa.string()),
        _field("shots", pa.int32()),
        _field("query", pa.string()),
        _field("context", pa.list_(pa.string())),
        _field("narration", pa.string()),
        _field("generated", pa.string()),
        _field("confidence", pa.float64()),
        _field("verb_correct", pa.bool_()),
        _field("noun_correct", pa.bool_()),
    ]
)
