import doctest
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eilev.config.episodes import (
    EpisodeMixture,
    EpisodesConfig,
    EvaluationEpisodes,
    Marginal,
    MixtureItem,
    TrainingPhase,
)
from eilev.episodes import account, build, marginal, recipes
from eilev.episodes.account import Account
from eilev.parquet import read_table, write_table
from eilev.schema import EPISODES, OTHER_VERB, SPLITS
from tests.worlds import World, episode_frames, make_world

MIXTURE = (
    MixtureItem(kind="bursty", meaning="natural", share=0.4),
    MixtureItem(kind="random", meaning="canonical", share=0.2),
    MixtureItem(kind="contrastive", meaning="permuted", share=0.4, ways=2),
)
NATURAL = (MixtureItem(kind="bursty", meaning="natural", share=1.0),)
CONFIG = EpisodesConfig(
    seed=0,
    verb_noun_ratio=0.5,
    train=(
        TrainingPhase(
            name="contexts",
            epochs=2,
            shots=(4,),
            mixture=MIXTURE,
            max_queries=None,
            marginal=None,
        ),
    ),
    val=EpisodeMixture(
        shots=(4,),
        mixture=(MixtureItem(kind="bursty", meaning="permuted", share=1.0),),
        max_queries=20,
        marginal=None,
    ),
    evaluation=EvaluationEpisodes(
        shots=(0, 1, 4),
        kinds=("bursty", "random", "contrastive"),
        meaning="natural",
        ways=2,
        max_queries=25,
    ),
)


def changed(**fields: Any) -> EpisodesConfig:
    """CONFIG with another phase of training."""
    return CONFIG.model_copy(update={"train": (CONFIG.train[0].model_copy(update=fields),)})


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(600, undecoded=5)


@pytest.fixture(scope="module")
def tables(world: World) -> dict[str, pd.DataFrame]:
    return _build(world)


def _build(world: World, config: EpisodesConfig = CONFIG) -> dict[str, pd.DataFrame]:
    return episode_frames(world.narrations, world.split, world.decoded_ids, config)


def _actions(world: World) -> dict[str, tuple[str | None, str | None]]:
    table = world.narrations.astype(object).where(world.narrations.notna(), None)
    return {
        row.narration_id: (row.verb_class, row.noun_class) for row in table.itertuples(index=False)
    }


def test_worked_examples() -> None:
    assert doctest.testmod(recipes).failed == doctest.testmod(marginal).failed == 0


