import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from eilev.bundle.answers import Writing
from eilev.bundle.manifest import BundleError
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.export.parity import torch_runner
from eilev.inputs.interleave import TooLongError
from eilev.inputs.turns import Turn
from eilev.model.checkpoint import load_model
from eilev.model.torch_engine import TorchEngine
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_model
from tests.tiny_llama import tiny_llama_model

NUM_NEW = 6


def request(shots, seed=0):
    """An episode of `shots` context clips, whose query is to be narrated."""
    context = [Turn(PROMPT, NARRATIONS[i % len(NARRATIONS)]) for i in range(shots)]
    return [*context, Turn(PROMPT, None)], tiny_clips(shots + 1, seed)


@pytest.fixture(scope="module", params=["opt", "t5", "llama"])
def pair(request):
    """The same model in torch and as a bundle, of every family."""
    if request.param == "opt":
        return tiny_model(), request.getfixturevalue("engine")
    if request.param == "llama":
        loaded = tiny_llama_model(request.getfixturevalue("tiny_llama"))
        return loaded, OnnxEngine.load(request.getfixturevalue("llama_bundle"), num_threads=1)
    reference = request.getfixturevalue("reference")
    loaded = load_model(reference / "t5")
    loaded.model.eval()
    return loaded, OnnxEngine.load(request.getfixturevalue("t5_bundle"), num_threads=1)


def test_narrations_are_those_of_torch_whatever_the_batch(pair):
    loaded, engine = pair
    requests = [request(shots, seed) for seed, shots in enumerate([0, 3, 1])]
    expected = torch_runner(loaded, NUM_NEW).narrate(requests)
    assert any(expected)
    assert engine.generate(requests, NUM_NEW) == expected
    assert [engine.narrate(*one, NUM_NEW) for one in requests] == expected


@pytest.mark.parametrize("narration", [None, NARRATIONS[0]])
def test_logits_are_those_of_torch(pair, narration):
    loaded, engine = pair
    turns, clips = request(shots=2)
    turns[-1] = Turn(PROMPT, narration)
    if narration is None and engine.manifest.family == "encoder_decoder":
        assert engine.prefill_logits(turns, clips).shape == (1, engine.manifest.vocab_size)
        return
    expected = torch_runner(loaded, NUM_NEW).logits(turns, clips)
    np.testing.assert_allclose(engine.prefill_logits(turns, clips), expected, atol=1e-4)


@pytest.mark.parametrize("chunk_size", [1, 2, 64])
def test_scores_are_those_of_torch(pair, chunk_size):
    loaded, engine = pair
    turns, clips = request(shots=3)
    candidates = [*NARRATIONS, "onion", "The camera wearer cuts"]
    expected = TorchEngine(loaded, None).score(turns, clips, candidates)
    found = engine.score(turns, clips, candidates, chunk_size)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(set(found)) == len(candidates)


def test_scoring_an_empty_candidate_or_beyond_the_positions_is_refused(engine):
    turns, clips = request(shots=1)
    with pytest.raises(ValueError, match="none that is empty"):
        engine.score(turns, clips, ["onion", ""])
    with pytest.raises(TooLongError, match="the model has 256"):
        engine.score(turns, clips, [" ".join(NARRATIONS * 30)])


@pytest.mark.parametrize(
    ("num_beams", "length_penalty", "max_new_tokens"),
    [(2, 1.0, NUM_NEW), (4, 1.0, 16), (3, -1.0, 16), (3, 2.0, 1), (5, 0.0, 9)],
)
def test_beams_are_those_of_torch(pair, num_beams, length_penalty, max_new_tokens):
    loaded, engine = pair
    requests = [request(shots, seed) for seed, shots in enumerate([2, 0])]
    options = (max_new_tokens, num_beams, length_penalty)
    assert engine.generate(requests, *options) == TorchEngine(loaded, None).generate(
        requests, *options
    )


def test_counts_and_the_reason_of_the_end(engine):
    turns, clips = request(shots=1)
    (short,) = engine.complete([(turns, clips)], Writing(1))
    assert short.num_new_tokens == 1
    assert short.num_prompt_tokens == len(engine.layout(turns).input_ids)
    completions = engine.complete([request(1, seed) for seed in range(8)], Writing(40))
    for completion in completions:
        assert completion.stopped == (completion.num_new_tokens < 40)


def test_turns_may_have_any_number_of_videos(engine):
    turns = [Turn(PROMPT, NARRATIONS[0], num_videos=2), Turn(PROMPT, None, num_videos=0)]
    assert isinstance(engine.narrate(turns, tiny_clips(2), NUM_NEW), str)


def test_threads_share_an_engine(engine):
    requests = [request(shots, shots) for shots in (0, 1, 2, 3)] * 4
    expected = [engine.narrate(*one, NUM_NEW) for one in requests]
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda one: engine.narrate(*one, NUM_NEW), requests)
    assert list(found) == expected


def test_wrong_requests_are_refused(engine):
    turns, clips = request(shots=1)
    with pytest.raises(ValueError, match="1 clips were given for 2 videos"):
        engine.narrate(turns, clips[:1], NUM_NEW)
    with pytest.raises(ValueError, match="has 1 frames, the model takes 2"):
        engine.narrate(turns, [clip[:1] for clip in clips], NUM_NEW)
    with pytest.raises(ValueError, match="has its narration"):
        engine.narrate([Turn(PROMPT, "done")], clips[:1], NUM_NEW)
    with pytest.raises(TooLongError, match="the model has 256"):
        engine.narrate(turns, clips, max_new_tokens=256)


@pytest.mark.parametrize("name", ["decoder.onnx", "tokenizer.json", "manifest.json"])
def test_a_missing_file_is_named(tiny_bundle, tmp_path, name):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        OnnxEngine.load(folder)


def test_a_graph_that_is_none_is_named(tiny_bundle, tmp_path):
    from eilev.bundle.manifest import Manifest
    from eilev.io import sha256

    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (folder / "vision.onnx").write_bytes(b"nonsense")
    manifest = Manifest.load(folder)
    files = manifest.files | {"vision.onnx": sha256(folder / "vision.onnx")}
    manifest.model_copy(update={"files": files}).write(folder)
    with pytest.raises(BundleError, match=r"vision\.onnx: onnxruntime can't load it"):
        OnnxEngine.load(folder)
