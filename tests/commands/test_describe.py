import json

import numpy as np
import pytest

from eilev.cli import main
from eilev.commands.describe import describe_corpus, describe_episodes
from eilev.distributions.items import lay_out
from eilev.distributions.measures import (
    corpus_properties,
    episode_columns,
    episode_properties,
    item_columns,
)
from eilev.episodes.facts import gather_facts
from tests.episodes.test_build import CONFIG
from tests.sources.test_epic_kitchens import write
from tests.worlds import episode_frames, make_world


def test_figures_are_those_of_validate():
    narrations = make_world(400).narrations
    split = narrations[["narration_id"]].assign(split="train")
    expected = corpus_properties(gather_facts(narrations, split, set(narrations["narration_id"])))
    figures, intervals, counts = describe_corpus(narrations, 20, np.random.default_rng(0))
    assert figures == expected
    assert counts.size == figures["num_actions"]
    low, high = intervals["zipf_exponent"]
    assert low < figures["zipf_exponent"] < high


def test_the_command_prints_and_writes(tmp_path, capsys):
    rows = [
        {"narration_id": str(i), "video_id": f"P0{i % 3}", "verb_class": str(i % 2)}
        for i in range(12)
    ]
    annotations = str(write(tmp_path, *rows))
    out = tmp_path / "out"
    main(
        [
            "describe",
            "--source",
            "epic_kitchens",
            "--annotations",
            annotations,
            "--resamples",
            "10",
            "--out",
            str(out),
        ]
    )
    assert "verb_homonymy" in capsys.readouterr().out
    written = json.loads((out / "properties.json").read_text())
    assert written["num_clips"] == {"value": 12, "interval": None}
    assert written["verb_homonymy"]["value"] == 1.0
    assert (out / "action_frequencies.svg").read_text().startswith("<svg")


def test_a_table_and_its_synonyms_are_described(tmp_path, capsys):
    rows = [f"v{i % 3}.mp4,{i},I {'slice' if i % 2 else 'cut'} bread." for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["video,time,narration", *rows]))
    (tmp_path / "synonyms.yaml").write_text("verbs: {cut: [slice]}\n")
    command = ["describe", "--source", "table", "--resamples", "5", "--out", str(tmp_path / "out")]
    paths = ["--annotations", str(tmp_path / "t.csv"), "--synonyms"]
    main([*command, *paths, str(tmp_path / "synonyms.yaml")])
    assert "verb_synonymy" in capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "properties.json").read_text())
    # Two equally frequent words of one verb class.
    assert written["verb_synonymy"]["value"] == 1.0
    with pytest.raises(SystemExit, match=r"absent.yaml: no such file"):
        main([*command, *paths, str(tmp_path / "absent.yaml")])


def test_every_figure_of_episodes_has_an_interval_around_it():
    world = make_world(300)
    episodes = episode_frames(world.narrations, world.split, world.decoded_ids, CONFIG)["train"]
    facts = world.facts
    items = lay_out(episodes, facts)
    table, words = episode_columns(episodes, items, facts), item_columns(items)
    figures, intervals, _ = describe_episodes(table, words, 10, np.random.default_rng(0))
    assert figures == episode_properties(table, words)
    assert {name for name, ends in intervals.items() if ends is None} == set()
    assert set(figures) - set(intervals) == {"num_episodes", "num_actions"}
    for name, (low, high) in intervals.items():
        assert low <= figures[name] <= high, name


def test_nothing_to_describe_is_an_error():
    with pytest.raises(SystemExit, match="exactly one of --source"):
        main(["describe"])