def test_same_seed_same_bytes(
    world: World, tables: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    again = _build(world)
    for split in SPLITS:
        write_table(tables[split], EPISODES, tmp_path / "a.parquet")
        write_table(again[split], EPISODES, tmp_path / "b.parquet")
        assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
        read_table(tmp_path / "a.parquet", EPISODES)


def test_chunks_do_not_change_the_episodes(
    world: World, tables: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_CHUNK", 7)
    for split, table in _build(world).items():
        pd.testing.assert_frame_equal(table, tables[split])


def test_another_seed_or_epoch_gives_other_contexts(
    world: World, tables: dict[str, pd.DataFrame]
) -> None:
    other = _build(world, CONFIG.model_copy(update={"seed": 1}))["train"]
    train = tables["train"]
    assert _contexts(other) != _contexts(train)
    assert _contexts(train[train["epoch"] == 0]) != _contexts(train[train["epoch"] == 1])


def _contexts(table: pd.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(context) for context in table["context"]]


def test_every_training_query_once_per_epoch_in_the_given_shares(
    world: World, tables: dict[str, pd.DataFrame]
) -> None:
    train = tables["train"]
    is_train = world.split["split"] == "train"
    queries = world.split.loc[is_train, "narration_id"]
    queries = queries[queries.isin(world.decoded_ids)]
    for _, epoch in train.groupby("epoch"):
        assert epoch["query"].is_unique
        counts = epoch.groupby(["kind", "meaning"]).size()
        expected = recipes.round_shares([0.4, 0.2, 0.4], len(queries))
        assert counts["bursty", "natural"] == expected[0]
        assert counts["random", "canonical"] == expected[1]
        # Some contrastive contexts are impossible; those episodes are left out.
        assert 0.6 * expected[2] < counts["contrastive", "permuted"] <= expected[2]
    assert set(train["query"]) <= set(queries)


def test_invariants(world: World, tables: dict[str, pd.DataFrame]) -> None:
    action = _actions(world)
    split_of = dict(zip(world.split["narration_id"], world.split["split"], strict=True))
    for split, table in tables.items():
        assert len(table)
        for row in table.itertuples(index=False):
            assert len(row.context) == row.shots == len(set(row.context))
            assert row.query not in row.context
            assert {row.query, *row.context} <= world.decoded_ids
            home = split if row.kind == "contrastive" else "train"
            assert split_of[row.query] == split
            assert {split_of[clip] for clip in row.context} <= {home}
            actions = [action[clip] for clip in row.context]
            matching = row.shots // 2 if row.kind == "contrastive" else 0
            assert actions.count(action[row.query]) == matching


def test_own_narrations_where_the_words_differ(tables: dict[str, pd.DataFrame]) -> None:
    for table in tables.values():
        for row in table.itertuples(index=False):
            if row.meaning == "natural":
                assert row.narrations is None
            else:
                assert len(row.narrations) == row.shots + 1


def test_evaluation_asks_the_same_queries_at_every_shot_count(
    world: World, tables: dict[str, pd.DataFrame]
) -> None:
    action = _actions(world)
    for split in ("test", "novel"):
        table = tables[split]
        assert set(table["epoch"]) == {0}
        for kind, shots in (("bursty", {0, 1, 4}), ("random", {0, 1, 4}), ("contrastive", {0, 4})):
            rows = table[table["kind"] == kind]
            asked = {count: set(group["query"]) for count, group in rows.groupby("shots")}
            assert set(asked) == shots
            assert len(set(map(frozenset, asked.values()))) == 1
            assert len(asked[0]) == 25
        for query in table["query"]:
            assert None not in action[query]
            assert action[query][0] != OTHER_VERB


def test_phases_follow_each_other_epoch_after_epoch(world: World) -> None:
    first = CONFIG.train[0].model_copy(update={"name": "clips", "shots": (0,), "mixture": NATURAL})
    both = CONFIG.model_copy(update={"train": (first, *CONFIG.train)})
    table = _build(world, both)["train"]
    assert [*table.groupby("epoch")["phase"].unique().map(list)] == [
        ["clips"],
        ["clips"],
        ["contexts"],
        ["contexts"],
    ]
    assert table["epoch"].is_monotonic_increasing
    assert set(table.loc[table["phase"] == "clips", "shots"]) == {0}
    assert _build(world, both)["val"]["phase"].isna().all()


def test_a_share_is_divided_among_the_shot_counts_that_fit() -> None:
    mixture = EpisodeMixture(shots=(0, 2, 3), mixture=MIXTURE, max_queries=None, marginal=None)
    made, shares = recipes.mixture_recipes(mixture)
    assert [(item.kind, item.shots) for item in made] == [
        *[("bursty", 0), ("bursty", 2), ("bursty", 3)],
        *[("random", 0), ("random", 2), ("random", 3)],
        ("contrastive", 2),
    ]
    np.testing.assert_allclose(shares, [0.4 / 3] * 3 + [0.2 / 3] * 3 + [0.4])


def test_no_novel_actions_give_an_empty_table(world: World, tmp_path: Path) -> None:
    split = world.split.assign(split=world.split["split"].replace("novel", "test"))
    novel = episode_frames(world.narrations, split, world.decoded_ids, CONFIG)["novel"]
    assert novel.empty
    write_table(novel, EPISODES, tmp_path / "novel.parquet")
    assert read_table(tmp_path / "novel.parquet", EPISODES).empty


def _account(
    world: World, config: EpisodesConfig, split: pd.DataFrame | None = None
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Episodes and their account."""
    counts = Account()
    split = world.split if split is None else split
    frames = episode_frames(world.narrations, split, world.decoded_ids, config, counts)
    return frames, counts.to_json()


def test_every_episode_is_counted_and_every_other_query_has_a_reason(world: World) -> None:
    tables, summary = _account(world, CONFIG)
    for split, table in tables.items():
        found = table.groupby(["kind", "shots"]).size().to_dict()
        told = {
            (kind, int(shots)): cell["episodes"]
            for kind, cells in summary[split].items()
            for shots, cell in cells.items()
            if cell["episodes"]
        }
        assert told == found
        for cells in summary[split].values():
            assert all((cell["left_out"] > 0) <= bool(cell["reason"]) for cell in cells.values())
    clips = world.narrations.merge(world.split, on="narration_id")
    novel = clips[(clips["split"] == "novel") & clips["narration_id"].isin(world.decoded_ids)]
    unnamed = novel["noun_class"].isna() | (novel["verb_class"] == OTHER_VERB)
    assert summary["novel"]["bursty"]["4"]["left_out"] == unnamed.sum() > 0
    reason = summary["novel"]["contrastive"]["4"]["reason"]
    assert f"{unnamed.sum()} x no verb or no noun class" in reason
    assert "x fewer than 2 other clips of the query's action in novel" in reason
    assert summary["novel"]["contrastive"]["1"]["reason"] == account.NO_MULTIPLE


def test_contrastive_contexts_have_the_most_shots_that_are_possible(world: World) -> None:
    """Two clips of each of two actions in test: a context of 2 shots, but none of 4."""
    named = world.narrations.dropna(subset=["noun_class"])
    named = named[named["verb_class"] != OTHER_VERB].drop_duplicates("noun_class")
    actions = named.drop_duplicates("verb_class").iloc[:2]
    pairs = [
        world.narrations[
            (world.narrations["verb_class"] == row.verb_class)
            & (world.narrations["noun_class"] == row.noun_class)
        ]["narration_id"][:2]
        for row in actions.itertuples()
    ]
    kept = set(pd.concat(pairs))
    assert len(kept) == 4
    split = world.split.assign(split="train")
    split.loc[split["narration_id"].isin(kept), "split"] = "test"
    asked = CONFIG.evaluation.model_copy(update={"shots": (0, 2, 4)})
    config = CONFIG.model_copy(update={"evaluation": asked})
    tables, summary = _account(world, config, split)
    cells = summary["test"]["contrastive"]
    assert [cells[shots]["episodes"] for shots in ("0", "2", "4")] == [4, 4, 0]
    assert cells["4"]["reason"] == "4 x fewer than 2 other clips of the query's action in test"
    assert set(tables["test"].query("kind == 'contrastive'")["shots"]) == {0, 2}
    held_out = "no narration belongs to novel (split.by: video holds no action out)"
    for kind, by_shots in summary["novel"].items():
        assert {cell["episodes"] for cell in by_shots.values()} == {0}
        assert by_shots["4"]["reason"] == held_out, kind


def test_without_any_contrastive_context_there_is_none_without_shots_either(world: World) -> None:
    split = world.split.copy()
    alone = split.index[split["split"] == "test"][1:]
    split.loc[alone, "split"] = "train"
    tables, summary = _account(world, CONFIG, split)
    assert "contrastive" not in set(tables["test"]["kind"])
    assert {cell["episodes"] for cell in summary["test"]["contrastive"].values()} == {0}
    assert account.NO_CONTEXT in summary["test"]["contrastive"]["0"]["reason"]


def test_evaluation_does_without_contexts_that_training_clips_cannot_give(world: World) -> None:
    asked = CONFIG.evaluation.model_copy(update={"shots": (0, 2, 8), "kinds": ("bursty", "random")})
    mixture = EpisodeMixture(shots=(0,), mixture=NATURAL, max_queries=None, marginal=None)
    config = changed(**dict(mixture)).model_copy(update={"evaluation": asked, "val": mixture})
    few = world.split.index[world.split["split"] == "train"][5:]
    split = world.split.copy()
    split.loc[few, "split"] = "test"
    tables, summary = _account(world, config, split)
    for kind in ("bursty", "random"):
        cells = summary["novel"][kind]
        assert cells["8"]["episodes"] == 0
        assert cells["8"]["reason"].endswith(
            "fewer than 8 training clips of other actions than the query's"
        )
        assert cells["0"]["episodes"] == cells["2"]["episodes"] == 25
    assert set(tables["novel"]["shots"]) == {0, 2}


def test_no_training_clip_is_an_error(world: World) -> None:
    with pytest.raises(ValueError, match="no training clip with frames among 600 narrations"):
        episode_frames(world.narrations, world.split, set(), CONFIG)


def test_too_few_clips_are_an_error(world: World) -> None:
    few = set(world.split.loc[world.split["split"] == "train", "narration_id"][:3])
    message = r"params\.yaml: episodes\.train: train episodes: 4 shots are asked for"
    with pytest.raises(ValueError, match=message):
        episode_frames(world.narrations, world.split, few, CONFIG)


def test_a_reshaped_marginal_asks_equally_often_about_the_top_actions(world: World) -> None:
    uniform = Marginal(top_actions=5, zipf_exponent=0.0)
    tables = _build(world, changed(marginal=uniform))
    actions = _actions(world)
    asked = Counter(actions[query] for query in tables["train"]["query"])
    assert len(asked) == 5
    # Contrastive episodes are left out where impossible, so not exactly equal.
    assert max(asked.values()) < 1.5 * min(asked.values())


def test_more_actions_than_there_are_is_an_error_that_names_the_key(world: World) -> None:
    config = changed(marginal=Marginal(top_actions=10_000, zipf_exponent=1.0))
    with pytest.raises(ValueError, match=r"episodes\.train: .*marginal\.top_actions is 10000"):
        _build(world, config)


def test_an_item_may_have_shot_counts_of_its_own() -> None:
    items = (
        MixtureItem(kind="bursty", meaning="natural", share=0.5, shots=(0,)),
        MixtureItem(kind="bursty", meaning="permuted", share=0.5),
    )
    mixture = EpisodeMixture(shots=(2, 4), mixture=items, max_queries=None, marginal=None)
    made, shares = recipes.mixture_recipes(mixture)
    assert [(item.meaning, item.shots) for item in made] == [
        ("natural", 0),
        ("permuted", 2),
        ("permuted", 4),
    ]
    assert shares == [0.5, 0.25, 0.25]
