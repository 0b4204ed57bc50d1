import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Blip2ForConditionalGeneration
from transformers.models.blip import BlipImageProcessorPil

from eilev.data.interleave import Turn, interleave
from eilev.io import DataError
from eilev.model.checkpoint import load_model, load_weights, save_model
from tests.tiny import NARRATIONS, PROMPT, tiny_model


@pytest.fixture
def loaded():
    return tiny_model(seed=1)


@pytest.fixture
def folder(loaded, tmp_path):
    save_model(loaded.model, loaded.codec, loaded.preprocessing, tmp_path / "model")
    return tmp_path / "model"


def test_round_trip(loaded, folder):
    again = load_model(folder)
    state = loaded.model.state_dict()
    assert again.model.state_dict().keys() == state.keys()
    assert all(torch.equal(again.model.state_dict()[key], state[key]) for key in state)
    assert again.preprocessing == loaded.preprocessing
    assert again.codec.encode(NARRATIONS[0]) == loaded.codec.encode(NARRATIONS[0])
    assert not again.model.training


def test_plain_transformers_opens_it_and_agrees_on_an_image(loaded, folder):
    theirs, info = Blip2ForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    assert AutoTokenizer.from_pretrained(folder).pad_token_id == loaded.codec.pad_id
    assert BlipImageProcessorPil.from_pretrained(folder).size["height"] == 16
    layout = interleave(
        [Turn(PROMPT, NARRATIONS[0])], loaded.codec, 3, encoder_decoder=False, loss_on="query"
    )
    ids = torch.tensor([layout.input_ids])
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        # One frame is an image, and the image token is the placeholder.
        expected = theirs(pixel_values=image, input_ids=ids).logits
        actual = loaded.model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            video_input_mask=torch.tensor([layout.video_input_mask]),
            pixel_values=image.unsqueeze(2),
        ).logits
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["opt", "t5"])
def test_reference_checkpoints_load_whole_and_back(shared, family, tmp_path):
    source = shared / "fixtures" / "reference" / family
    loaded = load_model(source)
    save_model(loaded.model, loaded.codec, loaded.preprocessing, tmp_path / "model")
    again = load_model(tmp_path / "model").model.state_dict()
    assert all(torch.equal(again[key], value) for key, value in loaded.model.state_dict().items())


def test_a_half_precision_file_is_read_as_float32(loaded, folder):
    save_model(loaded.model.half(), loaded.codec, loaded.preprocessing, folder)
    assert {p.dtype for p in load_weights(folder).parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"]
)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match=name):
        load_model(folder)


def test_a_broken_file_is_a_data_error(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"model\.safetensors: damaged or cut off"):
        load_model(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json: not valid JSON"):
        load_model(folder)


def test_keys_that_do_not_fit_are_named(folder):
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["language_projection.bias"]
    weights["stranger"] = torch.zeros(1)
    save_file(weights, path, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_query_tokens": 5}))
    with pytest.raises(ValueError, match=r"missing: language_projection\.bias") as error:
        load_model(folder)
    assert "unexpected: stranger" in str(error.value)
    assert "mismatched: query_tokens" in str(error.value)
