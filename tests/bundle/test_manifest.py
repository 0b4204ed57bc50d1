import json

import pytest

from eilev.bundle.manifest import BundleError, Manifest
from eilev.bundle.rules import LAYOUTS

CONTENT = {
    "format_version": 3,
    "family": "encoder_decoder",
    "precision": "int8",
    "files": {f"{name}.onnx": "0" for name in ("vision", "embed", "encoder", "decoder")},
    "num_bytes": 4,
    "clip": {
        "choice": "window_linspace_truncated",
        "pixels": "bicubic_mean_std",
        "num_frames": 8,
        "window_s": 8.0,
    },
    "frame_size": 448,
    "num_query_tokens": 32,
    "hidden_size": 2048,
    "vocab_size": 32128,
    "tokenizer_size": 32100,
    "layout": LAYOUTS["encoder_decoder"],
    "max_length": None,
    "cache": {"num_layers": 24, "num_heads": 32, "head_dim": 64},
    "tokens": {"bos": None, "eos": 1, "pad": 0, "decoder_start": 0},
    "image": {"size": 224, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    "prompt": "Answer:",
    "max_new_tokens": 12,
    "opset": 18,
    "git_revision": None,
    "parity": {
        "episodes": 50,
        "max_logit_difference": 1.5,
        "identical_narrations": 49,
        "action_agreement": 0.98,
    },
    "params": {"train": {"seed": 0}},
    "metrics": {},
}


def test_round_trip(tmp_path):
    manifest = Manifest.model_validate_json(json.dumps(CONTENT))
    manifest.write(tmp_path)
    assert Manifest.load(tmp_path) == manifest
    assert json.loads((tmp_path / "manifest.json").read_text()) == CONTENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2, "precision": 1}, r"format_version: .* export the model again$"),
        ({"family": "decoder_only", "files": {"vision.onnx": "0"}}, r"lacks embed\.onnx"),
        ({"files": CONTENT["files"] | {"../secret": "0"}}, "not a plain file name"),
        ({"num_bytes": "8"}, "num_bytes"),
        ({"precision": "int4"}, "precision"),
        ({"clip": CONTENT["clip"] | {"choice": "first"}}, r"'clip\.choice' is 'first'.*knows"),
        ({"clip": CONTENT["clip"] | {"pixels": "bilinear"}}, r"'clip\.pixels' is 'bilinear'"),
        ({"layout": "PROMPT"}, "'layout' is 'PROMPT'; this version of EILeV knows"),
        ({"tokens": {"eos": 1}}, r"tokens\.bos"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_wrong_content_is_named(tmp_path, change, message):
    (tmp_path / "manifest.json").write_text(json.dumps(CONTENT | change))
    with pytest.raises(BundleError, match=message):
        Manifest.load(tmp_path)


def test_a_missing_or_broken_manifest_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"manifest\.json: no such file"):
        Manifest.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match=r"manifest\.json: .*JSON"):
        Manifest.load(tmp_path)
