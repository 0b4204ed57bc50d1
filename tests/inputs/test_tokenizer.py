import json
import pickle
import shutil

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer

from eilev.inputs.tokenizer import load_codec, save_codec, train_word_codec
from eilev.io import DataError

SENTENCES = [
    "The camera wearer cuts the onion.",
    "Question: What is the camera wearer doing? Answer:",
    "The camera wearer doesn't use the left-hand cup (big), now!",
    "first\nsecond",
]


@pytest.fixture(scope="module")
def codec():
    return train_word_codec(SENTENCES)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_words_survive_a_round_trip(codec, sentence):
    assert codec.decode(codec.encode(sentence)) == sentence


def test_a_leading_space_changes_no_word(codec):
    assert codec.encode(" " + SENTENCES[0]) == codec.encode(SENTENCES[0])


def test_special_tokens_and_newline_have_their_own_ids(codec):
    assert codec.bos_id == codec.eos_id
    assert len(codec.newline_ids) == 1
    assert len({codec.pad_id, codec.eos_id, *codec.newline_ids}) == 3
    assert codec.encode("cuts\n")[-1:] == list(codec.newline_ids)
    assert codec.decode([codec.pad_id, *codec.encode("the onion"), codec.eos_id]) == "the onion"


def test_vocabulary_does_not_depend_on_the_order_of_texts(codec):
    again = train_word_codec(reversed(SENTENCES))
    assert again.tokenizer.to_str() == codec.tokenizer.to_str()


def test_saved_files_open_here_and_in_transformers(codec, tmp_path):
    save_codec(codec, tmp_path)
    loaded = load_codec(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    ids = codec.encode(SENTENCES[2])
    assert loaded.encode(SENTENCES[2]) == ids
    assert (loaded.bos_id, loaded.eos_id, loaded.pad_id, loaded.newline_ids, loaded.vocab_size) == (
        codec.bos_id,
        codec.eos_id,
        codec.pad_id,
        codec.newline_ids,
        codec.vocab_size,
    )
    assert theirs(SENTENCES[2], add_special_tokens=False)["input_ids"] == ids
    assert theirs.decode(ids) == SENTENCES[2]
    assert (theirs.eos_token_id, theirs.pad_token_id) == (codec.eos_id, codec.pad_id)


def test_codec_reaches_worker_processes(codec):
    assert pickle.loads(pickle.dumps(codec)).encode("the onion") == codec.encode("the onion")  # noqa: S301


def test_no_words_is_an_error():
    with pytest.raises(ValueError, match="no word"):
        train_word_codec(["", " \n"])


@pytest.mark.parametrize(("family", "bos", "eos", "pad"), [("opt", 2, 2, 1), ("t5", None, 1, 0)])
def test_reference_tokenizers(reference, family, bos, eos, pad):
    folder = reference / family
    codec = load_codec(folder)
    assert (codec.bos_id, codec.eos_id, codec.pad_id) == (bos, eos, pad)
    assert codec.newline_ids == tuple(codec.encode("\n"))


@pytest.mark.parametrize("family", ["opt", "t5"])
def test_reference_generated_text(reference, family):
    from safetensors.numpy import load_file

    folder = reference / family
    codec = load_codec(folder)
    expected = json.loads((folder / "cases.json").read_text())["generation_text"]["greedy"]
    rows = load_file(folder / "cases.safetensors")["generate.greedy"]
    assert [codec.decode(row).strip() for row in rows] == expected


def test_the_word_boundary_stands_in_for_a_newline_that_is_dropped(tmp_path):
    # As in T5: white space is split off before a unigram model over marked words.
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), ("\u2581cup", -3.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    names = {"eos_token": "</s>", "pad_token": "<pad>"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(names))
    codec = load_codec(tmp_path)
    assert codec.encode("\n") == []
    assert codec.newline_ids == (3,)
    assert codec.encode("cup\n") == [4]


def test_missing_and_broken_files_are_named(codec, tmp_path):
    with pytest.raises(DataError, match=r"tokenizer\.json: no such file"):
        load_codec(tmp_path)
    save_codec(codec, tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match=r"tokenizer\.json: not a tokenizer"):
        load_codec(tmp_path)


def test_unnamed_or_unknown_special_tokens_are_named(codec, tmp_path):
    save_codec(codec, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a" / "special_tokens_map.json").unlink()
    (tmp_path / "a" / "tokenizer_config.json").write_text('{"pad_token": "<pad>"}')
    with pytest.raises(DataError, match="'eos_token' is missing"):
        load_codec(tmp_path / "a")
    (tmp_path / "b" / "special_tokens_map.json").write_text('{"eos_token": {"content": "<end>"}}')
    with pytest.raises(DataError, match="no token '<end>'"):
        load_codec(tmp_path / "b")
