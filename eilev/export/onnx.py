"""The model as ONNX graphs: clips to features, token ids to embeddings, and a decoder with a cache.

The features are put at their placeholders between the graphs (in numpy), and one decoder graph
serves the prompt (empty cache) and each further token. Input and output names: see `GRAPHS`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir
import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from eilev.model.video_blip import VideoBlip

VISION, EMBED, ENCODER, DECODER = "vision.onnx", "embed.onnx", "encoder.onnx", "decoder.onnx"

# Example sizes while tracing: all different and none below 2, which torch.export would take for
# constants.
_VIDEOS, _BATCH, _LENGTH, _NEW, _PAST = 3, 2, 7, 5, 4

Pairs = Sequence[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class CacheShape:
    """Size of the decoder's self-attention cache: (batch, num_heads, past, head_dim) per layer."""

    num_layers: int
    num_heads: int
    head_dim: int


@dataclass(frozen=True)
class _Graph:
    """What one call of the exporter needs; `axes` names the dynamic dimensions of each input."""

    module: nn.Module
    args: tuple[object, ...]
    axes: tuple[object, ...]
    inputs: list[str]
    outputs: list[str]


class Vision(nn.Module):
    """(num_videos, 3, time, height, width) -> (num_videos, num_query_tokens, width)."""

    def __init__(self, model: VideoBlip):
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Encode clips."""
        return self.model.encode_videos(pixel_values)


class Decoder(nn.Module):
    """A decoder-only language model over embeddings and a flat cache."""

    def __init__(self, language_model: nn.Module):
        super().__init__()
        self.language_model = language_model

    def forward(
        self, inputs_embeds: Tensor, attention_mask: Tensor, past: Pairs
    ) -> tuple[Tensor, ...]:
        """Logits (batch, new, vocabulary) and the cache with the new positions.

        Args:
            inputs_embeds: (batch, new, width).
            attention_mask: (batch, past + new), 0 at padding.
            past: per layer keys and values, each (batch, heads, past, head size).
        """
        num_new = inputs_embeds.shape[1]
        positions = attention_mask.cumsum(dim=1) * attention_mask - 1
        cache = _cache(past)
        new = _last(attention_mask.shape[1], num_new, attention_mask)
        output = self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=_causal_mask(attention_mask, num_new, inputs_embeds.dtype),
            position_ids=positions.index_select(1, new),
            past_key_values=cache,
            use_cache=True,
        )
        return (output.logits, *_flat(cache))


class Encoder(nn.Module):
    """T5's encoder and the cross-attention keys and values, which no decoding step changes."""

    def __init__(self, language_model: nn.Module):
        super().__init__()
        self.language_model = language_model

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Per decoder layer keys and values, each (batch, heads, length, head size).

        Args:
            inputs_embeds: (batch, length, width).
            attention_mask: (batch, length), 0 at padding.
        """
        states = self.language_model.get_encoder()(
            inputs_embeds=inputs_embeds,
            attention_mask=_padding_mask(attention_mask, inputs_embeds.dtype),
        ).last_hidden_state
        flat = []
        for block in self.language_model.get_decoder().block:
            attention = block.layer[1].EncDecAttention
            for projection in (attention.k, attention.v):
                heads = projection(states).unflatten(-1, (attention.n_heads, -1))
                flat.append(heads.transpose(1, 2))
        return tuple(flat)


class CrossDecoder(nn.Module):
    """T5's decoder over token ids, a flat cache and the encoder's keys and values."""

    def __init__(self, language_model: nn.Module):
        super().__init__()
        self.language_model = language_model

    def forward(
        self, input_ids: Tensor, encoder_attention_mask: Tensor, past: Pairs, cross: Pairs
    ) -> tuple[Tensor, ...]:
        """Logits (batch, new, vocabulary) and the cache with the new positions.

        Args:
            input_ids: (batch, new).
            encoder_attention_mask: (batch, length), 0 at padding.
            past: per layer keys and values, each (batch, heads, past, head size).
            cross: per layer keys and values of the encoder, each (batch, heads, length, head size).
        """
        cache = _cache(past)
        dtype = cross[0][0].dtype
        num_total = past[0][0].shape[2] + input_ids.shape[1]
        seen = input_ids.new_ones(input_ids.shape[0], num_total)
        output = self.language_model(
            decoder_input_ids=input_ids,
            decoder_attention_mask=_causal_mask(seen, input_ids.shape[1], dtype),
            # Only asked whether it is there: the cache holds what would be made of it.
            encoder_outputs=BaseModelOutput(last_hidden_state=cross[0][0]),
            attention_mask=_padding_mask(encoder_attention_mask, dtype),
            past_key_values=EncoderDecoderCache(cache, _cache(cross)),
            use_cache=True,
        )
        return (output.logits, *_flat(cache))


def export_graphs(model: VideoBlip, num_frames: int, opset: int, folder: Path) -> None:
    """Write the model's graphs to `folder` and check them.

    Decoder-only: vision, embed, decoder. Encoder-decoder: vision, embed, encoder, decoder.

    Args:
        model: in evaluation mode.
        num_frames: frames of every clip; fixed in the graphs.
        opset: ONNX operator set.
        folder: an existing folder.

    Raises:
        onnx.checker.ValidationError: a graph breaks ONNX's rules.
    """
    with _eager_attention(model):
        for name, graph in _graphs(model, num_frames).items():
            _export(graph, opset, folder / name)


def cache_shape(model: VideoBlip) -> CacheShape:
    """Size of the decoder's self-attention cache."""
    config = model.language_model.config
    if model.config.use_decoder_only_language_model:
        heads = config.num_attention_heads
        return CacheShape(config.num_hidden_layers, heads, config.hidden_size // heads)
    return CacheShape(config.num_decoder_layers, config.num_heads, config.d_kv)


@contextmanager
def _eager_attention(model: VideoBlip) -> Iterator[None]:
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


def _graphs(model: VideoBlip, num_frames: int) -> dict[str, _Graph]:
    size = model.config.vision_config.image_size
    width = model.language_model.config.hidden_size
    pixels = torch.zeros(_VIDEOS, 3, num_frames, size, size)
    ids = torch.zeros(_BATCH, _LENGTH, dtype=torch.long)
    batch_length = {0: "batch", 1: "length"}
    graphs = {
        VISION: _Graph(
            Vision(model), (pixels,), ({0: "videos"},), ["pixel_values"], ["video_features"]
        ),
        EMBED: _Graph(
            model.get_input_embeddings(), (ids,), (batch_length,), ["input_ids"], ["inputs_embeds"]
        ),
    }
    shape = cache_shape(model)
    if model.config.use_decoder_only_language_model:
        return graphs | {DECODER: _decoder_graph(model.language_model, shape, width)}
    encoder = _Graph(
        Encoder(model.language_model),
        (torch.zeros(_BATCH, _LENGTH, width), torch.ones_like(ids)),
        (batch_length, batch_length),
        ["inputs_embeds", "attention_mask"],
        _names("cross", shape),
    )
    return graphs | {
        ENCODER: encoder,
        DECODER: _cross_decoder_graph(model.language_model, shape),
    }


def _decoder_graph(language_model: nn.Module, shape: CacheShape, width: int) -> _Graph:
    past, past_axes = _example_cache(shape, _PAST, "past")
    mask = torch.ones(_BATCH, _PAST + _NEW, dtype=torch.long)
    return _Graph(
        Decoder(language_model),
        (torch.zeros(_BATCH, _NEW, width), mask, past),
        ({0: "batch", 1: "new"}, {0: "batch", 1: "total"}, past_axes),
        ["inputs_embeds", "attention_mask", *_names("past", shape)],
        ["logits", *_names("present", shape)],
    )


def _cross_decoder_graph(language_model: nn.Module, shape: CacheShape) -> _Graph:
    past, past_axes = _example_cache(shape, _PAST, "past")
    cross, cross_axes = _example_cache(shape, _LENGTH, "length")
    ids = torch.zeros(_BATCH, _NEW, dtype=torch.long)
    mask = torch.ones(_BATCH, _LENGTH, dtype=torch.long)
    return _Graph(
        CrossDecoder(language_model),
        (ids, mask, past, cross),
        ({0: "batch", 1: "new"}, {0: "batch", 1: "length"}, past_axes, cross_axes),
        ["input_ids", "encoder_attention_mask", *_names("past", shape), *_names("cross", shape)],
        ["logits", *_names("present", shape)],
    )


def _example_cache(
    shape: CacheShape, length: int, axis: str
) -> tuple[list[tuple[Tensor, Tensor]], list[tuple[Mapping[int, str], Mapping[int, str]]]]:
    size = (_BATCH, shape.num_heads, length, shape.head_dim)
    axes = {0: "batch", 2: axis}
    layers = range(shape.num_layers)
    return [(torch.zeros(size), torch.zeros(size)) for _ in layers], [(axes, axes) for _ in layers]


def _names(prefix: str, shape: CacheShape) -> list[str]:
    return [f"{prefix}_{part}_{i}" for i in range(shape.num_layers) for part in ("key", "value")]


def _cache(pairs: Pairs) -> DynamicCache:
    return DynamicCache([(key, value) for key, value in pairs])


def _flat(cache: DynamicCache) -> list[Tensor]:
    return [part for layer in cache.layers for part in (layer.keys, layer.values)]


def _causal_mask(attention_mask: Tensor, num_new: int, dtype: torch.dtype) -> Tensor:
    """Additive mask (batch, 1, new, past + new) of the last `num_new` positions.

    Transformers' own mask code does not trace. Finite, because ONNX Runtime's softmax makes NaN of
    a row of minus infinities, and the rows of left padding see nothing.
    """
    num_total = attention_mask.shape[1]
    queries = _last(num_total, num_new, attention_mask)
    keys = torch.arange(num_total, device=attention_mask.device)
    causal = queries.unsqueeze(1) >= keys.unsqueeze(0)  # (new, past + new)
    return _additive(attention_mask.bool()[:, None, None, :] & causal, dtype)


def _last(num_total: int, num_new: int, like: Tensor) -> Tensor:
    """Indices of the last `num_new` positions (a slice with a traced start would not export)."""
    return torch.arange(num_new, device=like.device) + (num_total - num_new)


def _padding_mask(attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive mask (batch, 1, 1, length)."""
    return _additive(attention_mask.bool()[:, None, None, :], dtype)


def _additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def _export(graph: _Graph, opset: int, path: Path) -> None:
    program = torch.onnx.export(
        graph.module,
        graph.args,
        dynamo=True,
        opset_version=opset,
        input_names=graph.inputs,
        output_names=graph.outputs,
        dynamic_shapes=graph.axes,
        verbose=False,
    )
    program.save(path)
    onnx.checker.check_model(path, full_check=True)
