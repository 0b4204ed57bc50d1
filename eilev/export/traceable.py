"""The model's parts as modules that torch.export can trace: flat caches, explicit masks."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from eilev.model.families import DecoderOnly, EncoderDecoder
from eilev.model.video_blip import VideoBlip

# Keys and values of each layer, (batch, heads, positions, head size).
Pairs = Sequence[tuple[Tensor, Tensor]]


class Vision(nn.Module):
    """(num_videos, 3, time, height, width) -> (num_videos, num_query_tokens, width)."""

    def __init__(self, model: VideoBlip):
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Encode clips."""
        return _float32(self.model.encode_videos(pixel_values))


class Decoder(nn.Module):
    """A decoder-only language model over embeddings and a flat cache."""

    def __init__(self, language_model: Any, family: DecoderOnly):
        super().__init__()
        self.language_model, self.family = language_model, family

    def forward(
        self, inputs_embeds: Tensor, attention_mask: Tensor, logits_to_keep: Tensor, past: Pairs
    ) -> tuple[Tensor, ...]:
        """Logits (batch, kept, vocabulary) and the cache with the new positions.

        Args:
            inputs_embeds: (batch, new, width).
            attention_mask: (batch, past + new), 0 at padding.
            logits_to_keep: (kept,), which of the new positions' logits are wanted.
            past: per layer keys and values, each (batch, heads, past, head size).
        """
        num_new = inputs_embeds.shape[1]
        positions = self.family.position_ids(attention_mask)
        cache = _cache(past)
        new = _last(attention_mask.shape[1], num_new, attention_mask)
        output = self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=_causal_mask(attention_mask, num_new, inputs_embeds.dtype),
            position_ids=positions.index_select(1, new),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=logits_to_keep,
        )
        return (_float32(output.logits), *_flat(cache))


class Encoder(nn.Module):
    """An encoder and the cross-attention keys and values, which no decoding step changes."""

    def __init__(self, language_model: Any, family: EncoderDecoder):
        super().__init__()
        self.language_model, self.family = language_model, family
        self.num_heads = family.cache_size(language_model.config).num_heads

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
        return tuple(
            projection(states).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for pair in self.family.cross_projections(self.language_model)
            for projection in pair
        )


class CrossDecoder(nn.Module):
    """The decoder over token ids, a flat cache and the encoder's keys and values."""

    def __init__(self, language_model: Any):
        super().__init__()
        self.language_model = language_model

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        encoder_attention_mask: Tensor,
        past: Pairs,
        cross: Pairs,
    ) -> tuple[Tensor, ...]:
        """Logits (batch, new, vocabulary) and the cache with the new positions.

        Args:
            input_ids: (batch, new).
            attention_mask: (batch, past + new), 0 at padding, which is on the left.
            encoder_attention_mask: (batch, length), 0 at padding.
            past: per layer keys and values, each (batch, heads, past, head size).
            cross: per layer keys and values of the encoder, each (batch, heads, length, head size).
        """
        cache = _cache(past)
        dtype = cross[0][0].dtype
        output = self.language_model(
            decoder_input_ids=input_ids,
            decoder_attention_mask=_causal_mask(attention_mask, input_ids.shape[1], dtype),
            # Only asked whether it is there: the cache holds what would be made of it.
            encoder_outputs=BaseModelOutput(last_hidden_state=cross[0][0]),
            attention_mask=_padding_mask(encoder_attention_mask, dtype),
            past_key_values=EncoderDecoderCache(cache, _cache(cross)),
            use_cache=True,
        )
        return (_float32(output.logits), *_flat(cache))


def _float32(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float32 else tensor.float()


def _cache(pairs: Pairs) -> DynamicCache:
    return DynamicCache([(key, value) for key, value in pairs])


def _flat(cache: DynamicCache) -> list[Tensor]:
    layers: Sequence[Any] = cache.layers
    return [part for layer in layers for part in (layer.keys, layer.values)]


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
