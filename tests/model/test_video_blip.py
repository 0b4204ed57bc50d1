import json

import pytest
import torch
from safetensors.torch import load_file

from eilev.inputs.interleave import interleave, pad_layouts
from eilev.inputs.preprocess import preprocess
from eilev.inputs.turns import Turn
from eilev.model.build import build_model
from eilev.model.checkpoint import load_weights
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_config, tiny_model

INPUTS = ("input_ids", "attention_mask", "video_input_mask", "pixel_values")


@pytest.fixture(scope="module", params=["opt", "t5"])
def golden(reference, request):
    folder = reference / request.param
    cases = load_file(folder / "cases.safetensors")
    return request.param, load_weights(folder).eval(), cases


@pytest.mark.parametrize(
    ("golden", "side"),
    [("opt", "right"), ("opt", "left"), ("t5", "right")],
    indirect=["golden"],
)
def test_golden_forward(golden, side):
    family, model, cases = golden
    case = {name: cases[f"forward_{side}.{name}"] for name in (*INPUTS, "labels")}
    with torch.no_grad():
        queries = model.encode_queries(case["pixel_values"])
        output = model(**case)
    logits = cases[f"forward_{side}.logits"]
    if family == "opt":  # what a padding position predicts means nothing
        seen = case["attention_mask"].bool()
        torch.testing.assert_close(output.logits[seen], logits[seen], atol=1e-4, rtol=0)
    else:
        torch.testing.assert_close(output.logits, logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(queries, cases[f"forward_{side}.qformer"], atol=1e-4, rtol=0)
    torch.testing.assert_close(output.loss, cases[f"forward_{side}.loss"][0], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("greedy", {"do_sample": False}), ("beam5_lp-1", {"num_beams": 5, "length_penalty": -1.0})],
)
def test_golden_generation(golden, name, arguments):
    _, model, cases = golden
    inputs = {key: cases[f"generate.{key}"] for key in INPUTS}
    tokens = model.generate(**inputs, max_new_tokens=12, **arguments)
    # The reference puts its start token first.
    expected = cases[f"generate.{name}"][:, 1:]
    eos = model.language_model.config.eos_token_id
    assert [until(row, eos) for row in tokens] == [until(row, eos) for row in expected]


@pytest.mark.parametrize("family", ["opt", "t5"])
def test_no_golden_case_is_left_out(reference, family):
    """Each group has its test: layout and text in tests/data, the others in this folder."""
    folder = reference / family
    groups = {name.split(".")[0] for name in load_file(folder / "cases.safetensors")}
    texts = set(json.loads((folder / "cases.json").read_text()))
    decoder_only = {"forward_left", "classify"} if family == "opt" else set()
    assert groups == {"forward_right", "generate", "preprocess"} | decoder_only
    assert texts == {"clean_narration_text", "layout", "generation_text"}
    generated = {name for name in load_file(folder / "cases.safetensors") if "generate." in name}
    assert generated == {f"generate.{name}" for name in (*INPUTS, "greedy", "beam5_lp-1")}


def until(row, eos):
    ids = row.tolist()
    return ids[: ids.index(eos) + 1] if eos in ids else ids


def batch_of(loaded, episodes, side, loss_on="query"):
    layouts = [
        interleave(turns, loaded.codec, 3, encoder_decoder=False, loss_on=loss_on)
        for turns in episodes
    ]
    batch = pad_layouts(layouts, loaded.codec.pad_id, side)
    return {name: torch.from_numpy(value) for name, value in batch.items()}


def pixels_of(loaded, clips):
    return torch.stack([torch.from_numpy(preprocess(c, loaded.preprocessing)) for c in clips])


def test_padding_changes_neither_loss_nor_generation():
    loaded = tiny_model()
    short = [Turn(PROMPT, NARRATIONS[0])]
    long = [Turn(PROMPT, NARRATIONS[1]), Turn(PROMPT, NARRATIONS[2])]
    pixels = pixels_of(loaded, tiny_clips(3))
    losses = [
        loaded.model(**batch_of(loaded, [short, long], side), pixel_values=pixels).loss
        for side in ("left", "right")
    ]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-5, rtol=0)
    queries = [[Turn(PROMPT, None)], [long[0], Turn(PROMPT, None)]]
    batch = batch_of(loaded, queries, "left")
    del batch["labels"]
    together = loaded.model.generate(**batch, pixel_values=pixels, max_new_tokens=5)
    alone = batch_of(loaded, queries[:1], "left")
    del alone["labels"]
    first = loaded.model.generate(**alone, pixel_values=pixels[:1], max_new_tokens=5)
    assert together[0].tolist() == first[0].tolist()


