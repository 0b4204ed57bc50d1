import shutil

import pytest

from eilev.bundle.manifest import Manifest
from eilev.cli import main


def run(*arguments):
    main(["export", *map(str, arguments)])


def failure(*arguments):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    return stopped.value.code


def test_a_checkpoint_becomes_a_bundle_that_says_what_it_is(half_bundle):
    folder, text = half_bundle
    manifest = Manifest.load(folder)
    manifest.verify(folder)
    assert (manifest.precision, manifest.clip.window_s, manifest.max_new_tokens) == ("fp16", 1.0, 6)
    assert manifest.parity.episodes == 6
    for line in (
        "decoder_only: 2 layers, 2 heads of 8, width 16",
        "2 frames of 1 s, 16 pixels, 3 tokens each",
        "precision  fp16",
        "checksums right",
        "narrations identical, largest logit difference",
        "vision.onnx on cpu",
    ):
        assert line in text
    assert [path.name for path in folder.parent.iterdir() if path.name[0] == "."] == []


def test_check_prints_a_bundle_or_says_what_is_wrong_with_it(tiny_bundle, tmp_path, capsys):
    run("--check", tiny_bundle)
    text = capsys.readouterr().out
    assert "precision  fp32" in text
    assert "parity     never compared with torch" in text
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = Manifest.load(folder)
    manifest.model_copy(update={"vocab_size": 5}).write(folder)
    assert "manifest.json: 'vocab_size' is 5, but decoder.onnx" in failure("--check", folder)
    (folder / "embed.onnx").unlink()
    assert "embed.onnx: no such file" in failure("--check", folder)


def test_a_repository_of_triton_replaces_an_earlier_one_only(tiny_bundle, tmp_path, capsys):
    target = tmp_path / "repository"
    for _ in range(2):
        run("--triton", tiny_bundle, target)
    assert "eilev_vision, eilev_embed, eilev_decoder" in capsys.readouterr().out
    assert (target / "eilev_decoder" / "1" / "model.onnx").is_file()
    (tmp_path / "photos").mkdir()
    refusal = failure("--triton", tiny_bundle, tmp_path / "photos")
    assert "photos: exists and has no eilev_vision/config.pbtxt; name another folder" in refusal


def test_wrong_arguments_are_refused(tiny_bundle, tmp_path):
    assert "name the FOLDER to write" in failure(tiny_bundle)
    assert f"leave out {tmp_path}" in failure("--check", tiny_bundle, tmp_path)
    assert "exists and has no manifest.json" in failure(tiny_bundle, tmp_path)
    assert "config.json: no such file" in failure(tiny_bundle, tmp_path / "new")
    assert not (tmp_path / "new").exists()
