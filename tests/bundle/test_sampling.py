"""Draws have the probabilities that transformers' have."""

import numpy as np
import pytest
import torch
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from eilev.bundle.sampling import GREEDY, Sampling, choose, draw_probabilities


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=50).astype(np.float32) * 3


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("top_k", [None, 1, 5, 100])
@pytest.mark.parametrize("top_p", [0.05, 0.6, 0.95, 1.0])
def test_probabilities_are_those_of_transformers(logits, temperature, top_k, top_p):
    scores = TemperatureLogitsWarper(temperature)(None, torch.from_numpy(logits)[None])
    if top_k:
        scores = TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(None, scores)
    found = draw_probabilities(logits, Sampling(temperature, top_k, top_p))
    np.testing.assert_allclose(found, scores[0].softmax(-1).numpy(), atol=1e-6)


def test_without_a_temperature_the_likeliest_is_taken(logits):
    assert choose(logits, GREEDY, GREEDY.generator(0)) == logits.argmax()


def test_near_zero_it_is_taken_too(logits):
    found = draw_probabilities(logits, Sampling(5e-324, top_k=3, top_p=0.5))
    assert found[logits.argmax()] == found.sum() == 1


def test_draws_depend_on_seed_and_number(logits):
    def draw(seed, number):
        sampling = Sampling(1.5, seed=seed)
        generator = sampling.generator(number)
        return [choose(logits, sampling, generator) for _ in range(20)]

    assert draw(1, 0) == draw(1, 0)
    assert draw(1, 0) != draw(1, 1)
    assert draw(1, 0) != draw(2, 0)
