"""Counted cost against real steps of the trainer's model."""

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from eilev.config.train import ModelConfig, TransformerConfig
from eilev.model.build import build_model
from eilev.model.checkpoint import load_weights
from eilev.planning.cost import ATTENTION_FLOPS, Group, PeakMemory, step_cost
from eilev.training.episode_model import EpisodeModel
from tests.tiny import IMAGE_SIZE, NUM_FRAMES, tiny_codec, tiny_config
from tests.tiny_llama import llama_config, tiny_llama_model

REFERENCE = Path(__file__).parents[1] / "reference"
GROUPS = [Group(episodes=3, clips=1, length=40, labels=6), Group(2, 4, 200, 6)]


def real_batch(groups, num_query_tokens, image_size, encoder_decoder):
    """Inputs of EpisodeModel with the clips, lengths and labels of the groups."""
    rows = [group for group in groups for _ in range(group.episodes)]
    longest = max(group.length for group in rows)
    tokens = {
        name: torch.zeros(len(rows), longest, dtype=torch.long)
        for name in ("input_ids", "attention_mask", "video_input_mask")
    }
    tokens["labels"] = torch.full((len(rows), 6 if encoder_decoder else longest), -100)
    for row, group in enumerate(rows):
        tokens["attention_mask"][row, : group.length] = 1
        tokens["video_input_mask"][row, : group.clips * num_query_tokens] = 1
        place = slice(None) if encoder_decoder else slice(group.length - 6, group.length)
        tokens["labels"][row, place] = 3
    num_clips = sum(group.clips for group in rows)
    pixels = torch.zeros(num_clips, 3, NUM_FRAMES, image_size, image_size)
    return {"pixel_values": pixels, "clip_index": torch.arange(num_clips), **tokens}


def real_cost(model, vocab_size, groups, num_query_tokens, image_size):
    """Floating point operations and peak bytes of a real step."""
    module = EpisodeModel(model, torch.ones(vocab_size)).train()
    batch = real_batch(groups, num_query_tokens, image_size, module.encoder_decoder)
    trained = [p for p in model.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    known = [*module.parameters(), *module.buffers(), *(p.grad for p in trained)]
    with (
        FlopCounterMode(display=False, custom_mapping=ATTENTION_FLOPS) as counter,
        PeakMemory(known) as memory,
    ):
        module(**batch)["loss"].backward()
    return counter.get_total_flops(), memory.peak


def part(width, num_layers):
    return TransformerConfig(
        hidden_size=width,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        intermediate_size=4 * width,
    )


def test_the_step_of_a_model_from_scratch_is_counted():
    codec = tiny_codec()
    parts = {"vision": part(128, 2), "qformer": part(128, 2), "text": part(128, 4)}
    config = tiny_config(freeze=("vision_model",), **parts)
    counted = step_cost(config, codec.vocab_size, GROUPS, NUM_FRAMES)
    flops, peak = real_cost(build_model(config, codec), codec.vocab_size, GROUPS, 3, IMAGE_SIZE)
    assert counted.flops == flops
    # Scores and indices of the real step are what is missing.
    assert counted.peak_bytes == pytest.approx(peak, rel=0.03)
    assert 0 < sum(counted.forward_flops.values()) < counted.flops


def test_the_step_of_new_eyes_before_a_llama_is_counted_exactly(tiny_llama):
    config, model = llama_config(tiny_llama), tiny_llama_model(tiny_llama).model
    vocabulary = model.language_model.config.vocab_size
    groups = [Group(2, 3, 40, 6)]
    counted = step_cost(config, 0, groups, NUM_FRAMES)
    assert counted.flops == real_cost(model, vocabulary, groups, 3, IMAGE_SIZE)[0]


@pytest.mark.parametrize("family", ["opt", "t5"])
def test_the_step_of_a_frozen_checkpoint_is_counted_exactly(family):
    folder = REFERENCE / family
    config = ModelConfig(
        pretrained=str(folder), scratch=None, freeze=("vision_model", "language_model")
    )
    model = load_weights(folder)
    model.freeze(config.freeze)
    queries, size = model.config.num_query_tokens, model.config.vision_config.image_size
    groups = [Group(2, 3, 3 * queries + 20, 6)]
    vocabulary = model.language_model.config.vocab_size
    counted = step_cost(config, 0, groups, NUM_FRAMES)
    assert counted.flops == real_cost(model, vocabulary, groups, queries, size)[0]


def test_autocast_halves_activations_but_copies_weights():
    plain, mixed = (
        step_cost(tiny_config(), 50, [Group(64, 1, 40, 6)], NUM_FRAMES, precision)
        for precision in ("no", "bf16")
    )
    assert mixed.flops == plain.flops
    assert 0.4 * plain.peak_bytes < mixed.peak_bytes < 0.95 * plain.peak_bytes


def test_cost_grows_with_the_batch():
    one, two = (step_cost(tiny_config(), 50, [Group(n, 2, 40, 6)], NUM_FRAMES) for n in (1, 2))
    assert two.flops == 2 * one.flops
    assert 1.5 * one.peak_bytes < two.peak_bytes < 2.1 * one.peak_bytes


def test_guidance_needs_the_whole_attention():
    fused, whole = (
        step_cost(tiny_config(), 50, [Group(8, 2, 100, 6)], NUM_FRAMES, guided=guided)
        for guided in (False, True)
    )
    assert whole.peak_bytes > fused.peak_bytes


def test_memory_is_followed_and_released():
    with PeakMemory() as memory:
        first = torch.zeros(1000)
        del first
        second = torch.zeros(500)
        view = second[:10]
    assert (memory.peak, memory.live) == (4000, 2000)
    del second, view
    assert memory.live == 0


def test_naming_alone_costs_what_the_eyes_cost():
    groups = [Group(8, 1, 40, 6)]
    config = tiny_config(freeze=("language_model",))
    told, named = (step_cost(config, 50, groups, NUM_FRAMES, told=told) for told in (True, False))
    assert named.forward_flops["language_model"] == 0
    for eyes in ("vision_model", "qformer"):
        assert named.forward_flops[eyes] == told.forward_flops[eyes] > 0
