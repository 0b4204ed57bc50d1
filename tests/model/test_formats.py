"""The reference's checkpoints in every format that is published, and each of them damaged."""

import json
import os
import shutil
import socket

import pytest
import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file, save_file

from eilev.io import DataError
from eilev.model.checkpoint import load_model, load_weights
from eilev.model.weights import weight_files

WHOLE, SHARDED = "100MB", "200KB"


@pytest.fixture(params=["opt", "t5"])
def source(reference, request):
    return reference / request.param


@pytest.fixture
def folder(source, tmp_path):
    """A copy without weights."""
    copy = tmp_path / "model"
    copy.mkdir()
    for path in source.iterdir():
        if path.suffix == ".json" and path.name != "cases.json":
            (copy / path.name).write_bytes(path.read_bytes())
    return copy


@pytest.fixture
def weights(source):
    return load_file(source / "model.safetensors")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Transformers asks the hub for a conversion of pickled weights if it is let."""

    def refuse(*arguments):
        raise AssertionError("loading a folder went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def write(weights, folder, size, safe):
    save_torch_state_dict(weights, folder, max_shard_size=size, safe_serialization=safe)
    return weight_files(folder)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("size", [WHOLE, SHARDED])
def test_every_format_loads_the_same_numbers(source, folder, weights, size, safe):
    files = write(weights, folder, size, safe)
    assert (len(files) > 1) == (size == SHARDED)
    state = load_model(folder).model.state_dict()
    assert weights.keys() <= state.keys()
    assert all(torch.equal(state[name], value) for name, value in weights.items())
    expected = load_model(source).model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in expected.items())


def test_pickles_of_before_zip_files_load(folder, weights):
    torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    state = load_weights(folder).state_dict()
    assert all(torch.equal(state[name], value) for name, value in weights.items())


def test_safetensors_are_preferred(folder, weights):
    write(weights, folder, WHOLE, safe=True)
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    load_weights(folder)


def test_copies_of_tied_weights_are_no_surprise(folder, weights):
    """As old pickles have them: every name that a shared tensor goes by."""
    module = load_weights_of(folder, weights)
    torch.save(dict(module.state_dict()), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    state = load_weights(folder).state_dict()
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())


def load_weights_of(folder, weights):
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return load_weights(folder)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("size", [WHOLE, SHARDED])
def test_a_missing_a_foreign_and_a_misshapen_tensor_are_named(folder, weights, size, safe):
    del weights["language_projection.bias"]
    weights["stranger"] = torch.zeros(1)
    weights["query_tokens"] = torch.zeros(1, 7, 32)
    write(weights, folder, size, safe)
    with pytest.raises(ValueError, match=r"missing: language_projection\.bias") as error:
        load_weights(folder)
    assert "unexpected: stranger" in str(error.value)
    shapes = r"[1, 7, 32] in the file, [1, 4, 32] in the model"
    assert f"mismatched: query_tokens ({shapes})" in str(error.value)


@pytest.mark.parametrize("safe", [True, False])
def test_a_cut_off_shard_is_named(folder, weights, safe):
    shard = write(weights, folder, SHARDED, safe)[1]
    shard.write_bytes(shard.read_bytes()[:-3000])
    with pytest.raises(DataError, match=f"{shard.name}: damaged or cut off"):
        load_weights(folder)


@pytest.mark.parametrize("safe", [True, False])
def test_a_missing_shard_is_named(folder, weights, safe):
    shard = write(weights, folder, SHARDED, safe)[1]
    shard.unlink()
    with pytest.raises(DataError, match=f"{shard.name}: no such file, but the index lists it"):
        load_weights(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("{}", "no 'weight_map'"),
        ('{"weight_map": {"query_tokens": "../other.safetensors"}}', "not the name of a file"),
    ],
)
def test_a_broken_index_is_named(folder, content, message):
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(DataError, match=rf"model\.safetensors\.index\.json: .*{message}"):
        load_weights(folder)


class Malicious:
    """What a pickle can do: call anything when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(folder, weights, tmp_path, is_new):
    path = folder / "pytorch_model.bin"
    trace = tmp_path / "ran"
    torch.save(weights | {"x": Malicious(trace)}, path, _use_new_zipfile_serialization=is_new)
    with pytest.raises(DataError, match=r"pytorch_model\.bin: refused.*mkdir"):
        load_weights(folder)
    assert not trace.exists()
    # Read carelessly it would have run.
    torch.load(path, weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {"x": "text"}])
def test_a_pickle_of_anything_else_is_refused(folder, content):
    torch.save(content, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="not a plain dictionary of tensors"):
        load_weights(folder)


