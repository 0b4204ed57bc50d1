import os
import shutil
import subprocess

import pytest
from transformers import AutoTokenizer

from eilev.bundle.manifest import BundleError, Manifest
from eilev.export.write import git_revision
from eilev.inputs.preprocess import Preprocessing
from eilev.inputs.tokenizer import load_codec
from tests.tiny import NARRATIONS, NUM_FRAMES, tiny_model


def test_manifest_describes_the_model_and_every_file(tiny_bundle):
    manifest = Manifest.load(tiny_bundle)
    manifest.verify(tiny_bundle)
    loaded = tiny_model()
    names = {path.name for path in tiny_bundle.iterdir()}
    assert set(manifest.files) == names - {"manifest.json"}
    assert names >= {
        "vision.onnx",
        "embed.onnx",
        "decoder.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "preprocessor_config.json",
    }
    assert manifest.family == "decoder_only"
    assert (manifest.num_frames, manifest.num_query_tokens) == (NUM_FRAMES, 3)
    assert (manifest.hidden_size, manifest.vocab_size) == (16, loaded.codec.vocab_size)
    assert manifest.max_length == 256
    assert manifest.tokens.eos == loaded.codec.eos_id
    assert manifest.tokens.decoder_start is None
    assert manifest.params == {"seed": 0}
    assert (manifest.precision, manifest.parity) == ("fp32", None)
    assert manifest.tokenizer_size == loaded.codec.vocab_size
    sizes = [(tiny_bundle / name).stat().st_size for name in manifest.files]
    assert manifest.num_bytes == sum(sizes)


def test_tokenizer_and_preprocessing_travel_with_the_graphs(tiny_bundle):
    loaded = tiny_model()
    ids = loaded.codec.encode(NARRATIONS[0])
    assert load_codec(tiny_bundle).encode(NARRATIONS[0]) == ids
    assert AutoTokenizer.from_pretrained(tiny_bundle).decode(ids) == NARRATIONS[0]
    preprocessing = Preprocessing.from_file(tiny_bundle / "preprocessor_config.json")
    assert preprocessing == loaded.preprocessing
    assert Manifest.load(tiny_bundle).image.size == preprocessing.image_size


@pytest.mark.parametrize("name", ["decoder.onnx", "tokenizer.json"])
def test_an_altered_or_missing_file_is_named(tiny_bundle, tmp_path, name):
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, folder)
    manifest = Manifest.load(folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}: altered"):
        manifest.verify(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: no such file"):
        manifest.verify(folder)


def test_git_revision_is_a_commit_or_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert git_revision() is None


def git(folder, *arguments):
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    command = ["git", *author, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_revision_is_dirty_by_what_people_change(tmp_path, monkeypatch):
    """Not by lock files and results, which the run itself rewrites, nor by the same bytes again."""
    for name in ("dvc.lock", "params.yaml", "inventory/dvc.lock", "data/.gitkeep"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "Start")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    monkeypatch.chdir(tmp_path / "data")
    assert git_revision() == head
    for name in ("dvc.lock", "inventory/dvc.lock", "data/.gitkeep"):
        (tmp_path / name).write_text("2")
    os.utime(tmp_path / "params.yaml", (0, 0))
    (tmp_path / "data" / "new").touch()
    assert git_revision() == head
    (tmp_path / "params.yaml").write_text("2")
    assert git_revision() == f"{head}-dirty"
