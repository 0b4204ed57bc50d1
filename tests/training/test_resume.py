from dataclasses import replace

import pytest
import torch

from eilev.io import DataError
from eilev.training.optim import build_optimizer
from eilev.training.resume import (
    Checkpoint,
    Progress,
    copy_parameters,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    restore_parameters,
    save_checkpoint,
    trained_names,
)
from tests.kitchen import tiny_train_config
from tests.tiny import tiny_model


def checkpoint(step=4):
    tensors = {"a": torch.arange(3.0)}
    progress = Progress(
        step=step,
        seconds=1.5,
        losses=[0.1, 1 / 3],
        history=[(2, {"train/loss": 0.1})],
        best_step=2,
        best_score=0.5,
        best_loss=1 / 7,
    )
    return Checkpoint(progress, tensors, {"0.step": torch.tensor(4.0)}, {"a": torch.zeros(3)})


def test_a_checkpoint_comes_back_as_it_was(tmp_path, capsys):
    saved = checkpoint()
    save_checkpoint(saved, tmp_path, "print")
    loaded = load_checkpoint(tmp_path, "print")
    assert loaded.progress == saved.progress
    for name in ("weights", "optimizer", "best"):
        found, expected = getattr(loaded, name), getattr(saved, name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert "resuming" in capsys.readouterr().err


def test_before_the_first_validation_there_is_no_best(tmp_path):
    save_checkpoint(replace(checkpoint(), progress=Progress(step=1), best={}), tmp_path, "print")
    loaded = load_checkpoint(tmp_path, "print")
    assert loaded.progress == Progress(step=1)
    assert loaded.best == {}


def test_only_the_newest_is_kept(tmp_path):
    for step in (2, 4, 10):
        save_checkpoint(checkpoint(step), tmp_path, "print")
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000010"]


def test_another_run_starts_afresh_and_says_so(tmp_path, capsys):
    assert load_checkpoint(tmp_path, "print") is None
    save_checkpoint(checkpoint(), tmp_path, "print")
    assert load_checkpoint(tmp_path, "other") is None
    assert "starting afresh" in capsys.readouterr().err


def test_a_broken_checkpoint_is_named(tmp_path):
    save_checkpoint(checkpoint(), tmp_path, "print")
    (tmp_path / "step-00000004" / "weights.safetensors").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="step-00000004"):
        load_checkpoint(tmp_path, "print")


def test_nothing_is_pickled(tmp_path):
    save_checkpoint(checkpoint(), tmp_path, "print")
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes == {".safetensors", ".json"}


def test_model_and_optimizer_go_on_alike():
    """Two equal steps after a detour through the tensors equal two steps in a row."""
    config = tiny_train_config()

    def step(model, optimizer):
        sum(p.square().sum() for p in model.parameters()).backward()
        optimizer.step()
        optimizer.zero_grad()

    straight = tiny_model().model
    optimizer = build_optimizer(straight, config)
    step(straight, optimizer)
    weights = copy_parameters(straight, trained_names(straight))
    state = optimizer_tensors(optimizer)
    step(straight, optimizer)

    resumed = tiny_model(seed=1).model
    restore_parameters(resumed, weights)
    optimizer = build_optimizer(resumed, config)
    restore_optimizer(optimizer, state)
    step(resumed, optimizer)
    found = dict(resumed.named_parameters())
    for name, value in straight.named_parameters():
        assert torch.equal(found[name], value)


def test_frozen_parameters_are_left_to_their_origin():
    model = tiny_model(freeze=("vision_model", "language_model")).model
    names = trained_names(model)
    assert names
    assert not any(name.startswith(("vision_model", "language_model")) for name in names)
