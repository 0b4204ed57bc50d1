"""The project's vocabulary: tables and their columns, the names of splits and special values.

clip        `num_frames` frames sampled uniformly from a window centred on a narration
narration   the sentence for a clip
class/word  a verb or noun class of the taxonomy / the surface word (a lemma) that a narrator used
action      a (verb class, noun class) pair
episode     context clips in order, then one query clip
shots       number of context clips
meaning     natural: the narrators' words; canonical: one word per class; permuted: the words of the
            classes are re-assigned within the episode, so only the context can tell
"""

from typing import Literal, get_args

import pyarrow as pa

# Positions that carry no loss (the convention of torch and transformers).
IGNORE_INDEX = -100

# Ego4D's catch-all verb class: no bucket in the reference sampler.
OTHER_VERB = "[other]"

# test: unseen clips of common actions; novel: clips of actions that were never trained on.
Split = Literal["train", "val", "test", "novel"]
SPLITS: tuple[Split, ...] = get_args(Split)

NARRATIONS = pa.schema(
    [
        pa.field("narration_id", pa.string(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("video_path", pa.string(), nullable=False),
        pa.field("timestamp_s", pa.float64(), nullable=False),
        pa.field("narration", pa.string(), nullable=False),
        pa.field("verb_class", pa.string()),
        pa.field("noun_class", pa.string()),
        pa.field("verb_word", pa.string()),
        pa.field("noun_word", pa.string()),
    ]
)

REJECTS = pa.schema(
    [
        pa.field("narration_id", pa.string(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("narration", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
    ]
)

SPLIT = pa.schema(
    [
        pa.field("narration_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)

# A clip that could not be decoded has a null shard and row, and its reason in `error`.
CLIPS_INDEX = pa.schema(
    [
        pa.field("narration_id", pa.string(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("shard", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("num_frames", pa.int32(), nullable=False),
        pa.field("error", pa.string()),
    ]
)

# One row of a shard: the clip's frames in order, each a JPEG.
CLIPS_SHARD = pa.schema(
    [
        pa.field("narration_id", pa.string(), nullable=False),
        pa.field("frames", pa.list_(pa.binary()), nullable=False),
    ]
)

# `narrations`: the episode's own sentences (context in order, then query); null where they are the
# table's (meaning "natural"). `epoch` is 0 outside of train. test and novel: every kind has rows of
# 0 shots as well, about its own queries (contrastive episodes have fewer possible queries), so a
# kind's curve over shots is about the same queries throughout.
EPISODES = pa.schema(
    [
        pa.field("query", pa.string(), nullable=False),
        pa.field("context", pa.list_(pa.string()), nullable=False),
        pa.field("shots", pa.int32(), nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("meaning", pa.string(), nullable=False),
        pa.field("narrations", pa.list_(pa.string())),
    ]
)

PREDICTIONS = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("condition", pa.string(), nullable=False),
        pa.field("shots", pa.int32(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("context", pa.list_(pa.string()), nullable=False),
        pa.field("narration", pa.string(), nullable=False),
        pa.field("generated", pa.string(), nullable=False),
        pa.field("verb_correct", pa.bool_(), nullable=False),
        pa.field("noun_correct", pa.bool_(), nullable=False),
    ]
)
