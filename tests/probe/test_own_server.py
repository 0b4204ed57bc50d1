"""Our own server says over HTTP what `evaluate` generates, query for query."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks.running import Server, serve
from eilev import schema
from eilev.bundle.answers import Writing
from eilev.bundle.manifest import MANIFEST_FILE
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.cli import main
from eilev.clips.cache import ClipCache
from eilev.clips.limits import Limits
from eilev.clips.store import ClipStore
from eilev.config.conditions import ASKED_FOR
from eilev.config.evaluate import BaselinesConfig, EvaluateConfig, TextMetricsConfig
from eilev.evaluation.baselines import majority_baseline
from eilev.evaluation.curves import Evaluation, Questions, evaluate
from eilev.inputs.turns import Turn
from eilev.io import read_json, write_json
from eilev.model.checkpoint import LoadedModel
from eilev.parquet import read_table
from eilev.probe.chats import ChatFormat, Pictures
from eilev.probe.scoring import PREDICTIONS
from eilev.serving.media import load_clip
from tests.tiny import IMAGE_SIZE, NUM_FRAMES, PROMPT
from tests.tiny_llama import tiny_llama_model

MAX_TOKENS = 8
KEY = ["split", "condition", "shots", "query"]


@pytest.fixture(scope="module")
def loaded(tiny_llama) -> LoadedModel:
    """What it says depends on all that it sees."""
    return tiny_llama_model(tiny_llama)


@pytest.fixture(scope="module")
def evaluation(loaded, kitchen, data) -> Evaluation:
    config = EvaluateConfig(
        seed=0,
        splits=("test", "novel"),
        conditions=tuple(ASKED_FOR),
        prompt=PROMPT,
        max_new_tokens=MAX_TOKENS,
        batch_size=16,
        text_metrics=TextMetricsConfig(bi_encoder=None, cross_encoder=None, bert_score=None),
        baselines=BaselinesConfig(no_context_model=None, classifier_clips=None),
    )
    episodes = {
        split: read_table(data / "episodes" / f"{split}.parquet", schema.EPISODES)
        for split in config.splits
    }
    store = ClipStore(data / "clips")
    frames = ClipCache(store, store.ids, show_progress=False)
    device = torch.device("cpu")
    summary = kitchen.summary
    return evaluate(
        loaded, Questions(episodes, kitchen.narrations, frames, config, device, summary)
    )


@pytest.fixture(scope="module")
def bundle(llama_bundle, tmp_path_factory) -> Path:
    """The same model, to be given frames of the size of those that are stored."""
    folder = tmp_path_factory.mktemp("probed-model") / "bundle"
    shutil.copytree(llama_bundle, folder)
    manifest = read_json(folder / MANIFEST_FILE)
    write_json(manifest | {"frame_size": IMAGE_SIZE}, folder / MANIFEST_FILE)
    return folder


@pytest.fixture(scope="module")
def server(bundle):
    with serve(bundle) as server:
        yield server


def probe(server: Server, data: Path, out: Path, *options: str) -> pd.DataFrame:
    arguments = ["--url", server.url, "--model", "eilev", "--episodes", str(data / "episodes")]
    tokens = ["--max-tokens", str(MAX_TOKENS), "--out", str(out)]
    main(["probe", *arguments, *tokens, *options])
    return read_table(out / "predictions.parquet", PREDICTIONS)


@pytest.fixture(scope="module")
def probed(server, data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("probe")
    probe(server, data, out, "--field", "logprobs=true")
    return out


def test_the_narrations_are_those_of_evaluate(probed, evaluation):
    probed_rows = read_table(probed / "predictions.parquet", PREDICTIONS)
    both = probed_rows.merge(evaluation.predictions, on=KEY, suffixes=("", "_evaluated"))
    assert len(both) == len(probed_rows) == len(evaluation.predictions)
    # Nothing at all can't be sent: blank videos are black ones here (the next test).
    both = both[both["condition"] != "no_video"]
    # Else it would not matter what is sent.
    assert both["generated"].nunique() > 20
    for name in ("generated", "narration", "verb_correct", "noun_correct", "scored"):
        assert both[name].tolist() == both[f"{name}_evaluated"].tolist(), name
    assert [*map(list, both["context"])] == [*map(list, both["context_evaluated"])]
    assert both["confidence"].tolist() == pytest.approx(both["confidence_evaluated"], rel=1e-3)


def test_the_figures_are_those_of_evaluate(probed, evaluation):
    metrics = json.loads((probed / "metrics.json").read_text())
    expected = evaluation.metrics | {"probes": evaluation.probes}
    for split in ("test", "novel"):
        assert metrics[split].keys() == expected[split].keys()
        for condition in set(expected[split]) - {"no_video"}:
            entry, other = metrics[split][condition], expected[split][condition]
            assert entry["unavailable"] == other["unavailable"]
            assert entry["shots"].keys() == other["shots"].keys()
            for shots, scores in other["shots"].items():
                assert entry["shots"][shots] == pytest.approx(scores, rel=1e-3, abs=1e-9)
        probes, others = metrics["probes"][split], expected["probes"][split]
        assert probes["binding_gap"] == others["binding_gap"]
        assert probes["majority"] == others["majority"]
    assert metrics["baselines"]["majority_word"] == majority_baseline(evaluation.predictions)


def test_blank_videos_are_black_ones(probed, bundle, data):
    rows = read_table(probed / "predictions.parquet", PREDICTIONS)
    row = rows[(rows["condition"] == "no_video") & (rows["shots"] == 2)].iloc[0]
    url = Pictures(data / "clips", ChatFormat()).parts(None)[0]["video_url"]["url"]
    clip = load_clip(url, NUM_FRAMES, IMAGE_SIZE, Limits())
    assert not clip.any()
    turns = [*(Turn(PROMPT, text) for text in row["texts"]), Turn(PROMPT, None)]
    engine = OnnxEngine.load(bundle, num_threads=1)
    (expected,) = engine.complete([(turns, [clip] * 3)], Writing(MAX_TOKENS))
    assert row["generated"] == expected.text


def test_the_server_decodes_the_frames_that_are_stored(data):
    pictures = Pictures(data / "clips", ChatFormat())
    for clip in pictures.clips.ids[:5]:
        url = pictures.parts(clip)[0]["video_url"]["url"]
        frames = load_clip(url, NUM_FRAMES, IMAGE_SIZE, Limits())
        assert (frames == pictures.clips[clip]).all()


def test_the_layout_makes_no_difference_to_it(server, data, probed, tmp_path):
    options = ("--layout", "interleaved", "--splits", "novel", "--conditions", "bursty")
    rows = probe(server, data, tmp_path, *options)
    before = read_table(probed / "predictions.parquet", PREDICTIONS)
    both = rows.merge(before, on=KEY, suffixes=("", "_before"))
    assert len(both) == len(rows)
    assert both["generated"].tolist() == both["generated_before"].tolist()
    # Nobody asked how sure it is.
    assert rows["confidence"].isna().all()
    scores = json.loads((tmp_path / "metrics.json").read_text())["novel"]["bursty"]["shots"]["2"]
    assert scores["confidence"] is None
    assert scores["calibration_error"] is None


def test_a_model_that_does_not_exist(server, data, tmp_path):
    arguments = ["--url", server.url, "--model", "gpt-5", "--episodes", str(data / "episodes")]
    with pytest.raises(SystemExit, match=r"404: model 'gpt-5' does not exist.*may be eilev"):
        main(["probe", *arguments, "--out", str(tmp_path)])
