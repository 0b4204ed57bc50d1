import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Blip2ForConditionalGeneration, Blip2Processor
from transformers.models.blip import BlipImageProcessorPil

from eilev.inputs.interleave import interleave
from eilev.inputs.tokenizer import load_codec
from eilev.inputs.turns import Turn
from eilev.io import DataError
from eilev.model.checkpoint import load_inputs, load_model, load_weights, save_model
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


FAMILIES = pytest.mark.parametrize("family", ["opt", "t5"])
SIZE = 28


@FAMILIES
def test_reference_checkpoints_load_whole_and_back(reference, family, tmp_path):
    source = reference / family
    loaded = load_model(source)
    save_model(loaded.model, loaded.codec, loaded.preprocessing, tmp_path / "model")
    again = load_model(tmp_path / "model").model.state_dict()
    assert all(torch.equal(again[key], value) for key, value in loaded.model.state_dict().items())


def logits_of_both(ours, theirs):
    """Logits of an episode of two images, each of which is a clip of one frame."""
    config = ours.model.config
    encoder_decoder = not config.use_decoder_only_language_model
    turns = [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, NARRATIONS[1])]
    layout = interleave(
        turns,
        ours.codec,
        config.num_query_tokens,
        encoder_decoder=encoder_decoder,
        loss_on="query",
    )
    ids, video = torch.tensor([layout.input_ids]), torch.tensor([layout.video_input_mask])
    images = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    labels = {"labels": torch.tensor([layout.labels])} if encoder_decoder else {}
    with torch.no_grad():
        found = ours.model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            video_input_mask=video,
            pixel_values=images.unsqueeze(2),
            **labels,
        ).logits
        expected = theirs(
            pixel_values=images,
            input_ids=ids.masked_fill(video.bool(), config.image_token_index),
            attention_mask=torch.ones_like(ids),
            **labels,
        ).logits
    assert expected.shape == found.shape
    return found, expected


@FAMILIES
def test_a_checkpoint_saved_here_opens_in_plain_transformers(reference, family, tmp_path):
    ours = load_model(reference / family)
    # As after a training, whatever the numbers are.
    with torch.no_grad():
        for parameter in ours.model.parameters():
            parameter.mul_(1.25)
    save_model(ours.model, ours.codec, ours.preprocessing, tmp_path / "model")
    theirs, info = Blip2ForConditionalGeneration.from_pretrained(
        tmp_path / "model", output_loading_info=True
    )
    assert type(theirs) is Blip2ForConditionalGeneration
    assert not any(info.values())
    # Transformers 4 goes by it, and not by the tensors.
    config = json.loads((tmp_path / "model" / "config.json").read_text())["text_config"]
    assert config["tie_word_embeddings"] == (family == "opt")
    # Without a row to spare the image token is the pad token, which then may stand nowhere else.
    found, expected = logits_of_both(ours, theirs.eval())
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@FAMILIES
@pytest.mark.parametrize("size", ["100MB", "200KB"])
def test_a_checkpoint_of_plain_transformers_opens_here(reference, family, tmp_path, size):
    source = reference / family
    theirs = Blip2ForConditionalGeneration.from_pretrained(source).eval()
    # Its own class crashes without one; ours keeps whatever the config says.
    theirs.config.image_token_index = load_codec(source).pad_id
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(1.25)
    theirs.save_pretrained(tmp_path, max_shard_size=size)
    AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path)
    BlipImageProcessorPil.from_pretrained(source).save_pretrained(tmp_path)
    found, expected = logits_of_both(load_model(tmp_path), theirs)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_whole_processor_of_transformers_opens_here(reference, tmp_path):
    source = reference / "opt"
    image_processor = BlipImageProcessorPil.from_pretrained(source)
    Blip2Processor(image_processor, AutoTokenizer.from_pretrained(source)).save_pretrained(tmp_path)
    codec, preprocessing = load_inputs(tmp_path)
    assert preprocessing == load_inputs(source)[1]
    assert codec.encode(NARRATIONS[0]) == load_codec(source).encode(NARRATIONS[0])


def test_a_tokenizer_of_before_tokenizer_json_is_converted(reference, tmp_path):
    """OPT's in 2022: a vocabulary and the merges of a byte-level BPE."""
    source = reference / "opt"
    expected = load_codec(source)
    expected.tokenizer.model.save(str(tmp_path))
    names = {"bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    config = names | {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_bytes(
        (source / "preprocessor_config.json").read_bytes()
    )
    codec, _ = load_inputs(tmp_path)
    for text in (NARRATIONS[0], "\n", f"{PROMPT} {NARRATIONS[1]}\n"):
        assert codec.encode(text) == expected.encode(text)
    assert (codec.bos_id, codec.eos_id, codec.pad_id, codec.newline_ids) == (
        expected.bos_id,
        expected.eos_id,
        expected.pad_id,
        expected.newline_ids,
    )


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
