"""What differs between the language models that a BLIP-2 can have: one adapter for each family.

Training, generation, scoring and the export ask here; nothing else looks at a language model's kind
or at the names that its configuration has for things.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn


@dataclass(frozen=True)
class CacheSize:
    """Keys and values of self-attention: (batch, num_heads, positions, head_dim) of each layer."""

    num_layers: int
    num_heads: int
    head_dim: int


class Family(ABC):
    """A family of language models; `config` is a language model's of transformers."""

    encoder_decoder: ClassVar[bool]

    @abstractmethod
    def cache_size(self, config: Any) -> CacheSize:
        """Size of the decoder's self-attention cache."""

    @abstractmethod
    def max_length(self, config: Any) -> int | None:
        """Most positions of a sequence; None where there is no end."""

    def untied(self, config: Any) -> bool:  # noqa: ARG002
        """Whether the output layer has weights of its own though the config says it has not."""
        return False


class DecoderOnly(Family):
    """Prompt and continuation are one sequence."""

    encoder_decoder = False

    @abstractmethod
    def position_ids(self, attention_mask: Tensor) -> Tensor:
        """Positions (batch, length) of tokens that may be padded on the left."""

    def max_length(self, config: Any) -> int | None:
        """Rows of the table, or the longest sequence that rotary positions were trained on."""
        return int(config.max_position_embeddings)


class Opt(DecoderOnly):
    """OPT: learned positions, keys and values for each head."""

    def cache_size(self, config: Any) -> CacheSize:
        """Heads share the width."""
        heads = config.num_attention_heads
        return CacheSize(config.num_hidden_layers, heads, config.hidden_size // heads)

    def position_ids(self, attention_mask: Tensor) -> Tensor:
        """Padding has position -1, for which the table has a row."""
        return attention_mask.cumsum(dim=1) * attention_mask - 1


class Llama(DecoderOnly):
    """Llama and SmolLM2: rotary positions, keys and values that several heads share."""

    def cache_size(self, config: Any) -> CacheSize:
        """Fewer heads than the queries have, of a size that the config states."""
        return CacheSize(config.num_hidden_layers, config.num_key_value_heads, config.head_dim)

    def position_ids(self, attention_mask: Tensor) -> Tensor:
        """Only differences matter, and nothing sees the padding."""
        return (attention_mask.cumsum(dim=1) - 1).clamp(min=0)


class EncoderDecoder(Family):
    """The encoder reads the prompt, at which the decoder looks from every layer."""

    encoder_decoder = True

    @abstractmethod
    def cross_projections(self, language_model: Any) -> Sequence[tuple[nn.Module, nn.Module]]:
        """What makes keys and values of the encoder's states, for each layer of the decoder."""


class T5(EncoderDecoder):
    """T5: positions are biases on distances."""

    def cache_size(self, config: Any) -> CacheSize:
        """The decoder's; its heads need not share the width."""
        return CacheSize(config.num_decoder_layers, config.num_heads, config.d_kv)

    def max_length(self, config: Any) -> int | None:  # noqa: ARG002
        """Distances have no table that ends."""
        return None

    def untied(self, config: Any) -> bool:
        """A config of transformers 5 always says "tied"; a tied T5 scales the decoder's outputs."""
        return not config.scale_decoder_outputs

    def cross_projections(self, language_model: Any) -> Sequence[tuple[nn.Module, nn.Module]]:
        """They lie in the second part of a block; the first is self-attention."""
        blocks = language_model.get_decoder().block
        attentions = [block.layer[1].EncDecAttention for block in blocks]
        return [(attention.k, attention.v) for attention in attentions]


# By transformers' `model_type`.
FAMILIES: dict[str, Family] = {"opt": Opt(), "llama": Llama(), "t5": T5()}


def family_of(config: Any) -> Family:
    """Find the family of a language model.

    Raises:
        ValueError: there is no adapter for it; the message has those that there are.
    """
    kind = config.model_type
    if kind not in FAMILIES:
        raise ValueError(f"a language model of type '{kind}'; known are {', '.join(FAMILIES)}")
    return FAMILIES[kind]
