import pytest
import torch
from accelerate import Accelerator

from eilev.config.train import ModelConfig
from eilev.inputs.episode import narrations_by_id
from eilev.io import DataError
from eilev.model.checkpoint import save_model
from eilev.training.setup import resumption, set_up
from tests.kitchen import make_kitchen, tiny_train_config
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen()


def build(kitchen, **changes):
    config = tiny_train_config(**changes)
    return set_up(config, narrations_by_id(kitchen.narrations), kitchen.tables, kitchen.clips)


def test_the_vocabulary_of_a_new_model_knows_every_word(kitchen):
    setup = build(kitchen)
    own = kitchen.episodes["train"]["narrations"].dropna()
    texts = [*kitchen.narrations["narration"], *(text for rows in own for text in rows)]
    for text in texts:
        assert setup.codec.decode(setup.codec.encode(text)) == text
    assert setup.model.config.text_config.vocab_size == setup.codec.vocab_size


def test_validation_is_about_the_query_whatever_is_trained_on(kitchen):
    data = build(kitchen, loss_on="all").data
    assert (data.train.format.loss_on, data.val.format.loss_on) == ("all", "query")


def test_the_seed_decides_the_initial_weights(kitchen):
    weights = [build(kitchen, seed=seed).model.query_tokens.detach() for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_pretrained_model_brings_its_own_tokenizer_and_preprocessing(kitchen, tmp_path):
    loaded = tiny_model()
    save_model(loaded.model, loaded.codec, loaded.preprocessing, tmp_path / "model")
    model = ModelConfig(
        pretrained=str(tmp_path / "model"), scratch=None, freeze=("vision_model", "language_model")
    )
    setup = build(kitchen, model=model, loss_on="query")
    assert setup.data.preprocessing == loaded.preprocessing
    assert setup.codec.vocab_size == loaded.codec.vocab_size
    assert torch.equal(setup.model.query_tokens, loaded.model.query_tokens)


def test_a_run_is_told_apart_by_parameters_tables_and_clips(tmp_path):
    table, clips = tmp_path / "train.parquet", tmp_path / "clips"
    table.write_bytes(b"1")
    clips.mkdir()
    (clips / "clips-0.arrow").write_bytes(b"1")

    def made(**changes):
        config = tiny_train_config(**changes)
        return resumption(config, Accelerator(), [table], clips, tmp_path / "checkpoints")

    first = made().of
    assert made().of == first
    assert made(learning_rate=1.0).of != first
    (clips / "clips-0.arrow").write_bytes(b"12")
    second = made().of
    assert second != first
    table.write_bytes(b"2")
    assert made().of != second
    table.unlink()
    with pytest.raises(DataError, match=r"train\.parquet"):
        made()
