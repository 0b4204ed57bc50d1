import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eilev.io import DataError, read_json, write_json
from eilev.training.optim import build_optimizer
from eilev.training.resume import (
    BEST,
    OPTIMIZER,
    STATE,
    WEIGHTS,
    Checkpoint,
    Progress,
    Resumption,
    _listed,
    copy_parameters,
    differences,
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


OF = {"train": {"learning_rate": 0.1, "phases": [{"name": "a"}]}, "files": {"x.py": "0" * 64}}


@pytest.fixture
def resumption(tmp_path):
    return Resumption(tmp_path, OF)


def test_a_checkpoint_comes_back_as_it_was(resumption, capsys):
    saved = checkpoint()
    save_checkpoint(saved, resumption)
    loaded = load_checkpoint(resumption)
    assert loaded.progress == saved.progress
    for name in ("weights", "optimizer", "best"):
        found, expected = getattr(loaded, name), getattr(saved, name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert "resuming" in capsys.readouterr().err


def test_before_the_first_validation_there_is_no_best(resumption):
    save_checkpoint(replace(checkpoint(), progress=Progress(step=1), best={}), resumption)
    loaded = load_checkpoint(resumption)
    assert loaded.progress == Progress(step=1)
    assert loaded.best == {}


def test_only_the_newest_is_kept(resumption):
    for step in (2, 4, 10):
        save_checkpoint(checkpoint(step), resumption)
    assert [path.name for path in resumption.folder.iterdir()] == ["step-00000010"]


def test_the_checkpoint_of_another_run_is_kept_until_told_otherwise(resumption, capsys):
    assert load_checkpoint(resumption) is None
    save_checkpoint(checkpoint(), resumption)
    train = {"learning_rate": 0.2, "phases": [{"name": "b"}]}
    other = replace(resumption, of={"train": train, "files": {"x.py": "1" * 64}})
    differing = "train.learning_rate (0.1, now 0.2), train.phases.0.name (a, now b), files.x.py"
    with pytest.raises(DataError) as raised:
        load_checkpoint(other)
    assert f"step-00000004: an unfinished training, begun with other {differing};" in str(
        raised.value
    )
    assert f"delete {resumption.folder} or set EILEV_DROP_UNFINISHED=1" in str(raised.value)
    assert load_checkpoint(resumption) is not None
    assert load_checkpoint(replace(other, drop_unfinished=True)) is None
    assert f"{differing}; starting afresh" in capsys.readouterr().err


def test_many_differences_are_counted():
    named = _listed(differences({}, {str(number): number for number in range(9)}))
    assert named.endswith("4 (None, now 4) and 4 more")


def damage(path):
    """What a power failure leaves."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", [WEIGHTS, OPTIMIZER, BEST, STATE])
@pytest.mark.parametrize("harm", [damage, Path.unlink, Path.touch])
def test_a_damaged_file_is_named(resumption, name, harm):
    save_checkpoint(checkpoint(), resumption)
    path = resumption.folder / "step-00000004" / name
    if harm is Path.touch:
        path.write_bytes(b"")
    else:
        harm(path)
    with pytest.raises(DataError, match=f"^{path}: damaged or missing.*delete {path.parent} "):
        load_checkpoint(resumption)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": None}, "another version of EILeV .format None, not 2."),
        ({"version": 3}, "another version of EILeV .format 3, not 2."),
        ({"progress": {"pace": 3}}, "damaged: .*pace"),
        ({"progress": 3}, "damaged: "),
    ],
)
def test_a_state_that_cannot_be_used_is_named(resumption, change, message):
    save_checkpoint(checkpoint(), resumption)
    path = resumption.folder / "step-00000004" / STATE
    write_json(read_json(path) | change, path)
    with pytest.raises(DataError, match=f"^{path}: .*{message}.*delete {path.parent} "):
        load_checkpoint(resumption)


# Room for one file of each of two checkpoints.
FULL = """
import resource, sys, torch
from pathlib import Path
from eilev.training.resume import Checkpoint, Progress, Resumption, save_checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
signal = __import__("signal"); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resumption = Resumption(Path(sys.argv[1]), {})
for step, number in ((1, 1_000), (2, 100_000)):
    tensors = {"a": torch.zeros(number)}
    save_checkpoint(Checkpoint(Progress(step=step), tensors, tensors, tensors), resumption)
"""


def test_a_full_disk_leaves_the_checkpoint_of_before(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=False
    )
    target = tmp_path / "step-00000002"
    assert f"{target}: cannot be written: " in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_nothing_is_pickled(resumption, tmp_path):
    save_checkpoint(checkpoint(), resumption)
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