def test_cached_generation_equals_repeated_forward():
    loaded = tiny_model(seed=3)
    turns = [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, None)]
    pixels = pixels_of(loaded, tiny_clips(2))
    batch = batch_of(loaded, [turns], "left")
    del batch["labels"]
    generated = loaded.model.generate(
        **batch, pixel_values=pixels, max_new_tokens=4, min_new_tokens=4
    )
    eos = loaded.codec.eos_id
    for _ in range(4):
        with torch.no_grad():
            logits = loaded.model(**batch, pixel_values=pixels).logits[:, -1]
        logits[:, eos] = -torch.inf
        batch = {
            "input_ids": torch.cat([batch["input_ids"], logits.argmax(-1, keepdim=True)], dim=1),
            "attention_mask": torch.nn.functional.pad(batch["attention_mask"], (0, 1), value=1),
            "video_input_mask": torch.nn.functional.pad(batch["video_input_mask"], (0, 1)),
        }
    assert generated[0].tolist() == batch["input_ids"][0, -4:].tolist()


def test_features_stand_in_for_pixels_and_each_clip_meets_its_text():
    loaded = tiny_model()
    episodes = [
        [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, NARRATIONS[1])],
        [Turn(PROMPT, NARRATIONS[2])],
    ]
    batch = batch_of(loaded, episodes, "right")
    pixels = pixels_of(loaded, tiny_clips(3))
    with torch.no_grad():
        features = loaded.model.encode_videos(pixels)
        expected = loaded.model(**batch, pixel_values=pixels)
        actual = loaded.model(**batch, video_features=features)
        swapped = loaded.model(**batch, video_features=features[[1, 0, 2]])
    assert features.shape == (3, 3, 16)
    torch.testing.assert_close(actual.logits, expected.logits)
    assert not torch.allclose(swapped.logits[0], expected.logits[0], atol=1e-4)
    torch.testing.assert_close(swapped.logits[1], expected.logits[1])


def test_loss_counts_labelled_positions_only():
    loaded = tiny_model()
    pixels = pixels_of(loaded, tiny_clips(2))
    turns = [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, NARRATIONS[1])]
    batch = batch_of(loaded, [turns], "right", loss_on="all")
    output = loaded.model(**batch, pixel_values=pixels)
    log_probs = output.logits[:, :-1].log_softmax(-1)
    labels = batch["labels"][:, 1:]
    kept = labels != -100
    chosen = log_probs.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(output.loss, -chosen[kept].mean())
    batch["labels"][:] = -100
    with pytest.raises(ValueError, match="every label is ignored"):
        loaded.model(**batch, pixel_values=pixels)


def test_text_without_videos_needs_no_pixels():
    loaded = tiny_model()
    batch = batch_of(loaded, [[Turn(PROMPT, NARRATIONS[0], 0)]], "right")
    assert loaded.model(**batch).loss > 0


def test_another_number_of_videos_is_refused():
    loaded = tiny_model()
    batch = batch_of(loaded, [[Turn(PROMPT, NARRATIONS[0])]], "right")
    pixels = pixels_of(loaded, tiny_clips(2))
    with pytest.raises(ValueError, match="1 videos, but 2 are given"):
        loaded.model(**batch, pixel_values=pixels)
    with pytest.raises(ValueError, match="1 videos, but 0 are given"):
        loaded.model(**batch)
    with pytest.raises(ValueError, match="not both"):
        loaded.model(**batch, pixel_values=pixels, video_features=pixels)
    batch["video_input_mask"][0, 1] = 0
    with pytest.raises(ValueError, match="expected multiples of 3"):
        loaded.model(**batch, pixel_values=pixels[:1])


def test_frozen_modules_stay_frozen_and_in_evaluation_mode():
    loaded = tiny_model()
    model = build_model(tiny_config(freeze=("vision_model", "language_model")), loaded.codec)
    model.train()
    assert not model.vision_model.training
    assert not model.language_model.training
    assert model.qformer.training
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"query_tokens", "qformer", "language_projection"}
    batch = batch_of(loaded, [[Turn(PROMPT, NARRATIONS[0])]], "right")
    model(**batch, pixel_values=pixels_of(loaded, tiny_clips(1))).loss.backward()
    assert model.query_tokens.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.vision_model.parameters())
