import math

import pytest

from eilev.training.optim import build_optimizer, learning_rate
from tests.kitchen import tiny_train_config, train_phase
from tests.tiny import tiny_model


def rates(num_steps=10, scale=1.0, **changes):
    config = tiny_train_config(learning_rate=1.0, **changes)
    phase = train_phase(learning_rate_scale=scale)
    return [learning_rate(step, num_steps, config, phase) for step in range(num_steps)]


def test_warm_up_rises_in_a_line_to_the_full_rate():
    assert rates(warmup_steps=4, schedule="constant") == [0.25, 0.5, 0.75] + [1.0] * 7


def test_a_phase_scales_the_rate():
    assert rates(scale=0.5) == pytest.approx([rate / 2 for rate in rates()])


def test_linear_schedule_falls_to_zero_at_the_end():
    expected = [0.5, 1.0, *(1 - i / 8 for i in range(8))]
    assert rates(warmup_steps=2, schedule="linear") == pytest.approx(expected)


def test_cosine_schedule_is_half_way_in_the_middle():
    values = rates(num_steps=12, warmup_steps=2, schedule="cosine")
    assert values[2] == 1.0
    assert values[7] == pytest.approx(0.5)
    assert values[11] == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.9)))


def test_vectors_are_not_decayed_and_frozen_parts_not_updated():
    model = tiny_model(freeze=("vision_model",)).model
    decayed, rest = build_optimizer(model, tiny_train_config(weight_decay=0.1)).param_groups
    assert (decayed["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)
    assert {parameter.ndim for parameter in rest["params"]} == {1}
    updated = {id(p) for group in (decayed, rest) for p in group["params"]}
    expected = {id(p) for n, p in model.named_parameters() if not n.startswith("vision_model")}
    assert updated == expected


def test_a_wholly_frozen_model_is_refused():
    model = tiny_model().model
    model.requires_grad_(requires_grad=False)
    with pytest.raises(ValueError, match=r"train\.model\.freeze"):
        build_optimizer(model, tiny_train_config())
