"""The model as ONNX graphs: clips to features, token ids to embeddings, and a decoder with a cache.

The features are put at their placeholders between the graphs (in numpy), and one decoder graph
serves the prompt (empty cache) and each further token.

    vision.onnx   pixel_values (videos, 3, time, height, width) -> video_features (videos, Q, H)
    embed.onnx    input_ids (batch, length) -> inputs_embeds (batch, length, H)

Decoder-only, with keys and values (batch, heads, positions, head size) of layers i = 0, 1, ...:

    decoder.onnx  inputs_embeds (batch, new, H), attention_mask (batch, past + new),
                  logits_to_keep (kept,), past_key_i, past_value_i
                  -> logits (batch, kept, V), present_key_i, present_value_i

Encoder-decoder:

    encoder.onnx  inputs_embeds (batch, length, H), attention_mask (batch, length)
                  -> cross_key_i, cross_value_i
    decoder.onnx  input_ids (batch, new), attention_mask (batch, past + new),
                  encoder_attention_mask (batch, length), past_key_i, past_value_i, cross_key_i,
                  cross_value_i -> logits (batch, new, V), present_key_i, present_value_i

`logits_to_keep` are positions among the new ones: of a long prompt only the last has a use.

Pixels, features and logits are float32 whatever the model is; embeddings, keys and values are of
its own type.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from eilev.bundle.manifest import DECODER, EMBED, ENCODER, VISION, CacheShape
from eilev.export.quiet import quiet
from eilev.export.storage import INLINE_BYTES, save_inside, save_outside
from eilev.export.traceable import CrossDecoder, Decoder, Encoder, Vision
from eilev.model.families import DecoderOnly, EncoderDecoder
from eilev.model.video_blip import VideoBlip

# Example sizes while tracing: all different and none below 2, which torch.export would take for
# constants.
_VIDEOS, _BATCH, _LENGTH, _NEW, _PAST, _KEPT = 3, 2, 7, 5, 4, 3


@dataclass(frozen=True)
class Graph:
    """One graph to export: `axes` names the dynamic dimensions of each of the example `args`."""

    module: nn.Module
    args: tuple[object, ...]
    axes: tuple[object, ...]
    inputs: list[str]
    outputs: list[str]


def export_graphs(
    model: VideoBlip, num_frames: int, opset: int, folder: Path, inline_bytes: int = INLINE_BYTES
) -> None:
    """Write the model's graphs to `folder` and check them.

    Decoder-only: vision, embed, decoder. Encoder-decoder: vision, embed, encoder, decoder.

    Args:
        model: in evaluation mode.
        num_frames: frames of every clip; fixed in the graphs.
        opset: ONNX operator set.
        folder: an existing folder.
        inline_bytes: the largest model whose weights lie inside the graphs.

    Raises:
        onnx.checker.ValidationError: a graph breaks ONNX's rules.
    """
    outside = sum(weight.nbytes for weight in model.parameters()) > inline_bytes
    embeddings: Any = model.get_input_embeddings().weight if outside else None
    with eager_attention(model):
        # The others point at the weights of embed.onnx.
        for name, graph in sorted(graphs(model, num_frames).items(), key=lambda it: it[0] != EMBED):
            export_graph(graph, opset, folder / name, embeddings)


def export_graph(graph: Graph, opset: int, path: Path, embeddings: Tensor | None = None) -> None:
    """Trace, convert, write and check one graph.

    Args:
        graph: what to export.
        opset: ONNX operator set.
        path: of the file.
        embeddings: of the tokens, where weights are to lie beside the graph (`save_outside`).

    Raises:
        onnx.checker.ValidationError: it breaks ONNX's rules.
    """
    with quiet(), torch.no_grad():
        program: Any = torch.onnx.export(
            graph.module.eval(),
            graph.args,
            dynamo=True,
            opset_version=opset,
            input_names=graph.inputs,
            output_names=graph.outputs,
            dynamic_shapes=graph.axes,
            verbose=False,
        )
    # Each node carries its stack trace, with the paths of this machine.
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    if embeddings is None:
        save_inside(program.model, path)
    else:
        save_outside(program.model, path, embeddings)
    onnx.checker.check_model(path, full_check=True)


def cache_shape(model: VideoBlip) -> CacheShape:
    """Size of the decoder's self-attention cache."""
    return CacheShape(**asdict(model.family.cache_size(model.language_model.config)))


