"""Checkpoints of both families in the published recipe: Q-Former, queries and projection train."""

import pytest
import torch

from eilev.config.train import ModelConfig
from eilev.inputs.turns import Turn
from eilev.model.checkpoint import load_model, save_model
from eilev.model.torch_engine import open_checkpoint
from tests.kitchen import make_kitchen
from tests.tiny import NARRATIONS, PROMPT, tiny_clips
from tests.training.tiny_run import run

FROZEN = ("vision_model", "language_model")


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen()


@pytest.fixture(scope="module", params=["opt", "t5"])
def trained(reference, request, kitchen, tmp_path_factory):
    source = reference / request.param
    model = ModelConfig(pretrained=str(source), scratch=None, freeze=FROZEN)
    folder = tmp_path_factory.mktemp(request.param)
    changes = {"model": model, "loss_on": "query", "learning_rate": 0.01}
    result, _, recorder, setup = run(folder / "run", kitchen, **changes)
    save_model(setup.model, setup.codec, setup.data.preprocessing, folder / "model")
    return source, result, recorder, folder / "model"


def test_training_lowers_the_loss(trained):
    _, result, recorder, _ = trained
    losses = recorder.column("val/loss")
    assert result.steps == 15
    assert losses[-1] < losses[0]


def test_only_what_is_not_frozen_changes(trained):
    source, _, _, folder = trained
    before, after = (load_model(path).model.state_dict() for path in (source, folder))
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {name.split(".")[0] for name in changed} == {
        "query_tokens",
        "qformer",
        "language_projection",
    }


def test_the_trained_checkpoint_narrates_and_scores(trained):
    engine = open_checkpoint(str(trained[3]), "cpu", "float32")
    context = [Turn(PROMPT, NARRATIONS[i % 3]) for i in range(8)]
    requests = [
        ([*context, Turn(PROMPT, None)], tiny_clips(9)),
        ([Turn(PROMPT, None)], tiny_clips(1)),
    ]
    assert all(isinstance(text, str) for text in engine.generate(requests, 6, 3, -1.0))
    assert len(engine.score(*requests[0], NARRATIONS)) == len(NARRATIONS)
