import doctest

import pytest
import torch
from huggingface_hub import constants, save_torch_state_dict

from eilev.io import DataError
from eilev.model import hub as hub_module
from eilev.model.checkpoint import load_model, save_model
from eilev.model.hub import needed_files, pretrained_folder
from tests.hub import commit_of, read_folder, serve_hub
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A checkpoint with its weights in both formats and with what nobody needs."""
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    loaded = tiny_model(seed=1)
    save_model(loaded.model, loaded.codec, loaded.preprocessing, folder)
    torch.save(loaded.model.state_dict(), folder / "pytorch_model.bin")
    return read_folder(folder) | {"README.md": b"", "onnx/model.onnx": b"", "training.pt": b""}


@pytest.fixture
def hub(files, tmp_path, monkeypatch):
    without = {name: data for name, data in files.items() if name != "model.safetensors"}
    old = files | {"narrator.json": b"{}"}
    models = {
        "owner/both": {"main": files, "v1": old},
        "owner/pickled": {"main": without},
        "owner/empty": {"main": {"README.md": b""}},
        "owner/GATED": {"main": files},
    }
    with serve_hub(models) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield server


def test_only_what_is_needed_is_fetched_and_it_loads(hub):
    loaded = load_model(pretrained_folder("owner/both"))
    assert torch.equal(loaded.model.query_tokens, tiny_model(seed=1).model.query_tokens)
    assert sorted(hub.fetched) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_pickled_weights_are_fetched_where_there_are_no_others(hub):
    loaded = load_model(pretrained_folder("owner/pickled"))
    assert torch.equal(loaded.model.query_tokens, tiny_model(seed=1).model.query_tokens)
    assert "pytorch_model.bin" in hub.fetched


def test_a_revision_is_pinned_by_tag_or_commit(hub):
    assert not (pretrained_folder("owner/both") / "narrator.json").exists()
    by_tag = pretrained_folder("owner/both@v1")
    assert (by_tag / "narrator.json").exists()
    assert by_tag.name == commit_of("v1")
    assert pretrained_folder(f"owner/both@{commit_of('v1')}") == by_tag


def test_without_the_hub_the_cache_serves(hub, monkeypatch):
    online = pretrained_folder("owner/both")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert pretrained_folder("owner/both") == online
    assert pretrained_folder(f"owner/both@{commit_of('main')}") == online
    with pytest.raises(DataError, match="'hf download owner/both --revision v1 --local-dir"):
        pretrained_folder("owner/both@v1")


def test_an_interrupted_download_names_the_file_that_is_missing(hub, monkeypatch):
    folder = pretrained_folder("owner/both")
    (folder / "model.safetensors").unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="no weights"):
        load_model(pretrained_folder("owner/both"))


def test_an_unreachable_hub_is_one_clear_line(hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError) as error:
        pretrained_folder("owner/both")
    message = str(error.value)
    assert "\n" not in message
    assert "can't be reached (ConnectError" in message
    assert "fetch it elsewhere" in message
    assert str(constants.HF_HUB_CACHE) in message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("owner/absent", "no such model on the hub"),
        ("owner/both@v9", "owner/both has no revision 'v9'"),
        ("owner/GATED", "'hf auth login'"),
        ("data/train/model", "not a hub name"),
        ("../model", "not a hub name"),
        ("owner/empty", "no weights|no such file"),
    ],
)
def test_names_that_lead_nowhere_say_why(hub, name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a pipeline has run, data/train/model leads somewhere
    with pytest.raises(DataError, match=message) as error:
        load_model(pretrained_folder(name))
    assert "\n" not in str(error.value)


def test_a_folder_is_taken_as_it_is(tmp_path):
    folder = tmp_path / "owner@1"
    folder.mkdir()
    assert pretrained_folder(str(folder)) == folder


def test_shards_come_with_their_index(files, tmp_path):
    loaded = tiny_model(seed=1)
    save_torch_state_dict(loaded.model.state_dict(), tmp_path, max_shard_size="30KB")
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) > 2
    described = ["config.json", "tokenizer.json"]
    assert set(needed_files([*names, *described, "pytorch_model.bin"])) == {*names, *described}


def test_docstrings():
    assert doctest.testmod(hub_module).failed == 0