def test_no_torch_file_at_all(folder):
    (folder / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\n" * 3)
    with pytest.raises(DataError, match=r"pytorch_model\.bin: (refused|damaged)"):
        load_weights(folder)


def test_without_weights_the_names_are_told(folder):
    with pytest.raises(DataError, match=r"model\.safetensors or pytorch_model\.bin"):
        load_weights(folder)


# What transformers of 2023 wrote into every part of a configuration.
LEGACY = {
    "_name_or_path": "",
    "add_cross_attention": False,
    "bad_words_ids": None,
    "chunk_size_feed_forward": 0,
    "diversity_penalty": 0.0,
    "do_sample": False,
    "early_stopping": False,
    "encoder_no_repeat_ngram_size": 0,
    "finetuning_task": None,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    "length_penalty": 1.0,
    "max_length": 20,
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "num_beam_groups": 1,
    "num_beams": 1,
    "num_return_sequences": 1,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_scores": False,
    "prefix": None,
    "problem_type": None,
    "pruned_heads": {},
    "repetition_penalty": 1.0,
    "return_dict": True,
    "return_dict_in_generate": False,
    "task_specific_params": None,
    "temperature": 1.0,
    "tf_legacy_loss": False,
    "tokenizer_class": None,
    "top_k": 50,
    "top_p": 1.0,
    "torch_dtype": None,
    "torchscript": False,
    "transformers_version": "4.28.1",
    "typical_p": 1.0,
    "use_bfloat16": False,
}
PARTS = ("vision_config", "qformer_config", "text_config")


def age(folder, **vision):
    """Rewrite config.json as transformers 4.28 did."""
    config = json.loads((folder / "config.json").read_text())
    for part in PARTS:
        config[part] = LEGACY | config[part]
    config["qformer_config"] |= {"position_embedding_type": "absolute", "classifier_dropout": None}
    config["vision_config"] |= {"projection_dim": 512, "num_channels": 3, "dropout": 0.0} | vision
    config |= {"_commit_hash": None, "transformers_version": None}
    assert "image_token_index" not in config
    (folder / "config.json").write_text(json.dumps(config))


def test_old_configurations_are_honoured(source, folder, weights):
    save_file(weights, folder / "model.safetensors")  # old files had no metadata either
    age(folder, layer_norm_eps=1e-5)
    old, new = load_model(folder), load_model(source)
    assert old.model.vision_model.encoder.layers[0].layer_norm1.eps == 1e-5
    assert new.model.vision_model.encoder.layers[0].layer_norm1.eps == 1e-6
    # The first row that no token uses, where there is one.
    spare = old.codec.vocab_size < old.model.config.text_config.vocab_size
    expected = old.codec.vocab_size if spare else old.codec.pad_id
    assert old.model.config.image_token_index == expected
    pixels = load_file(source / "cases.safetensors")["forward_right.pixel_values"]
    with torch.no_grad():
        found, expected = (item.model.encode_videos(pixels) for item in (old, new))
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=0)


def test_an_old_configuration_changes_no_answer(source, folder, weights):
    save_file(weights, folder / "model.safetensors")
    age(folder, layer_norm_eps=1e-6)
    cases = load_file(source / "cases.safetensors")
    names = ("input_ids", "attention_mask", "video_input_mask", "pixel_values")
    inputs = {name: cases[f"generate.{name}"] for name in names}
    found, expected = (
        load_model(path).model.generate(**inputs, max_new_tokens=12) for path in (folder, source)
    )
    assert torch.equal(found, expected)


def test_the_activation_of_published_t5_checkpoints_is_kept(reference, tmp_path):
    """LAVIS ran flan-t5 with plain gelu, which the config says beside "gated-gelu"."""
    folder = tmp_path / "t5"
    shutil.copytree(reference / "t5", folder)
    for path in (folder, folder / "config.json"):
        path.chmod(0o755)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= {"dense_act_fn": "gelu", "feed_forward_proj": "gated-gelu"}
    (folder / "config.json").write_text(json.dumps(config))
    model = load_weights(folder).language_model
    assert model.config.dense_act_fn == "gelu"
    act = model.encoder.block[0].layer[1].DenseReluDense.act
    values = torch.linspace(-3, 3, 50)
    torch.testing.assert_close(act(values), torch.nn.functional.gelu(values), atol=1e-7, rtol=0)


def test_another_kind_of_model_is_refused(folder):
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "instructblip"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="'model_type' is 'instructblip'"):
        load_weights(folder)
