"""Whether a bundle's manifest says of its graphs, tokenizer and preprocessing what they are."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from eilev.bundle.manifest import (
    DECODER,
    EMBED,
    ENCODER,
    MANIFEST_FILE,
    VISION,
    BundleError,
    Manifest,
)
from eilev.bundle.sessions import Graph
from eilev.inputs.preprocess import PREPROCESSOR_FILE, Preprocessing
from eilev.inputs.tokenizer import TOKENIZER_FILE, TextCodec

# A field of the manifest, what it says, what is so, and where that is seen.
Fact = tuple[str, object, object, str]


def check_agreement(
    manifest: Manifest,
    graphs: Mapping[str, Graph],
    codec: TextCodec,
    preprocessing: Preprocessing,
    folder: Path,
) -> None:
    """Compare a manifest with what lies beside it.

    Raises:
        BundleError: they differ; the first field that does is named with both values.
    """
    for facts in (_of_graphs(manifest, graphs), _of_inputs(manifest, codec, preprocessing)):
        for field, stated, found, where in facts:
            if stated != found:
                raise BundleError(
                    f"{folder / MANIFEST_FILE}: '{field}' is {stated}, but {where} has {found}"
                )


def _of_graphs(manifest: Manifest, graphs: Mapping[str, Graph]) -> Iterator[Fact]:
    cache, size = manifest.cache, manifest.image.size
    decoder = graphs[DECODER]
    halves = "fp16" if decoder.float_type is np.float16 else "fp32"
    stated = "fp16" if manifest.precision == "fp16" else "fp32"
    yield "precision", stated, halves, DECODER
    layers = sum(name.startswith("past_key_") for name in decoder.inputs)
    yield "cache.num_layers", cache.num_layers, layers, DECODER
    sizes = [("cache.num_heads", cache.num_heads, 1), ("cache.head_dim", cache.head_dim, 3)]
    yield from _dimensions(DECODER, decoder, "past_key_0", sizes)
    yield from _dimensions(DECODER, decoder, "logits", [("vocab_size", manifest.vocab_size, 2)])
    pixels = [("clip.num_frames", manifest.num_frames, 2), ("image.size", size, 3)]
    yield from _dimensions(VISION, graphs[VISION], "pixel_values", pixels)
    width = ("hidden_size", manifest.hidden_size, 2)
    features = [("num_query_tokens", manifest.num_query_tokens, 1), width]
    yield from _dimensions(VISION, graphs[VISION], "video_features", features)
    yield from _dimensions(EMBED, graphs[EMBED], "inputs_embeds", [width])
    if ENCODER in graphs:
        yield from _dimensions(ENCODER, graphs[ENCODER], "inputs_embeds", [width])
        yield from _dimensions(ENCODER, graphs[ENCODER], "cross_key_0", sizes)


def _dimensions(
    name: str, graph: Graph, tensor: str, fields: list[tuple[str, int, int]]
) -> Iterator[Fact]:
    """What fields say, each with its axis of an input or output of a graph."""
    shape = graph.shape(tensor)
    for field, stated, axis in fields:
        found = "no such tensor" if shape is None else shape[axis]
        yield field, stated, found, f"{name} ({tensor}, axis {axis})"


def _of_inputs(
    manifest: Manifest, codec: TextCodec, preprocessing: Preprocessing
) -> Iterator[Fact]:
    yield "tokenizer_size", manifest.tokenizer_size, codec.vocab_size, TOKENIZER_FILE
    ids = {"bos": codec.bos_id, "eos": codec.eos_id, "pad": codec.pad_id}
    for name, found in ids.items():
        yield f"tokens.{name}", getattr(manifest.tokens, name), found, TOKENIZER_FILE
    image = manifest.image
    yield "image.size", image.size, preprocessing.image_size, PREPROCESSOR_FILE
    yield "image.mean", image.mean, preprocessing.mean, PREPROCESSOR_FILE
    yield "image.std", image.std, preprocessing.std, PREPROCESSOR_FILE
