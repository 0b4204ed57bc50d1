import pytest
import torch
from safetensors.torch import load_file

from eilev.inputs.interleave import TooLongError
from eilev.inputs.turns import Turn
from eilev.io import DataError
from eilev.model.batch import make_batch
from eilev.model.checkpoint import load_model, save_model
from eilev.model.torch_engine import TorchEngine, open_checkpoint
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_model

NUM_NEW = 8


def episode(shots, seed=0):
    context = [Turn(PROMPT, NARRATIONS[i % len(NARRATIONS)]) for i in range(shots)]
    return [*context, Turn(PROMPT, None)], tiny_clips(shots + 1, seed)


@pytest.fixture(scope="module", params=["opt", "t5"])
def engine(reference, request):
    folder = reference / request.param
    return open_checkpoint(str(folder), "cpu", "float32")


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_batch_of_8_and_fewer_shots_is_narrated_as_each_alone(engine, num_beams):
    episodes = [episode(shots, shots) for shots in (8, 0, 3)]
    batch = make_batch(engine.loaded, episodes)
    assert batch["attention_mask"].sum(1).unique().numel() == 3
    together = engine.generate(episodes, NUM_NEW, num_beams, -1.0)
    alone = [engine.generate([one], NUM_NEW, num_beams, -1.0)[0] for one in episodes]
    assert together == alone
    assert len(set(together)) > 1


def test_beams_are_those_of_transformers_with_a_newline_as_an_end(engine):
    """Length penalties and beams reach the search: other values, other narrations."""
    episodes = [episode(2, seed) for seed in range(6)]
    greedy = engine.generate(episodes, NUM_NEW)
    beams = engine.generate(episodes, NUM_NEW, 5, -1.0)
    assert beams != greedy
    codec, model = engine.loaded.codec, engine.loaded.model
    decoder_only = model.config.use_decoder_only_language_model
    ends = [codec.eos_id, *(codec.newline_ids if decoder_only else ())]
    batch = make_batch(engine.loaded, episodes)
    del batch["labels"]
    tokens = model.generate(
        **batch, num_beams=5, length_penalty=-1.0, max_new_tokens=NUM_NEW, eos_token_id=ends
    )
    assert beams == [codec.decode(row).strip() for row in tokens.tolist()]


def test_candidates_are_scored_by_what_the_model_would_write(engine):
    """The mean over a narration's tokens is minus the loss of training on it, but for its end."""
    turns, clips = episode(2)
    scores = engine.score(turns, clips, NARRATIONS, chunk_size=2)
    codec = engine.loaded.codec
    for text, score in zip(NARRATIONS, scores, strict=True):
        batch = make_batch(engine.loaded, [([*turns[:-1], Turn(PROMPT, text)], clips)])
        ends = torch.tensor([codec.eos_id, *codec.newline_ids])
        batch["labels"][torch.isin(batch["labels"], ends)] = -100
        with torch.no_grad():
            assert score == pytest.approx(-engine.loaded.model(**batch).loss.item(), abs=1e-4)


def test_wrong_requests_are_refused(engine):
    turns, clips = episode(1)
    with pytest.raises(ValueError, match="has its narration"):
        engine.generate([([Turn(PROMPT, "done")], clips[:1])], NUM_NEW)
    with pytest.raises(ValueError, match="2 videos, but 1 are given"):
        engine.generate([(turns, clips[:1])], NUM_NEW)
    with pytest.raises(ValueError, match="none that is empty"):
        engine.score(turns, clips, ["", NARRATIONS[0]])
    with pytest.raises(ValueError, match="at least one narration"):
        engine.score(turns, clips, [])


def test_what_does_not_fit_the_positions_is_refused():
    engine = TorchEngine(tiny_model(), None)
    turns, clips = episode(1)
    with pytest.raises(TooLongError, match="the model has 256"):
        engine.generate([(turns, clips)], 256)
    with pytest.raises(TooLongError, match="the model has 256"):
        engine.score(turns, clips, [" ".join(NARRATIONS * 30)])


@pytest.mark.parametrize(
    ("device", "dtype", "message"),
    [("cpu", "float8", "must be one of"), ("gpu", "float32", "'gpu' can't be used")],
)
def test_unknown_devices_and_dtypes_are_refused(tmp_path, device, dtype, message):
    with pytest.raises(ValueError, match=message):
        open_checkpoint(str(tmp_path), device, dtype)


def test_half_precision_narrates(reference):
    source = reference / "opt"
    engine = open_checkpoint(str(source), "cpu", "bfloat16")
    assert engine.loaded.model.language_model.dtype == torch.bfloat16
    cases = load_file(source / "cases.safetensors")
    case = {
        name: cases[f"forward_right.{name}"]
        for name in ("input_ids", "attention_mask", "video_input_mask", "pixel_values")
    }
    with torch.no_grad():
        logits = engine.loaded.model(**case).logits.float()
        expected = load_model(source).model(**case).logits
    seen = case["attention_mask"].bool()
    assert (logits - expected)[seen].abs().mean() < 0.02 * expected[seen].std()
    assert engine.generate([episode(2)], NUM_NEW)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(DataError, match=r"tokenizer\.json: no such file"):
        open_checkpoint(str(tmp_path), None, "float32")


def test_a_saved_model_answers_as_before(tmp_path):
    loaded = tiny_model(seed=2)
    save_model(loaded.model, loaded.codec, loaded.preprocessing, tmp_path / "model")
    again = open_checkpoint(str(tmp_path / "model"), "cpu", "float32")
    requests = [episode(2, 1)]
    assert again.generate(requests, NUM_NEW) == TorchEngine(loaded, tmp_path).generate(
        requests, NUM_NEW
    )
