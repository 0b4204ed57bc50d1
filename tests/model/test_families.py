import pytest
import torch
from transformers import GPT2Config, LlamaConfig, OPTConfig, T5Config

from eilev.model.families import FAMILIES, CacheSize, DecoderOnly, family_of

LEFT_PADDED = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
# Width, layers and heads such that no two sizes are equal.
OPT = OPTConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=4)
LLAMA = LlamaConfig(
    hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8
)
T5 = T5Config(d_model=24, num_layers=3, num_decoder_layers=5, num_heads=4, d_kv=7)


@pytest.mark.parametrize(
    ("config", "size", "length"),
    [
        (OPT, CacheSize(3, 4, 6), 2048),
        (LLAMA, CacheSize(3, 2, 8), 2048),
        (T5, CacheSize(5, 4, 7), None),
    ],
)
def test_cache_and_positions(config, size, length):
    family = family_of(config)
    assert family.cache_size(config) == size
    assert family.max_length(config) == length
    assert family.encoder_decoder == config.is_encoder_decoder


def test_heads_of_a_llama_share_the_width_unless_told_otherwise():
    config = LlamaConfig(hidden_size=24, num_attention_heads=4)
    assert family_of(config).cache_size(config).head_dim == 6


@pytest.mark.parametrize("name", ["opt", "llama"])
def test_positions_are_counted_without_padding(name):
    family = FAMILIES[name]
    assert isinstance(family, DecoderOnly)
    positions = family.position_ids(LEFT_PADDED)
    assert positions[1].tolist() == [0, 1, 2, 3, 4]
    assert positions[0, 2:].tolist() == [0, 1, 2]


def test_only_a_t5_may_be_untied_whatever_its_config_says():
    untied = T5Config(tie_word_embeddings=False)
    assert untied.tie_word_embeddings
    assert family_of(untied).untied(untied)
    for config in (OPT, LLAMA, T5):
        assert not family_of(config).untied(config)


def test_another_family_is_refused():
    with pytest.raises(ValueError, match="of type 'gpt2'; known are opt, llama, t5"):
        family_of(GPT2Config())
