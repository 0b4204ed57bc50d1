"""What is drawn from the training leaves no bound; what is not leaves the bound of its property."""

from pathlib import Path

import pytest

from eilev.config.params import load_params
from eilev.drift.checks import (
    Subject,
    check,
    format_table,
    judge_annotations,
    judge_requests,
    read_log,
    summary_of,
)
from eilev.io import DataError
from eilev.traffic import LOG_FILE
from tests.conftest import ROOT
from tests.drift.conftest import noted
from tests.worlds import make_world

PARAMS = load_params(ROOT / "params.yaml")


def left(subject: Subject, folder: Path) -> set[str]:
    return {one.subject for one in check([subject], folder / "docs") if not one.success}


@pytest.mark.parametrize("seed", range(2))
def test_requests_like_the_training_leave_no_bound(world, episodes, reference, seed, tmp_path):
    rows = episodes.sample(200, random_state=seed)
    subject = judge_requests(noted(world, reference, rows, seed), reference, PARAMS.drift)
    assert subject.number == 200
    assert left(subject, tmp_path) == set()


def test_what_has_changed_is_named(world, episodes, reference, tmp_path):
    rows = episodes.sample(200, random_state=0)
    unlike = {"shots": 77, "confidence": 0.1, "feature_mean": 1e6, "feature_std": None}
    requests = noted(world, reference, rows, 0, **unlike)
    assert left(judge_requests(requests, reference, PARAMS.drift), tmp_path) == {
        "unknown_shots",
        "confidence",
        "feature_mean_distance",
        "feature_std_distance",
    }


def test_other_actions_are_named(world, reference, tmp_path):
    split = world.split[world.split["split"] == "novel"]
    rows = split.sample(200, random_state=0, replace=True).rename(columns={"narration_id": "query"})
    rows["context"] = [[]] * len(rows)
    found = left(
        judge_requests(noted(world, reference, rows, 0), reference, PARAMS.drift), tmp_path
    )
    assert "unknown_actions" in found
    assert "feature_mean_distance" not in found


def test_few_requests_and_those_to_other_bundles_are_not_judged(world, episodes, reference):
    rows = episodes.sample(50, random_state=0)
    others = noted(world, reference, rows, 0, fingerprint="another")
    subject = judge_requests([*others, *noted(world, reference, rows, 0)], reference, PARAMS.drift)
    assert (subject.number, subject.suites) == (50, ())
    assert "50 to other bundles left out" in subject.note
    assert "drift.min_requests" in format_table([subject], [])
    assert summary_of([subject], [])["success"]


def test_annotations_of_the_same_videos_leave_no_bound(world, reference, tmp_path):
    videos = world.narrations["video_id"].drop_duplicates()
    chosen = set(videos.sample(frac=0.7, random_state=0))
    kept = world.narrations[world.narrations["video_id"].isin(chosen)]
    subject = judge_annotations(kept, reference, PARAMS.drift, PARAMS.validate_)
    assert left(subject, tmp_path) == set()


def test_annotations_of_another_kitchen_are_named(reference, tmp_path):
    other = make_world(2000, num_verbs=14, num_nouns=40, seed=1).narrations
    subject = judge_annotations(other, reference, PARAMS.drift, PARAMS.validate_)
    assert {"verb_distance", "noun_distance"} <= left(subject, tmp_path)


def test_broken_annotations_break_the_suite_of_the_pipeline(world, reference, tmp_path):
    broken = world.narrations.assign(timestamp_s=-1.0)
    subject = judge_annotations(broken, reference, PARAMS.drift, PARAMS.validate_)
    assert left(subject, tmp_path) == {"timestamp_s"}


def test_a_log_is_read_from_its_oldest_file(world, episodes, reference, tmp_path):
    rows = episodes.sample(3, random_state=0)
    for number, name in enumerate([f"{LOG_FILE}.10", f"{LOG_FILE}.2", LOG_FILE]):
        (one, *_) = noted(world, reference, rows, 0, time=float(number))
        (tmp_path / name).write_text(one.model_dump_json() + "\n")
    with (tmp_path / LOG_FILE).open("a") as file:
        file.write('{"time": 3.')  # the server was killed
    assert [one.time for one in read_log(tmp_path)] == [0.0, 1.0, 2.0]


def test_a_line_that_is_no_request_is_named(tmp_path):
    with pytest.raises(DataError, match="eilev serve --request-log"):
        read_log(tmp_path)
    (tmp_path / LOG_FILE).write_text('{"time": "now"}\n')
    with pytest.raises(DataError, match=rf"{LOG_FILE}:1: time: "):
        read_log(tmp_path)
