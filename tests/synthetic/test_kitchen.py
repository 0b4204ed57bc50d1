"""The synthetic kitchen: Ego4D's schema, rates as asked for, and equal bytes for equal configs."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import decord
import numpy as np
import pytest

from eilev.config.synthesize import SynthesizeConfig
from eilev.synthetic.fho import third_person
from eilev.synthetic.kitchen import (
    VERBS_PER_ROUND,
    build_world,
    plan_videos,
    rank_actions,
    synthesize,
    zipf,
)
from eilev.synthetic.lexicon import NOUNS, VERBS, narrator_words, word_classes
from eilev.synthetic.render import background, looks, motions, render_clip

CONFIG = SynthesizeConfig(
    seed=3,
    num_actions=30,
    num_videos=4,
    num_verbs=16,
    num_nouns=60,
    num_narrators=3,
    zipf_exponent=1.0,
    synonym_rate=0.3,
    homonym_rate=0.1,
    rejected_rate=0.2,
    invalid_rate=0.2,
    other_person_rate=0.2,
    other_verb_rate=0.2,
    missing_noun_rate=0.2,
    width=64,
    height=48,
    fps=8,
    action_s=1.0,
    processes=1,
)


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kitchen") / "synthetic"
    synthesize(CONFIG, folder)
    return folder


def read_videos(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "fho_main.json").read_text())["videos"]


def read_actions(folder: Path) -> list[dict[str, Any]]:
    return [
        action
        for video in read_videos(folder)
        for interval in video["annotated_intervals"]
        for action in interval["narrated_actions"]
    ]


def read_bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def object_nouns(action: dict[str, Any]) -> list[str]:
    return [
        box["structured_noun"]
        for frame in action["frames"] or []
        for box in frame["boxes"]
        if frame["frame_type"] == "pnr_frame" and box["object_type"] == "object_of_change"
    ]


def class_words(label: str) -> list[str]:
    return re.findall(r"[a-z]+", label)


def test_every_action_is_annotated_in_ego4d_schema(kitchen: Path) -> None:
    actions = read_actions(kitchen)
    assert len(actions) == CONFIG.num_actions
    assert len({action["uid"] for action in actions}) == CONFIG.num_actions
    for action in actions:
        assert re.fullmatch(r"#(C C|O person X) \w+s the \w+", action["narration_text"])
        assert re.fullmatch(r"\[other\]|\w+_\(\w+(,_\w+)*\)", action["structured_verb"])
        assert action["start_sec"] < action["narration_timestamp_sec"] < action["end_sec"]
        assert isinstance(action["is_rejected"], bool)
        assert isinstance(action["is_valid_action"], bool)


def test_words_belong_to_the_annotated_classes(kitchen: Path) -> None:
    for action in read_actions(kitchen):
        *_, verb, _, noun = action["narration_text"].split()
        if action["structured_verb"] != "[other]":
            assert verb in {third_person(word) for word in class_words(action["structured_verb"])}
        for label in object_nouns(action):
            assert noun in class_words(label)


def test_boxes_lie_inside_the_frame_and_the_video(kitchen: Path) -> None:
    for video in read_videos(kitchen):
        for action in video["annotated_intervals"][0]["narrated_actions"]:
            for frame in action["frames"] or []:
                assert 0 <= frame["video_frame"] < video["video_metadata"]["num_frames"]
                for box in (entry["bbox"] for entry in frame["boxes"]):
                    assert 0 <= box["x"] <= box["x"] + box["width"] <= CONFIG.width + 0.1
                    assert 0 <= box["y"] <= box["y"] + box["height"] <= CONFIG.height + 0.1


def test_videos_are_decodable_and_as_long_as_annotated(kitchen: Path) -> None:
    for video in read_videos(kitchen):
        reader = decord.VideoReader(str(kitchen / "videos" / f"{video['video_uid']}.mp4"))
        metadata = video["video_metadata"]
        assert len(reader) == metadata["num_frames"]
        assert reader[0].shape == (CONFIG.height, CONFIG.width, 3)
        assert reader.get_avg_fps() == pytest.approx(metadata["fps"])
        assert metadata["duration_sec"] == pytest.approx(len(reader) / CONFIG.fps)


@pytest.mark.parametrize("processes", [1, 2])
def test_equal_configs_give_equal_bytes(kitchen: Path, tmp_path: Path, processes: int) -> None:
    synthesize(CONFIG.model_copy(update={"processes": processes}), tmp_path / "again")
    assert read_bytes(tmp_path / "again") == read_bytes(kitchen)


def test_another_seed_gives_another_kitchen(kitchen: Path, tmp_path: Path) -> None:
    synthesize(CONFIG.model_copy(update={"seed": 4}), tmp_path / "other")
    assert read_bytes(tmp_path / "other") != read_bytes(kitchen)


def test_flaws_occur_at_their_rates(tmp_path: Path) -> None:
    tiny = {"num_actions": 400, "num_videos": 1, "width": 16, "height": 16, "action_s": 0.125}
    synthesize(CONFIG.model_copy(update=tiny), tmp_path / "many")
    actions = read_actions(tmp_path / "many")
    shares = {
        "rejected": np.mean([action["is_rejected"] for action in actions]),
        "invalid": np.mean([not action["is_valid_action"] for action in actions]),
        "other person": np.mean([action["narration_text"][:2] == "#O" for action in actions]),
        "other verb": np.mean([action["structured_verb"] == "[other]" for action in actions]),
        "missing noun": np.mean([not object_nouns(action) for action in actions]),
    }
    assert shares == pytest.approx(dict.fromkeys(shares, 0.2), abs=0.08)
    assert any(action["frames"] is None for action in actions)


def test_no_flaws_at_rate_zero(tmp_path: Path) -> None:
    names = ("rejected", "invalid", "other_person", "other_verb", "missing_noun")
    synthesize(
        CONFIG.model_copy(update={f"{name}_rate": 0.0 for name in names}), tmp_path / "clean"
    )
    for action in read_actions(tmp_path / "clean"):
        assert action["is_valid_action"]
        assert not action["is_rejected"]
        assert action["narration_text"].startswith("#C C ")
        assert action["structured_verb"] != "[other]"
        assert object_nouns(action)


def test_actions_follow_the_zipf_law() -> None:
    config = CONFIG.model_copy(update={"num_actions": 20_000})
    rng = np.random.default_rng(0)
    world = build_world(config, rng)
    plans = plan_videos(config, world, rng, np.random.SeedSequence(0))
    counts = Counter(tuple(action) for plan in plans for action in plan.actions.tolist())
    expected = zipf(len(world.actions), 1.0)
    for rank in (0, 1, 9):
        share = counts[tuple(world.actions[rank].tolist())] / config.num_actions
        assert share == pytest.approx(expected[rank], rel=0.15)


def test_rank_actions_gives_every_noun_a_common_action() -> None:
    actions = rank_actions(4, 6, np.random.default_rng(0))
    assert len({tuple(action) for action in actions.tolist()}) == 24
    assert set(actions[: 6 * VERBS_PER_ROUND, 1].tolist()) == set(range(6))


@pytest.mark.parametrize(
    ("verb", "inflected"),
    [("wash", "washes"), ("carry", "carries"), ("cut", "cuts"), ("mix", "mixes"), ("do", "does")],
)
def test_verbs_are_inflected(verb: str, inflected: str) -> None:
    assert third_person(verb) == inflected


@pytest.mark.parametrize("table", [VERBS, NOUNS])
def test_heads_belong_to_one_class_only(table: dict[str, tuple[str, ...]]) -> None:
    words = Counter(word for head, others in table.items() for word in (head, *others))
    assert all(words[head] == 1 for head in table)
    assert max(words.values()) > 1


def test_narrators_use_synonyms_and_homonyms_at_their_rates() -> None:
    classes = word_classes(NOUNS, len(NOUNS))
    rng = np.random.default_rng(0)
    assert narrator_words(classes, 0.0, 0.0, rng) == list(NOUNS)
    heads = [
        word == cls.head
        for _ in range(50)
        for word, cls in zip(narrator_words(classes, 0.3, 0.0, rng), classes, strict=True)
    ]
    assert np.mean(heads) == pytest.approx(0.7, abs=0.05)


def test_a_class_is_spelled_like_ego4d_does() -> None:
    plate = next(cls for cls in word_classes(NOUNS, 4) if cls.head == "plate")
    assert plate.label == "plate_(dish,_platter)"
    assert plate.homonyms == ("dish",)


def test_too_many_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="the lexicon has"):
        word_classes(VERBS, len(VERBS) + 1)


def test_every_verb_and_noun_of_the_lexicon_has_its_own_look() -> None:
    assert len(set(motions())) == len(VERBS)
    drawn = looks(np.random.default_rng(0))[: len(NOUNS)]
    assert len({(look.body, look.accent) for look in drawn}) == len(NOUNS)


def test_objects_appear_in_their_colours_and_move() -> None:
    rng = np.random.default_rng(0)
    scene = background(rng, 64, 64)
    clip = render_clip(motions()[0], looks(rng)[0], scene, 8, rng)
    assert clip.frames.shape == (8, 64, 64, 3)
    assert clip.frames.dtype == np.uint8
    # Motion 0 travels horizontally: the boxes' left edges spread, their top edges do not.
    assert np.ptp(clip.object_boxes[:, 0]) > 10
    assert np.ptp(clip.object_boxes[:, 1]) < 6