@contextmanager
def eager_attention(model: VideoBlip) -> Iterator[None]:
    """Plain matrix products and softmax: fused attention does not export with T5's masks."""
    parts = (model.vision_model, model.qformer, model.language_model)
    before = [part.config._attn_implementation for part in parts]
    try:
        for part in parts:
            part.set_attn_implementation("eager")
        yield
    finally:
        for part, implementation in zip(parts, before, strict=True):
            part.set_attn_implementation(implementation)


def graphs(model: VideoBlip, num_frames: int) -> dict[str, Graph]:
    """The model's graphs by file name."""
    size = model.vision_model.config.image_size
    # Nothing but its type and its width is of interest.
    embeds = torch.zeros(
        _BATCH, _LENGTH, model.language_model.config.hidden_size, dtype=model.language_model.dtype
    )
    pixels = torch.zeros(_VIDEOS, 3, num_frames, size, size)
    ids = torch.zeros(_BATCH, _LENGTH, dtype=torch.long)
    batch_length = {0: "batch", 1: "length"}
    found = {
        VISION: Graph(
            Vision(model), (pixels,), ({0: "videos"},), ["pixel_values"], ["video_features"]
        ),
        EMBED: Graph(
            model.get_input_embeddings(), (ids,), (batch_length,), ["input_ids"], ["inputs_embeds"]
        ),
    }
    shape = cache_shape(model)
    if isinstance(model.family, DecoderOnly):
        decoder = Decoder(model.language_model, model.family)
        return found | {DECODER: _decoder_graph(decoder, shape, embeds[:, :_NEW])}
    assert isinstance(model.family, EncoderDecoder)  # noqa: S101  (there is no third kind)
    encoder = Graph(
        Encoder(model.language_model, model.family),
        (embeds, torch.ones_like(ids)),
        (batch_length, batch_length),
        ["inputs_embeds", "attention_mask"],
        _names("cross", shape),
    )
    return found | {
        ENCODER: encoder,
        DECODER: _cross_decoder_graph(model.language_model, shape),
    }


def _decoder_graph(decoder: Decoder, shape: CacheShape, embeds: Tensor) -> Graph:
    past, past_axes = _example_cache(shape, _PAST, "past", embeds.dtype)
    mask = torch.ones(_BATCH, _PAST + _NEW, dtype=torch.long)
    return Graph(
        decoder,
        (embeds, mask, torch.arange(_KEPT), past),
        ({0: "batch", 1: "new"}, {0: "batch", 1: "total"}, {0: "kept"}, past_axes),
        ["inputs_embeds", "attention_mask", "logits_to_keep", *_names("past", shape)],
        ["logits", *_names("present", shape)],
    )


def _cross_decoder_graph(language_model: Any, shape: CacheShape) -> Graph:
    past, past_axes = _example_cache(shape, _PAST, "past", language_model.dtype)
    cross, cross_axes = _example_cache(shape, _LENGTH, "length", language_model.dtype)
    ids = torch.zeros(_BATCH, _NEW, dtype=torch.long)
    mask = torch.ones(_BATCH, _PAST + _NEW, dtype=torch.long)
    encoder_mask = torch.ones(_BATCH, _LENGTH, dtype=torch.long)
    axes = ({0: "batch", 1: "new"}, {0: "batch", 1: "total"}, {0: "batch", 1: "length"})
    masks = ["attention_mask", "encoder_attention_mask"]
    return Graph(
        CrossDecoder(language_model),
        (ids, mask, encoder_mask, past, cross),
        (*axes, past_axes, cross_axes),
        ["input_ids", *masks, *_names("past", shape), *_names("cross", shape)],
        ["logits", *_names("present", shape)],
    )


def _example_cache(
    shape: CacheShape, length: int, axis: str, dtype: torch.dtype
) -> tuple[list[tuple[Tensor, Tensor]], list[tuple[Mapping[int, str], Mapping[int, str]]]]:
    size = (_BATCH, shape.num_heads, length, shape.head_dim)
    axes = {0: "batch", 2: axis}
    layers = range(shape.num_layers)
    pairs = [(torch.zeros(size, dtype=dtype), torch.zeros(size, dtype=dtype)) for _ in layers]
    return pairs, [(axes, axes) for _ in layers]


def _names(prefix: str, shape: CacheShape) -> list[str]:
    return [f"{prefix}_{part}_{i}" for i in range(shape.num_layers) for part in ("key", "value")]
