import pytest
import torch

from eilev.config.train import ModelConfig
from eilev.inputs.tokenizer import load_codec, train_word_codec
from eilev.model.build import build_model
from tests.tiny import tiny_codec, tiny_config


def test_same_seed_same_weights():
    codec = tiny_codec()
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(build_model(tiny_config(), codec).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_weights_from_scratch_are_not_degenerate():
    torch.manual_seed(0)
    model = build_model(tiny_config(), tiny_codec())
    queries = model.query_tokens[0]
    assert not torch.allclose(queries[0], queries[1])
    for name, value in model.named_parameters():
        if value.ndim > 1 and "class_embedding" not in name:
            assert 0.01 < value.std() < 0.5, name
    assert model.dtype == torch.float32


def test_sizes_and_special_tokens_come_from_config_and_codec():
    codec = tiny_codec()
    model = build_model(tiny_config(), codec)
    assert model.language_model.config.vocab_size == codec.vocab_size
    assert model.config.num_query_tokens == 3
    generation = model.language_model.generation_config
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (
        codec.bos_id,
        codec.eos_id,
        codec.pad_id,
    )
    assert model.config.image_token_index == codec.pad_id


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="not a multiple of patch_size"):
        build_model(tiny_config(image_size=20), tiny_codec())


def test_reference_checkpoint_is_frozen_as_asked(reference):
    folder = reference / "opt"
    config = ModelConfig(pretrained=str(folder), scratch=None, freeze=("vision_model",))
    codec = load_codec(folder)
    model = build_model(config, codec, folder)
    assert not any(p.requires_grad for p in model.vision_model.parameters())
    assert all(p.requires_grad for p in model.language_model.parameters())
    # The row behind the tokenizer's last token.
    assert model.config.image_token_index == codec.vocab_size


def test_a_larger_tokenizer_is_refused(reference):
    folder = reference / "opt"
    config = ModelConfig(pretrained=str(folder), scratch=None, freeze=())
    codec = train_word_codec([" ".join(f"word{i}" for i in range(400))])
    with pytest.raises(ValueError, match="404 tokens, but the model only 336"):
        build_model(config, codec, folder)
