import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load_file

from eilev.bundle.manifest import DECODER
from eilev.export.onnx import cache_shape, eager_attention, export_graph, graphs
from eilev.inputs.preprocess import preprocess
from eilev.model.checkpoint import load_weights
from tests.export.sessions import Sessions, next_cache
from tests.tiny import NUM_FRAMES, tiny_clips, tiny_model

NUM_NEW = 12


@pytest.fixture(scope="module", params=["opt", "t5"])
def golden(reference, request, tmp_path_factory):
    """The reference's language model exported; OPT's other graphs are those of the tiny bundle."""
    source = reference / request.param
    model = load_weights(source).eval()
    if request.param == "t5":
        folder = request.getfixturevalue("t5_bundle")
    else:
        folder = tmp_path_factory.mktemp("opt")
        with eager_attention(model):
            export_graph(graphs(model, NUM_FRAMES)[DECODER], 18, folder / DECODER)
    return request.param, model, Sessions(folder), load_file(source / "cases.safetensors")


def case_of(cases, name):
    start = f"{name}."
    return {key.removeprefix(start): cases[key] for key in cases if key.startswith(start)}


@torch.no_grad()
def embeds_of(model, case):
    names = ("input_ids", "video_input_mask", "pixel_values")
    return model.splice(*(torch.from_numpy(case[name]) for name in names)).numpy()


def test_golden_logits(golden):
    family, model, sessions, cases = golden
    for side in ("right", "left") if family == "opt" else ("right",):
        case = case_of(cases, f"forward_{side}")
        mask, embeds = case["attention_mask"], embeds_of(model, case)
        cache = sessions.empty_cache(len(embeds))
        if family == "opt":
            outputs = sessions.decode(embeds, mask, cache)
            seen = mask.astype(bool)
        else:
            targets = np.where(case["labels"] < 0, 0, case["labels"])
            ids = np.pad(targets[:, :-1], ((0, 0), (1, 0)))  # T5 starts with id 0
            cross = sessions.run("encoder", inputs_embeds=embeds, attention_mask=mask)
            outputs = sessions.decode_across(ids, mask, cache, cross)
            seen = np.ones(ids.shape, dtype=bool)
        assert np.isfinite(outputs["logits"]).all()
        assert np.abs(outputs["logits"] - case["logits"])[seen].max() < 1e-4


def test_golden_greedy_generation(golden):
    family, model, sessions, cases = golden
    case = case_of(cases, "generate")
    embeds = embeds_of(model, case)
    if family == "opt":
        table = model.get_input_embeddings().weight.detach().numpy()
        tokens = decode_opt(sessions, embeds, case["attention_mask"], table)
    else:
        tokens = decode_t5(sessions, embeds, case["attention_mask"])
    np.testing.assert_array_equal(tokens, case["greedy"][:, 1:])


def decode_opt(sessions, embeds, mask, table):
    cache, tokens = sessions.empty_cache(len(embeds)), []
    for _ in range(NUM_NEW):
        outputs = sessions.decode(embeds, mask, cache)
        tokens.append(outputs["logits"][:, -1:].argmax(-1))
        cache = next_cache(outputs)
        embeds = table[tokens[-1]]
        mask = np.pad(mask, ((0, 0), (0, 1)), constant_values=1)
    return np.concatenate(tokens, axis=1)


def decode_t5(sessions, embeds, mask):
    cross = sessions.run("encoder", inputs_embeds=embeds, attention_mask=mask)
    cache, tokens = sessions.empty_cache(len(embeds)), [np.zeros((len(embeds), 1), np.int64)]
    for _ in range(NUM_NEW):
        outputs = sessions.decode_across(tokens[-1], mask, cache, cross)
        tokens.append(outputs["logits"][:, -1:].argmax(-1))
        cache = next_cache(outputs)
    return np.concatenate(tokens[1:], axis=1)


@pytest.mark.parametrize("num_videos", [1, 4])
def test_vision_graph_takes_any_number_of_videos(tiny_bundle, num_videos):
    loaded = tiny_model()
    pixels = np.stack([preprocess(c, loaded.preprocessing) for c in tiny_clips(num_videos)])
    actual = Sessions(tiny_bundle).run("vision", pixel_values=pixels)["video_features"]
    with torch.no_grad():
        expected = loaded.model.encode_videos(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_one_token_at_a_time_equals_all_at_once(tiny_bundle):
    sessions = Sessions(tiny_bundle)
    ids = np.array([[1, 5, 6, 7, 8]])
    embeds = sessions.run("embed", input_ids=ids)["inputs_embeds"]
    table = tiny_model().model.get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(embeds, table[ids])
    mask = np.ones_like(ids)
    cache = sessions.empty_cache(1)
    expected = sessions.decode(embeds, mask, cache)
    for i in range(ids.shape[1]):
        outputs = sessions.decode(embeds[:, i : i + 1], mask[:, : i + 1], cache)
        cache = next_cache(outputs)
        np.testing.assert_allclose(outputs["logits"][0, 0], expected["logits"][0, i], atol=1e-5)
    for name, value in next_cache(expected).items():
        np.testing.assert_allclose(cache[name], value, atol=1e-5)


def test_graphs_have_the_opset_and_no_path_of_this_machine(tiny_bundle):
    for path in tiny_bundle.glob("*.onnx"):
        assert onnx.load(path).opset_import[0].version == 18
        assert b"site-packages" not in path.read_bytes()


def test_cache_shape_is_the_decoder_inputs_shape(tiny_bundle):
    shape = cache_shape(tiny_model().model)
    inputs = Sessions(tiny_bundle).sessions["decoder"].get_inputs()
    past = [item for item in inputs if item.name.startswith("past_")]
    assert [item.name for item in past[:2]] == ["past_key_0", "past_value_0"]
    assert len(past) == 2 * shape.num_layers
    assert [past[0].shape[1], past[0].shape[3]] == [shape.num_heads, shape.head_dim]


def test_export_leaves_the_attention_of_the_model_as_it_was():
    model = tiny_model().model
    before = model.qformer.config._attn_implementation
    with eager_attention(model):
        assert model.qformer.config._attn_implementation == "eager"
    assert model.qformer.config._attn_implementation == before != "eager"
