"""The published architectures by their published sizes."""

import pytest
import torch

from eilev.config.train import ModelConfig
from eilev.inputs.preprocess import Preprocessing
from eilev.model.checkpoint import save_model
from eilev.planning.architectures import ARCHITECTURES, meta_model, outline
from tests.tiny import tiny_codec, tiny_config, tiny_model
from tests.tiny_llama import llama_config, tiny_llama_model

FREEZE = ("vision_model", "language_model")
# All parameters, and those that remain when ViT and language model are frozen. The hub says
# 3.74 and 3.94 billion.
SIZES = {
    "Salesforce/blip2-opt-2.7b": (3_744_679_936, 107_130_880),
    "Salesforce/blip2-flan-t5-xl": (3_942_446_592, 106_737_152),
}


def pretrained(name):
    return ModelConfig(pretrained=name, scratch=None, freeze=FREEZE)


def count(module, trainable=False):
    parameters = module.parameters()
    return sum(p.numel() for p in parameters if p.requires_grad or not trainable)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_what_is_frozen(name):
    model = meta_model(pretrained(name), vocab_size=0)
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert (count(model), count(model, trainable=True)) == SIZES[name]
    assert count(model.vision_model) == 985_952_256
    assert count(model.qformer) == 105_137_664
    assert count(model.vision_model, True) == count(model.language_model, True) == 0
    projection = 768 * model.language_model.config.hidden_size
    bias = model.language_model.config.hidden_size
    assert count(model.language_projection, True) == projection + bias
    assert model.query_tokens.requires_grad
    assert model.query_tokens.shape == (1, 32, 768)
    assert model.config.use_decoder_only_language_model == ("opt" in name)


def test_every_published_name_is_one_of_the_two():
    sizes = {name: count(meta_model(pretrained(name), 0)) for name in ARCHITECTURES}
    assert set(sizes.values()) == {total for total, _ in SIZES.values()}


def test_a_model_from_scratch_is_the_one_that_is_trained():
    codec = tiny_codec()
    shapes = {name: p.shape for name, p in tiny_model().model.named_parameters()}
    built = meta_model(tiny_config(), codec.vocab_size)
    assert {name: p.shape for name, p in built.named_parameters()} == shapes


def test_new_eyes_for_a_language_model_are_those_that_are_trained(tiny_llama):
    built = meta_model(llama_config(tiny_llama), vocab_size=0)
    shapes = {name: p.shape for name, p in tiny_llama_model(tiny_llama).model.named_parameters()}
    assert {name: p.shape for name, p in built.named_parameters()} == shapes
    assert count(built.language_model, trainable=True) == 0


def test_a_local_checkpoint_is_read_from_its_config(tmp_path):
    loaded = tiny_model()
    save_model(loaded.model, loaded.codec, Preprocessing(16), tmp_path / "model")
    built = meta_model(pretrained(str(tmp_path / "model")), 0)
    assert count(built) == count(loaded.model)
    assert count(built, True) < count(built)


def test_an_unknown_checkpoint_is_named():
    with pytest.raises(ValueError, match=r"pretrained: some/model: .*Salesforce/blip2-opt-2\.7b"):
        meta_model(pretrained("some/model"), 0)


def test_an_outline_has_storage_where_it_is_built():
    assert {p.device for p in outline(tiny_config(), 9).parameters()} == {torch.device("cpu")}
