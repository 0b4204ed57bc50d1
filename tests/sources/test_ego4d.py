import json
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eilev import schema
from eilev.config.ingest import IngestConfig
from eilev.io import DataError
from eilev.parquet import read_table, write_table
from eilev.sources.adapters import read_annotations
from eilev.sources.annotations import Annotations


def action(text: str | None = "#C C cuts the onion", **changes: Any) -> dict[str, Any]:
    return {
        "narration_text": text,
        "narration_timestamp_sec": 3.5,
        "structured_verb": "cut_(trim,_slice,_chop)",
        "is_rejected": False,
        "is_valid_action": True,
        "frames": [
            {"frame_type": "pre_frame", "boxes": [box("object_of_change", "knife")]},
            {"frame_type": "pnr_frame", "boxes": [box("left_hand", None), box(noun="onion")]},
        ],
        **changes,
    }


def box(kind: str = "object_of_change", noun: str | None = "onion") -> dict[str, Any]:
    return {"object_type": kind, "structured_noun": noun}


def video(uid: str, actions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"video_uid": uid, "video_metadata": {}, "annotated_intervals": intervals(actions)}


def none_if_null(value: Any) -> Any:
    return None if pd.isna(value) else value


def intervals(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two intervals, so that ids must run on from one to the next."""
    return [{"narrated_actions": actions[:1]}, {"narrated_actions": actions[1:]}]


@pytest.fixture
def config(tmp_path: Path) -> IngestConfig:
    (tmp_path / "videos").mkdir()
    for name in ("v1", "v2"):
        (tmp_path / "videos" / f"{name}.mp4").touch()
    return IngestConfig(
        source="ego4d",
        annotations=str(tmp_path / "fho_main.json"),
        videos=str(tmp_path / "videos"),
        synonyms=None,
        epic_time="segment",
    )


def read(config: IngestConfig, root: Any) -> Annotations:
    Path(config.annotations).write_text(json.dumps(root))
    return read_annotations(config)


def test_a_kept_action(config: IngestConfig) -> None:
    result = read(config, {"videos": [video("v1", [action("#C C slices the onions")])]})
    assert result.narrations.to_dict("records") == [
        {
            "narration_id": "v1_00000",
            "video_id": "v1",
            "video_path": f"{config.videos}/v1.mp4",
            "timestamp_s": 3.5,
            "narration": "The camera wearer slices the onions.",
            "verb_class": "cut_(trim,_slice,_chop)",
            "noun_class": "onion",
            "verb_word": "slice",
            "noun_word": "onion",
        }
    ]
    assert result.rejects.empty


def test_every_other_action_is_kept_with_its_reason(config: IngestConfig) -> None:
    rejected = [
        (action(is_rejected=True), "rejected"),
        (action(is_valid_action=False), "invalid"),
        (action("#O A man cuts"), "not the camera wearer"),
        (action("#Unsure"), "empty narration"),
        (action("#C C #unsure"), "empty narration"),
        (action(None), "empty narration"),
        (action(narration_timestamp_sec=None), "missing timestamp"),
        (action(narration_timestamp_sec=float("nan")), "missing timestamp"),
        (action(uid="a"), "duplicate narration id"),
    ]
    root = {
        "videos": [
            video("v1", [action(uid="a"), *(record for record, _ in rejected)]),
            video("absent", [action()]),
            video("v2", [action("#c  c cuts")]),
        ]
    }
    result = read(config, root)
    assert list(result.narrations["narration_id"]) == ["a", "v2_00000"]
    assert list(result.rejects["reason"]) == [reason for _, reason in rejected] + [
        "video not found"
    ]
    assert list(result.rejects["narration_id"])[:2] == ["v1_00001", "v1_00002"]
    assert result.summary() == {
        "rows": 12,
        "narrations": 2,
        "rejected": 10,
        "rejects": {
            "empty narration": 3,
            "missing timestamp": 2,
            "duplicate narration id": 1,
            "invalid": 1,
            "not the camera wearer": 1,
            "rejected": 1,
            "video not found": 1,
        },
        "reject_examples": {},
        "told_outside_segment": 0,
        "told_over_4_s_outside": 0,
        "kept_outside_segment": 0,
        "videos": 2,
        "missing_videos": 1,
        "missing_video_ids": ["absent"],
        "narrated_hours": 0.0,
        "verb_classes": 1,
        "noun_classes": 1,
        "actions": 1,
        "missing_noun_class": 0,
        "missing_verb_word": 0,
        "missing_noun_word": 1,
    }


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (None, None),
        ([], None),
        ([{"frame_type": "pnr_frame", "boxes": None}], None),
        ([{"frame_type": "pnr_frame", "boxes": [box("left_hand", "x")]}], None),
        ([{"frame_type": "pnr_frame", "boxes": [box(noun=None), box(noun="pan")]}], "pan"),
        ([{"frame_type": "pnr_frame", "boxes": [box(noun="pan"), box(noun="lid")]}], "pan"),
        ([{"frame_type": "pre_frame", "boxes": [box(noun="pan")]}], None),
    ],
)
def test_noun_class(config: IngestConfig, frames: Any, expected: str | None) -> None:
    (row,) = read(
        config, {"videos": [video("v1", [action(frames=frames)])]}
    ).narrations.itertuples()
    assert none_if_null(row.noun_class) == expected


@pytest.mark.parametrize(
    ("text", "verb_class", "verb_word", "noun_word"),
    [
        ("#C C chops an onion", "cut_(trim,_slice,_chop)", "chop", "onion"),
        ("#C C divides an onion", "cut_(trim,_slice,_chop)", "divide", "onion"),
        ("#C C waves", "[other]", "wave", None),
        ("#C C waves", None, "wave", None),
        ("#C C onion", "cut", None, None),
    ],
)
def test_words_used(
    config: IngestConfig, text: str, verb_class: str, verb_word: str, noun_word: str
) -> None:
    root = {"videos": [video("v1", [action(text, structured_verb=verb_class)])]}
    (row,) = read(config, root).narrations.itertuples()
    found = [none_if_null(value) for value in (row.verb_class, row.verb_word, row.noun_word)]
    assert found == [verb_class, verb_word, noun_word]


def test_videos_in_nested_folders_and_behind_links_are_found(
    config: IngestConfig, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere" / "b").mkdir(parents=True)
    (tmp_path / "elsewhere" / "b" / "far.MP4").touch()
    (tmp_path / "videos" / "full_scale").mkdir()
    (tmp_path / "videos" / "full_scale" / "deep.mp4").touch()
    (tmp_path / "videos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "videos")
    root = {"videos": [video(name, [action()]) for name in ("deep", "far")]}
    assert read(config, root).narrations["video_path"].tolist() == [
        f"{config.videos}/full_scale/deep.mp4",
        f"{config.videos}/link/b/far.MP4",
    ]


def test_both_versions_of_the_file_read_alike(config: IngestConfig) -> None:
    def annotated(version: str, **extra: Any) -> dict[str, Any]:
        record = action("#C C peels an onion", **extra)
        interval = {"clip_id": "7", "clip_uid": None, "narrated_actions": [record]}
        redacted = {"clip_id": "8", "clip_uid": "c", "redacted": True, "narrated_actions": []}
        intervals = [interval] if version == "1.0" else [redacted, interval]
        return {
            "version": version,
            "date": "220216",
            "description": "FHO Master Annotation",
            "metadata": "ego4d.json",
            "videos": [{"annotated_intervals": intervals, "video_metadata": {}, "video_uid": "v1"}],
        }

    first = read(config, annotated("1.0", warnings=[], stage=None)).narrations
    uid = "4d5fc8a2-0001"
    second = read(config, annotated("2.0", uid=uid, narration_annotation_uid="n")).narrations
    assert list(second["narration_id"]) == [uid]
    pd.testing.assert_frame_equal(
        first.drop(columns="narration_id"), second.drop(columns="narration_id")
    )


def test_a_number_that_is_not_json_loses_nothing_before_or_after_it(config: IngestConfig) -> None:
    actions = [action(), action(narration_timestamp_sec=float("inf")), action()]
    root = {"videos": [video("v1", [action()]), video("v2", actions), video("v1x", [])]}
    result = read(config, root)
    assert list(result.narrations["narration_id"]) == ["v1_00000", "v2_00000", "v2_00002"]
    assert list(result.rejects["narration_id"]) == ["v2_00001"]


def test_memory_stays_far_below_the_size_of_the_file(config: IngestConfig) -> None:
    # The boxes of hands are most of a real file.
    padded = action(frames=[{"frame_type": "x", "boxes": [box("left_hand", "n" * 500)] * 8}])
    root = {"videos": [video("v1" if i else "v2", [padded] * 40) for i in range(60)]}
    Path(config.annotations).write_text(json.dumps(root))
    tracemalloc.start()
    num_rows = read_annotations(config).num_rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num_rows == 60 * 40
    assert peak < Path(config.annotations).stat().st_size / 3


def test_nulls_survive_the_table(config: IngestConfig, tmp_path: Path) -> None:
    actions = [action(), action(frames=None, structured_verb=None)]
    table = read(config, {"videos": [video("v1", actions)]}).narrations
    write_table(table, schema.NARRATIONS, tmp_path / "table.parquet")
    back = read_table(tmp_path / "table.parquet", schema.NARRATIONS)
    assert list(back["noun_class"].isna()) == [False, True]
    assert list(back["verb_class"].isna()) == [False, True]
    empty = pd.DataFrame([], columns=schema.REJECTS.names)
    write_table(empty, schema.REJECTS, tmp_path / "rejects.parquet")


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in action().items() if name != key}


PLACE = "videos[0].annotated_intervals[1].narrated_actions[0]"


@pytest.mark.parametrize(
    ("root", "culprit"),
    [
        ([], "the top level is list"),
        ({}, "videos is missing"),
        ({"videos": {}}, "videos is dict, expected list"),
        ({"videos": None}, "videos is null, expected list"),
    ],
)
def test_a_file_of_another_kind_is_named(config: IngestConfig, root: Any, culprit: str) -> None:
    with pytest.raises(DataError) as error:
        read(config, root)
    assert f"{config.annotations}: not in the schema of fho_main.json: {culprit}" in str(
        error.value
    )


@pytest.mark.parametrize(
    ("bad", "place", "fault"),
    [
        ("x", PLACE, "is str, expected dict"),
        (None, PLACE, "is null, expected dict"),
        *((without(key), PLACE, f".{key} is missing") for key in action()),
        (
            action(narration_timestamp_sec="3"),
            PLACE,
            ".narration_timestamp_sec is str, expected int or float or null",
        ),
        (action(is_rejected="no"), PLACE, ".is_rejected is str, expected bool or null"),
        (action(frames=[{}]), PLACE, ".frames[0].frame_type is missing"),
        (action(frames=[None]), PLACE, ".frames[0] is null, expected dict"),
    ],
)
def test_a_bad_action_costs_itself(config: IngestConfig, bad: Any, place: str, fault: str) -> None:
    place = place.replace("videos[0]", "videos[1]")
    result = read(
        config, {"videos": [video("v2", [action()]), video("v1", [action(), bad, action()])]}
    )
    assert list(result.narrations["narration_id"]) == ["v2_00000", "v1_00000", "v1_00002"]
    (reject,) = result.rejects.itertuples()
    assert (reject.narration_id, reject.video_id) == ("v1_00001", "v1")
    separator = "" if fault.startswith(".") else " "
    assert reject.reason == f"not in the schema: {place}{separator}{fault}"


def test_half_a_surrogate_pair_costs_its_own_action(config: IngestConfig) -> None:
    text = "#C C takes the \udc00"
    result = read(config, {"videos": [video("v1", [action(), action(narration_text=text)])]})
    assert list(result.narrations["narration_id"]) == ["v1_00000"]
    assert list(result.rejects["narration_id"]) == ["v1_00001"]
    assert result.reject_counts() == {"unreadable text": 1}


@pytest.mark.parametrize(
    ("bad", "video_id", "fault"),
    [
        (None, "", "videos[0] is null, expected dict"),
        ("v1", "", "videos[0] is str, expected dict"),
        ({"annotated_intervals": []}, "", "videos[0].video_uid is missing"),
        ({"video_uid": "v1"}, "v1", "videos[0].annotated_intervals is missing"),
        (
            {"video_uid": "v1", "annotated_intervals": None},
            "v1",
            "videos[0].annotated_intervals is null, expected list",
        ),
        (
            {"video_uid": "v1", "annotated_intervals": [{"narrated_actions": None}]},
            "v1",
            "videos[0].annotated_intervals[0].narrated_actions is null, expected list",
        ),
        (
            {"video_uid": "v1", "annotated_intervals": [None]},
            "v1",
            "videos[0].annotated_intervals[0] is null, expected dict",
        ),
    ],
)
def test_a_bad_video_or_interval_costs_itself(
    config: IngestConfig, bad: Any, video_id: str, fault: str
) -> None:
    result = read(config, {"videos": [bad, video("v2", [action()])]})
    assert list(result.narrations["narration_id"]) == ["v2_00000"]
    (reject,) = result.rejects.itertuples()
    assert (reject.video_id, reject.reason) == (video_id, f"not in the schema: {fault}")
    assert result.reject_counts() == {"not in the schema": 1}


SEGMENT = {"start_sec": 20.0, "end_sec": 22.0}
FRAMES = [
    {"frame_type": name, "video_frame": n, "boxes": []} for name, n in (("x", 90), ("y", 150))
]


@pytest.mark.parametrize(
    ("changes", "expected", "outside"),
    [
        (SEGMENT | {"narration_timestamp_sec": 21.7}, 21.7, 0),
        (SEGMENT | {"narration_timestamp_sec": 19.9}, 21.0, 1),
        (SEGMENT | {"narration_timestamp_sec": 310}, 21.0, 1),
        (SEGMENT | {"narration_timestamp_sec": None}, 21.0, 0),
        (SEGMENT | {"narration_timestamp_sec": -1.0}, 21.0, 0),
        ({"start_frame": 600, "end_frame": 660, "narration_timestamp_sec": 5.0}, 21.0, 1),
        ({"frames": FRAMES, "narration_timestamp_sec": 5.5}, 4.0, 1),
        ({"frames": FRAMES, "narration_timestamp_sec": 4.5}, 4.5, 0),
        # A segment that ends before it starts is none.
        ({"start_sec": 22.0, "end_sec": 20.0, "narration_timestamp_sec": 310.0}, 310.0, 0),
        ({"start_sec": "20", "end_sec": None, "narration_timestamp_sec": 310.0}, 310.0, 0),
    ],
)
def test_a_time_outside_of_its_segment_gives_way_to_it(
    config: IngestConfig, changes: dict[str, Any], expected: float, outside: int
) -> None:
    root = {"videos": [video("v1", [action(**changes)]) | {"video_metadata": {"fps": 30.0}}]}
    result = read(config, root)
    assert result.narrations["timestamp_s"].tolist() == [expected]
    assert result.summary()["told_outside_segment"] == outside
    assert result.summary()["kept_outside_segment"] == 0


def test_numbers_beyond_all_bounds_cost_their_own_action(config: IngestConfig) -> None:
    actions = [action(narration_timestamp_sec=10**400), action()]
    result = read(config, {"videos": [video("v1", actions) | {"video_metadata": {"fps": 0}}]})
    assert list(result.narrations["narration_id"]) == ["v1_00001"]
    assert list(result.rejects["reason"]) == ["missing timestamp"]


def test_no_narration_left(config: IngestConfig) -> None:
    actions = [action(is_rejected=True), action("#O x"), action(is_rejected=True)]
    with pytest.raises(DataError, match="all 3 were left out: 2 rejected, 1 not the camera wearer"):
        read(config, {"videos": [video("v1", actions)]})
    with pytest.raises(DataError, match="no narrated action is usable; it has none"):
        read(config, {"videos": []})


def test_missing_paths_name_the_parameter(config: IngestConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fho_main\.json: .* ingest\.annotations"):
        read_annotations(config)
    Path(config.annotations).write_text("{")
    with pytest.raises(DataError, match=r"fho_main\.json: not valid JSON"):
        read_annotations(config)
    moved = config.model_copy(update={"videos": str(tmp_path / "elsewhere")})
    with pytest.raises(DataError, match=r"elsewhere: .* ingest.videos"):
        read_annotations(moved)
