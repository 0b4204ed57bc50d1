import json
import math
import os
import signal
import time
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from eilev.config.section import ParamsError
from eilev.training.collator import InterleavedCollator
from eilev.training.episode_model import EpisodeModel
from eilev.training.run import TrainingError
from eilev.training.validation import validate
from tests.kitchen import make_kitchen, train_phase
from tests.training.tiny_run import curriculum, run, start, start_apart


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen()


@pytest.fixture(scope="module")
def first_run(kitchen, tmp_path_factory):
    return run(tmp_path_factory.mktemp("first"), kitchen)


def test_a_few_steps_lower_the_loss(first_run):
    result, weights, recorder, _ = first_run
    val_losses = recorder.column("val/loss")
    vocabulary = len(weights["language_model.model.decoder.embed_tokens.weight"])
    assert result.steps == 15
    # Words at random: the logarithm of the vocabulary's size.
    assert val_losses[-1] < val_losses[0] < math.log(vocabulary)
    assert result.train_loss < math.log(vocabulary) - 0.5


def test_the_record_has_its_rows_at_their_steps(first_run):
    recorder = first_run[2]
    steps = {
        name: [s for s, v in recorder.rows if name in v] for name in ("train/loss", "val/loss")
    }
    assert steps == {"train/loss": [10, 15], "val/loss": [5, 10, 15]}


def test_the_same_parameters_give_the_same_weights_and_scores(first_run, kitchen, tmp_path):
    result, weights, recorder, _ = run(tmp_path, kitchen)
    assert all(torch.equal(value, first_run[1][name]) for name, value in weights.items())
    for name in ("train/loss", "val/loss", "val/exact"):
        assert recorder.column(name) == first_run[2].column(name)
    assert run(tmp_path / "seed", kitchen, seed=1)[0].val_loss != result.val_loss


def test_worker_processes_change_nothing(first_run, tmp_path):
    assert end_of(start_apart(tmp_path, num_workers=1)) == 0
    weights = load_file(tmp_path / "end")
    assert weights.keys() == first_run[1].keys()
    assert all(torch.equal(value, first_run[1][name]) for name, value in weights.items())


@pytest.mark.parametrize("select_by", ["icl", "loss"])
def test_the_model_that_is_left_is_the_best_one(kitchen, tmp_path, select_by):
    # A rate that overshoots: the last model is not the best.
    changes = {"select_by": select_by, "learning_rate": 1.0, "schedule": "constant"}
    result, _, recorder, setup = run(tmp_path, kitchen, validate_every=1, **changes)
    losses, exact = recorder.column("val/loss"), recorder.column("val/exact")
    ranks = list(zip(exact, [-x for x in losses], strict=True))
    best = losses.index(min(losses)) if select_by == "loss" else ranks.index(max(ranks))
    assert result.best_step == best + 1 < result.steps
    assert (result.val_loss, result.val_score) == (losses[best], exact[best])
    assert rescore(setup).loss == pytest.approx(losses[best], abs=1e-5)


def rescore(setup):
    data = setup.data
    collator = InterleavedCollator(data.frames, setup.codec.pad_id)
    batches = DataLoader(data.val, batch_size=8, collate_fn=collator)
    model = EpisodeModel(setup.model, data.token_weights)
    return validate(model, batches, data.preprocessing, Accelerator())


@pytest.mark.parametrize("guidance", [0.0, 1.0])
def test_a_step_in_pieces_has_the_losses_of_the_whole(kitchen, tmp_path, guidance):
    """Augmentation and all; pieces of different length and weight."""
    changes = {"content_weight": 3.0, "phases": (train_phase(guidance=guidance),)}
    whole = run(tmp_path / "one", kitchen, **changes)[2]
    pieces = run(tmp_path / "four", kitchen, accumulation_steps=4, **changes)[2]
    for name in ("train/loss", "val/loss"):
        assert pieces.column(name) == pytest.approx(whole.column(name), abs=1e-4)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """An unbroken run of two processes: its weights, and the main one's record."""
    folder = tmp_path_factory.mktemp("two")
    assert end_of(start(folder / "checkpoints", processes=2)) == 0
    record = json.loads((folder / "record.json").read_text())
    assert record["processes"] == 2
    return load_file(folder / "end"), record["rows"]


def test_two_processes_have_the_losses_of_one(two_processes, tmp_path):
    _, rows = two_processes
    kitchen, changes = curriculum()
    recorder = run(tmp_path, kitchen, **changes)[2]
    assert [step for step, _ in rows] == [step for step, _ in recorder.rows]
    for name in ("train/loss", "val/loss", "val/exact"):
        column = [values[name] for _, values in rows if name in values]
        assert column == pytest.approx(recorder.column(name), abs=1e-4)


def test_two_killed_processes_end_as_if_they_had_never_stopped(two_processes, tmp_path):
    checkpoints = tmp_path / "checkpoints"
    assert stop_after(4, signal.SIGTERM, checkpoints, processes=2) != 0
    (stopped,) = checkpoints.glob("step-*")
    assert 4 <= int(stopped.name[5:]) < two_processes[1][-1][0]
    assert end_of(start(checkpoints, processes=2)) == 0
    for name, value in load_file(tmp_path / "end").items():
        assert torch.equal(value, two_processes[0][name])


