import io
import shutil
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from PIL import Image

from eilev import paths, schema
from eilev.bundle.manifest import Manifest
from eilev.io import read_json, write_json
from eilev.model.checkpoint import save_model
from eilev.parquet import write_table
from eilev.stages import export
from tests.conftest import ROOT
from tests.tiny import NARRATIONS, NUM_FRAMES, PROMPT, tiny_clips, tiny_model

IDS = [f"clip-{i}" for i in range(len(NARRATIONS))]


@pytest.fixture
def workspace(tmp_path, monkeypatch, tiny_bundle):
    """The files that the stage reads, and the results of an earlier run.

    The session's bundle is that of the same model; exporting it again would take half a minute.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "write_bundle", partial(copy_bundle, tiny_bundle))
    loaded = tiny_model()
    save_model(loaded.model, loaded.codec, loaded.preprocessing, paths.MODEL)
    narrations = pd.DataFrame(
        {
            "narration_id": IDS,
            "video_id": "video",
            "video_path": "video.mp4",
            "timestamp_s": 0.0,
            "narration": NARRATIONS,
        }
    ).assign(verb_class=None, noun_class=None, verb_word=None, noun_word=None)
    write_table(narrations, schema.NARRATIONS, paths.NARRATIONS)
    episodes = pd.DataFrame({"query": IDS[:1], "context": [IDS[1:]], "shots": 2, "epoch": 0})
    episodes = episodes.assign(kind="random", meaning="natural", phase=None, narrations=None)
    write_table(episodes.iloc[:0], schema.EPISODES, paths.EPISODES / "novel.parquet")
    write_table(episodes, schema.EPISODES, paths.EPISODES / "test.parquet")
    cell = {"episodes": 0, "left_out": 1, "reason": "1 x too few clips"}
    by_split = {"random": {"2": cell | {"episodes": 1}}, "bursty": {"0": cell, "2": cell}}
    write_json({"novel": by_split, "test": by_split}, paths.EPISODES_SUMMARY)
    write_clip_shard()
    write_json({"novel": {}}, paths.METRICS)
    paths.BUNDLE.mkdir(parents=True)
    (paths.BUNDLE / "earlier").touch()
    return tmp_path


def copy_bundle(source, loaded, info, folder):
    assert (info.prompt, info.num_frames, info.metrics) == (PROMPT, NUM_FRAMES, {"novel": {}})
    shutil.copytree(source, folder, dirs_exist_ok=True)


def write_clip_shard():
    frames = [[jpeg(frame) for frame in clip] for clip in tiny_clips(len(IDS))]
    paths.CLIPS.mkdir(parents=True)
    with pa.ipc.new_file(str(paths.CLIPS / "clips-00000.arrow"), schema.CLIPS_SHARD) as file:
        file.write_batch(pa.record_batch([IDS, frames], schema=schema.CLIPS_SHARD))
    index = pd.DataFrame({"narration_id": IDS, "row": np.arange(len(IDS), dtype=np.int32)})
    index = index.assign(video_id="video", shard="clips-00000.arrow", num_frames=2)
    index = index.assign(decoder="decord", error=None)
    write_table(index, schema.CLIPS_INDEX, paths.CLIPS / "index.parquet")


def jpeg(frame):
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG")
    return buffer.getvalue()


def write_params(max_logit_difference, int8_difference=6.0):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["clips"]["num_frames"] = NUM_FRAMES
    params["evaluate"] |= {"prompt": PROMPT, "max_new_tokens": 3}
    params["export"]["max_logit_difference"] = max_logit_difference
    # A random model hardly prefers one word to another.
    bounds = {"max_logit_difference": int8_difference, "min_action_agreement": 0.0}
    params["export"]["int8"] = bounds
    (paths.DATA.parent / "params.yaml").write_text(yaml.safe_dump(params))


def test_a_bundle_that_agrees_with_torch_is_released(workspace):
    write_params(1e-3)
    export.main()
    Manifest.load(paths.BUNDLE).verify(paths.BUNDLE)
    metrics = read_json(paths.EXPORT_METRICS)
    assert metrics["episodes"] == metrics["identical_narrations"] == 1
    assert 0 < metrics["max_logit_difference"] < 1e-4
    # Which kinds parity was not tried on, and why.
    reason = "test: 1 x too few clips; novel: 1 x too few clips"
    assert metrics["unavailable"] == {"bursty": {"reason": reason}}
    assert metrics["bundle_bytes"] == sum(p.stat().st_size for p in paths.BUNDLE.iterdir())


def test_further_precisions_are_measured_and_released_with_it(workspace):
    write_params(1e-3)
    export.main()
    manifest = Manifest.load(paths.PRECISIONS / "int8")
    manifest.verify(paths.PRECISIONS / "int8")
    assert manifest.precision == "int8"
    figures = read_json(paths.EXPORT_METRICS)["precisions"]["int8"]
    assert 1e-6 < figures["max_logit_difference"] == manifest.parity.max_logit_difference < 6
    # The narrations of the tests have no verbs and nouns.
    assert figures["action_agreement"] is manifest.parity.action_agreement is None
    assert Manifest.load(paths.BUNDLE).parity.identical_narrations == 1


def test_nothing_is_released_where_one_of_them_is_too_far_away(workspace):
    write_params(1e-3, int8_difference=1e-9)
    with pytest.raises(
        SystemExit, match=r"the int8 bundle differs.*allowed 1e-09.*the earlier bundle is kept"
    ):
        export.main()
    assert [path.name for path in paths.BUNDLE.iterdir()] == ["earlier"]
    assert not paths.PRECISIONS.exists()
    assert not paths.EXPORT_METRICS.exists()


def test_a_bundle_that_differs_from_torch_is_not_released(workspace):
    write_params(1e-12)
    with pytest.raises(SystemExit, match="largest logit difference"):
        export.main()
    assert [path.name for path in paths.BUNDLE.iterdir()] == ["earlier"]
    assert not paths.EXPORT_METRICS.exists()
    assert [path.name for path in paths.BUNDLE.parent.iterdir()] == ["bundle"]


def test_a_missing_model_is_named(workspace):
    write_params(1e-3)
    (paths.MODEL / "config.json").unlink()
    with pytest.raises(SystemExit, match=r"config\.json: no such file"):
        export.main()
