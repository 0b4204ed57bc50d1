"""Models of every family: checkpoints in the published recipe, and new eyes for a frozen Llama."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from eilev.config.train import ModelConfig
from eilev.inputs.turns import Turn
from eilev.model.checkpoint import load_model, save_model
from eilev.model.torch_engine import open_checkpoint
from eilev.training.trainer import TrainResult
from tests.kitchen import make_kitchen, train_phase
from tests.tiny import NARRATIONS, PROMPT, tiny_clips
from tests.tiny_llama import NUM_QUERY_HEADS, llama_config, tiny_llama_model
from tests.training.tiny_run import Recorder, run

FROZEN = ("vision_model", "language_model")


@dataclass(frozen=True)
class Trained:
    family: str
    source: Path
    result: TrainResult
    recorder: Recorder
    folder: Path


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen()


@pytest.fixture(scope="module", params=["opt", "t5", "llama"])
def trained(reference, request, kitchen, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "llama":
        source = request.getfixturevalue("tiny_llama")
        model = llama_config(source)
    else:
        source = reference / request.param
        model = ModelConfig(pretrained=str(source), scratch=None, freeze=FROZEN)
    changes = {"model": model, "loss_on": "query", "learning_rate": 0.01}
    result, _, recorder, setup = run(folder / "run", kitchen, **changes)
    save_model(setup.model, setup.codec, setup.data.preprocessing, folder / "model")
    return Trained(request.param, source, result, recorder, folder / "model")


def test_training_lowers_the_loss(trained):
    losses = trained.recorder.column("val/loss")
    assert trained.result.steps == 15
    assert losses[-1] < losses[0]


def test_only_what_is_not_frozen_changes(trained):
    after = load_model(trained.folder).model.state_dict()
    if trained.family == "llama":
        before = tiny_llama_model(trained.source).model.state_dict()
    else:
        before = load_model(trained.source).model.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    eyes = {"vision_model"} if trained.family == "llama" else set()
    assert {name.split(".")[0] for name in changed} == eyes | {
        "query_tokens",
        "qformer",
        "language_projection",
    }


def test_the_trained_checkpoint_narrates_and_scores(trained):
    engine = open_checkpoint(str(trained.folder), "cpu", "float32")
    context = [Turn(PROMPT, NARRATIONS[i % 3]) for i in range(8)]
    requests = [
        ([*context, Turn(PROMPT, None)], tiny_clips(9)),
        ([Turn(PROMPT, None)], tiny_clips(1)),
    ]
    assert all(isinstance(text, str) for text in engine.generate(requests, 6, 3, -1.0))
    assert len(engine.score(*requests[0], NARRATIONS)) == len(NARRATIONS)


def test_guidance_tells_heads_of_queries_where_to_look(tiny_llama, kitchen, tmp_path):
    model, phases = llama_config(tiny_llama), (train_phase(guidance=1.0),)
    result, _, recorder, setup = run(tmp_path, kitchen, model=model, phases=phases, loss_on="query")
    assert result.steps == 15
    assert recorder.column("train/loss")
    language_model = setup.model.language_model
    language_model.set_attn_implementation("eager")
    (first, *_) = language_model(torch.arange(6)[None], output_attentions=True).attentions
    assert first.shape == (1, NUM_QUERY_HEADS, 6, 6)


def test_eyes_are_named_before_a_llama_that_is_not_run(tiny_llama, tmp_path):
    """It scores contexts at the phase's end alone, and is none the worse for it."""
    silent = train_phase(name="naming", language=0.0, naming=1.0)
    changes = {"model": llama_config(tiny_llama), "content_weight": 3.0, "validate_every": 2}
    kitchen = make_kitchen(phases=("naming", "contexts"))
    phases = (silent, train_phase())
    result, _, recorder, _ = run(tmp_path, kitchen, phases=phases, **changes)
    assert result.phase_steps == {"naming": 15, "contexts": 15}
    scored = [step for step, values in recorder.rows if "val/loss" in values]
    assert scored == [15, 16, 18, 20, 22, 24, 26, 28, 30]
    early, late, *_ = recorder.column("train/loss")
    assert early > late