def test_a_step_that_cannot_be_shared_evenly_is_refused(kitchen, tmp_path):
    with pytest.raises(ParamsError, match=r"8 episodes .* x 3 .*: choose a multiple of 3"):
        run(tmp_path, kitchen, accumulation_steps=3)


def test_phases_follow_each_other(tmp_path):
    """Each has its own schedule; the second leaves the eyes as the first left them."""
    kitchen, changes = curriculum()
    result, weights, recorder, _ = run(tmp_path / "both", kitchen, **changes)
    assert result.phase_steps == {
        "clips": 15,
        "contexts": 15,
    }
    rows = [(s, v["train/phase"]) for s, v in recorder.rows if "train/phase" in v]
    assert rows == [(10, 0), (15, 0), (20, 1), (30, 1)]
    assert result.best_step > 15
    # Not frozen in every phase: all of them are told to be trained.
    assert {name.split(".")[0] for name in weights} >= {"vision_model", "qformer"}
    rates = recorder.column("train/learning_rate")
    assert rates[0] > rates[1] < rates[2] > rates[3]
    first, second = changes["phases"]
    slower = {"phases": (first, second.model_copy(update={"learning_rate_scale": 0.25}))}
    other = run(tmp_path / "slower", kitchen, **slower)[1]
    same = {name for name, value in weights.items() if torch.equal(value, other[name])}
    assert same == {name for name in weights if name.startswith("vision_model")}


def test_episodes_and_parameters_must_have_the_same_phases(tmp_path):
    kitchen, changes = curriculum()
    with pytest.raises(
        ValueError, match=r"phase \'clips\', which train\.phases in params\.yaml lacks"
    ):
        run(tmp_path, kitchen, phases=changes["phases"][1:])
    with pytest.raises(ValueError, match="episodes of the phase 'clips' are empty"):
        run(tmp_path, make_kitchen(), **changes)


def test_a_loss_that_is_not_finite_stops_the_run(kitchen, tmp_path):
    with pytest.raises(TrainingError, match=r"loss of step \d+ is nan.*learning_rate"):
        run(tmp_path, kitchen, learning_rate=1e30, warmup_steps=0)


def test_a_checkpoint_has_finite_weights_only(kitchen, tmp_path):
    """The loss of the first step is finite, the weights that it leads to are not."""
    with pytest.raises(TrainingError, match=r"of step \d is .*delete .*which leads to the same"):
        run(tmp_path, kitchen, learning_rate=1e39, warmup_steps=0, checkpoint_every=1)
    assert not list(tmp_path.glob("step-*"))


def test_empty_episodes_are_refused(kitchen, tmp_path):
    episodes = kitchen.episodes | {"val": kitchen.episodes["val"].iloc[:0]}
    with pytest.raises(ValueError, match="val episodes are empty"):
        run(tmp_path, replace(kitchen, episodes=episodes))


@pytest.fixture
def one_thread():
    """As the processes that are started have: sums of several threads are rounded otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_killed_run_ends_as_if_it_had_never_stopped(tmp_path):
    """SIGTERM in the middle, resume, SIGINT, resume, SIGKILL in the second phase, resume: the
    weights of an unbroken run."""
    checkpoints = tmp_path / "checkpoints"
    assert stop_after(4, signal.SIGTERM, checkpoints) == 128 + signal.SIGTERM
    assert list(checkpoints.glob("step-*"))
    assert stop_after(8, signal.SIGINT, checkpoints) == 128 + signal.SIGINT
    assert stop_after(16, signal.SIGKILL, checkpoints) == -signal.SIGKILL
    resumed_at = max(int(path.name[5:]) for path in checkpoints.glob("step-*"))
    kitchen, changes = curriculum()
    result, weights, recorder, _ = run(checkpoints, kitchen, **changes)
    unbroken, expected, record, _ = run(tmp_path / "other", kitchen, **changes)
    first = unbroken.phase_steps["clips"]
    assert 4 < first <= 16 <= resumed_at < result.steps
    for name, value in expected.items():
        assert torch.equal(weights[name], value), name
    assert result.best_step == unbroken.best_step
    for name in ("train/loss", "val/loss", "val/exact"):
        assert recorder.column(name) == pytest.approx(record.column(name), abs=1e-5)


def end_of(process):
    """Its exit status, once it has ended."""
    process.join(timeout=300)
    return process.exitcode


def stop_after(step, sign, checkpoints, processes=1):
    """Start a run, signal it once it has reached a step's checkpoint; returns its exit status."""
    process = start(checkpoints, processes)
    while process.is_alive():
        if any(int(path.name[5:]) >= step for path in checkpoints.glob("step-*")):
            os.kill(process.pid, sign)
            break
        time.sleep(0.01)
    return end_of(process)
