"""Passes through the graphs of a bundle: clips to features, a prompt, and tokens after it.

The features are put among the embeddings of the text here, outside of the graphs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from eilev.bundle.batch import Logits, TokenIds
from eilev.bundle.manifest import DECODER, EMBED, ENCODER, VISION, Manifest
from eilev.bundle.rows import Array, Rows, no_positions
from eilev.bundle.sessions import Graph, Value
from eilev.clips.frame_choice import Frames
from eilev.inputs.interleave import Layout
from eilev.inputs.preprocess import Preprocessing, preprocess

# (num_videos, num_query_tokens, hidden_size)
Features = npt.NDArray[np.float32]

# Clips in one pass of the vision graph: bounds its memory, whatever the number of shots.
VISION_BATCH = 32

Graphs = Mapping[str, Graph]


def encode(
    manifest: Manifest, graphs: Graphs, preprocessing: Preprocessing, clips: Sequence[Frames]
) -> Features:
    """Features of clips.

    Raises:
        ValueError: a clip has another number of frames.
    """
    for clip in clips:
        if len(clip) != manifest.num_frames:
            raise ValueError(
                f"a clip has {len(clip)} frames, the model takes {manifest.num_frames}"
            )
    shape = (0, manifest.num_query_tokens, manifest.hidden_size)
    features = [np.zeros(shape, dtype=np.float32)]
    for start in range(0, len(clips), VISION_BATCH):
        batch = clips[start : start + VISION_BATCH]
        pixels = np.stack([preprocess(clip, preprocessing) for clip in batch])
        features.append(graphs[VISION].run({"pixel_values": pixels})["video_features"].numpy())
    return np.concatenate(features)


def prefill(
    manifest: Manifest,
    graphs: Graphs,
    layout: Layout,
    features: Features,
    context: Rows | None,
    *,
    last_only: bool,
) -> tuple[Rows, Logits]:
    """A prompt after a context; see `OnnxEngine.prefill`."""
    start = 0 if context is None else context.mask.shape[1]
    ids = np.array([layout.input_ids[start:]])
    embeds = graphs[EMBED].run({"input_ids": ids})["inputs_embeds"].numpy().copy()
    videos = np.array([layout.video_input_mask[start:]], dtype=bool)
    embeds[videos] = features.reshape(-1, manifest.hidden_size)
    if manifest.family == "decoder_only":
        rows = context or _no_positions(manifest, graphs)
        wanted = np.arange(ids.shape[1])[-1 if last_only else None :]
        prompt = {"inputs_embeds": embeds, "logits_to_keep": wanted}
        return _continue(graphs, rows, ids.shape[1], prompt)
    mask = np.ones_like(ids)
    cross = graphs[ENCODER].run({"inputs_embeds": embeds, "attention_mask": mask})
    rows = replace(_no_positions(manifest, graphs), encoder_mask=mask, cross=cross)
    return step(manifest, graphs, rows, np.full((1, 1), manifest.tokens.decoder_start))


def step(manifest: Manifest, graphs: Graphs, rows: Rows, tokens: TokenIds) -> tuple[Rows, Logits]:
    """Tokens (rows, new) after each row; see `OnnxEngine.step`."""
    num_new = tokens.shape[1]
    if manifest.family == "encoder_decoder":
        return _continue(graphs, rows, num_new, {"input_ids": tokens})
    inputs = graphs[EMBED].run({"input_ids": tokens})
    return _continue(graphs, rows, num_new, inputs | {"logits_to_keep": np.arange(num_new)})


def _no_positions(manifest: Manifest, graphs: Graphs) -> Rows:
    decoder = graphs[DECODER]
    return no_positions(manifest.cache, decoder.float_type, decoder.value)


def _continue(
    graphs: Graphs, rows: Rows, num_new: int, inputs: Mapping[str, Array | Value]
) -> tuple[Rows, Logits]:
    """The rows after `num_new` positions more, and their logits."""
    seen = np.ones((len(rows.mask), num_new), rows.mask.dtype)
    mask = np.concatenate([rows.mask, seen], axis=1)
    given = {**inputs, "attention_mask": mask, **rows.cache}
    if rows.cross is not None:
        given |= {"encoder_attention_mask": rows.encoder_mask, **rows.cross}
    outputs = graphs[DECODER].run(given)
    logits: Logits = outputs.pop("logits").numpy()
    cache = {name.replace("present_", "past_"): value for name, value in outputs.items()}
    return replace(rows, mask=mask, cache=cache), logits
