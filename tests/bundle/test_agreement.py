import shutil

import pytest

from eilev.bundle.manifest import BundleError, Manifest
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.bundle.rules import LAYOUTS
from eilev.inputs.interleave import interleave
from eilev.inputs.turns import Turn
from tests.tiny import tiny_codec


def refusal(folder, field, value):
    """What is said of a bundle whose manifest has another value in a field."""
    manifest = Manifest.load(folder)
    outer, _, inner = field.partition(".")
    changed = getattr(manifest, outer).model_copy(update={inner: value}) if inner else value
    manifest.model_copy(update={outer: changed}).write(folder)
    with pytest.raises(BundleError) as refused:
        OnnxEngine.load(folder, num_threads=1)
    manifest.write(folder)
    return str(refused.value)


@pytest.fixture(scope="module", params=["tiny_bundle", "t5_bundle"])
def folder(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("altered") / "bundle"
    return shutil.copytree(request.getfixturevalue(request.param), place)


FIELDS = [
    "cache.num_layers", "cache.num_heads", "cache.head_dim", "clip.num_frames", "image.size",
    "vocab_size", "hidden_size", "num_query_tokens", "tokenizer_size", "tokens.eos", "tokens.pad",
]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_wrong_is_named_with_both_values(folder, field):
    value = Manifest.load(folder)
    for name in field.split("."):
        value = getattr(value, name)
    line = refusal(folder, field, value + 7)
    assert f"manifest.json: '{field}' is {value + 7}, but " in line
    assert line.endswith(f" has {value}")


def test_a_precision_that_the_graphs_have_not_is_named(folder):
    line = refusal(folder, "precision", "fp16")
    assert line.endswith("'precision' is fp16, but decoder.onnx has fp32")


def test_layouts_are_what_interleave_does():
    codec = tiny_codec()
    turns = [Turn("Answer:", "cuts the onion", 2), Turn("Answer:", "opens the drawer")]
    names = {codec.pad_id: "V", codec.newline_ids[0]: "n", codec.eos_id: "E"}
    prompt, words = codec.encode("Answer:"), len(codec.encode("cuts the onion"))
    names |= dict.fromkeys(prompt, "P")

    def layout(encoder_decoder):
        found = interleave(turns, codec, 2, encoder_decoder=encoder_decoder, loss_on="query")
        written = found.labels if encoder_decoder else found.input_ids
        return [
            "".join(names.get(token, "w") for token in ids) for ids in (found.input_ids, written)
        ]

    ask, answer = "P" * len(prompt), "w" * words
    context = f"VVnVVn{ask}{answer}nVVn{ask}"
    # The tiny codec begins a sequence with the token that ends it, as OPT's does.
    assert layout(encoder_decoder=False)[1] == f"E{context}{answer}nE"
    assert layout(encoder_decoder=True) == [f"{context}E", f"{answer}E"]
    # Whoever makes these lines fail gives the layouts other names.
    assert LAYOUTS == {
        "decoder_only": "BOS? ((VIDEO NEWLINE)* PROMPT ANSWER NEWLINE)* (VIDEO NEWLINE)* PROMPT"
        " -> ANSWER NEWLINE EOS",
        "encoder_decoder": "((VIDEO NEWLINE)* PROMPT ANSWER NEWLINE)* (VIDEO NEWLINE)* PROMPT EOS"
        " -> NARRATION EOS",
    }
