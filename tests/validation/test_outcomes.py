import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from great_expectations.core.expectation_suite import ExpectationSuite

from eilev.config.validate import Bounds, ValidateConfig
from eilev.distributions import measures
from eilev.distributions.items import lay_out
from eilev.episodes.facts import ClipFacts, Pieces, read_facts
from eilev.schema import Split
from eilev.validation import expectations
from eilev.validation.outcomes import Outcome, describe_failures, run_suites, to_json
from eilev.validation.suites import build_suites, episode_table
from eilev.validation.tables import Reader, Tables, count_episodes, make_tables, require_phases
from tests.validation import mutations
from tests.worlds import World, episode_pieces

PHASES = ["contexts"]
Episodes = dict[Split, pd.DataFrame]
COLUMN_OF = {
    expectation.__fields__["column"].default: expectation
    for expectation in vars(expectations).values()
    if isinstance(expectation, type)
    and issubclass(expectation, expectations.ExpectColumnValuesToBeBetween)
}


@pytest.fixture
def tables(world: World, episodes: Episodes) -> Tables:
    return _tables(world.narrations, world, world.clips, _reader(episodes))


def _tables(
    narrations: pd.DataFrame,
    world: World,
    clips: pd.DataFrame,
    episodes: Reader,
    phases: Sequence[str] = PHASES,
) -> Tables:
    told, split, decoded = map(_pieces, (narrations, world.split, clips))
    facts = read_facts(told, split, decoded, once=True)
    return make_tables(told, decoded, facts, episodes, phases)


def _pieces(table: pd.DataFrame) -> Pieces:
    """Pieces of a table that are smaller than it."""

    def read(columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        whole = pa.Table.from_pandas(table, preserve_index=False)
        yield from whole.select(columns or whole.column_names).to_batches(max_chunksize=250)

    return read


def _reader(episodes: Episodes) -> Reader:
    """Pieces that are smaller than the tables."""

    def read(split: Split, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        for piece in episode_pieces(episodes[split], rows=400):
            yield piece.select(columns or piece.schema.names)

    return read


def _suite(name: str, split: Split, bounds: ValidateConfig) -> ExpectationSuite:
    suites = build_suites(bounds, ["train", "novel"])
    name_of = episode_table(split, "contexts" if split == "train" else None)
    found = next(suite for suite in suites if suite.name == name_of)
    return ExpectationSuite(name, found.expectations)


def _break(
    sound: pd.DataFrame, ways: Mapping[mutations.Mutation, str], world: World
) -> pd.DataFrame:
    """The sound episodes, and those that each mutation makes of one of them."""
    pieces = [sound]
    for number, mutate in enumerate(ways):
        broken = sound.copy(deep=True)
        mutate(broken, world)
        changed = [
            any(str(new) != str(old) for new, old in zip(*rows, strict=True))
            for rows in zip(
                broken.itertuples(index=False), sound.itertuples(index=False), strict=True
            )
        ]
        # In an epoch of its own, the query is not asked twice.
        is_form = mutate in mutations.FORM
        epoch = broken["epoch"] if is_form else broken["epoch"] + 10 * (number + 1)
        pieces.append(broken.assign(epoch=epoch)[changed])
    return pd.concat(pieces, ignore_index=True)


def test_sound_data_passes_and_the_site_is_readable(
    tables: Tables, bounds: ValidateConfig, tmp_path: Path
) -> None:
    outcomes = run_suites(build_suites(bounds, tables.splits), tables.checked, tmp_path)
    assert describe_failures(outcomes) == ""
    assert {outcome.table for outcome in outcomes} == set(tables.checked)
    assert all(outcome.description for outcome in outcomes)
    content = to_json(outcomes, tables.properties())
    assert content["success"] is True
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["data"]["train_episodes"]["contexts"]["burstiness"] == pytest.approx(
        next(o.observed for o in outcomes if o.name == "expect_burstiness_between")
    )
    assert (tmp_path / "index.html").exists()
    page = next(tmp_path.glob("validations/episodes-train-contexts/**/*.html")).read_text()
    assert "No query is part of its own context." in page
    # Nothing but bursty and random contexts: full bars at the right end.
    assert re.search(r"[·▁-█]{9}█ \(episodes by the share of their context", page)
    assert "(queries by the rank of their action" in page
    assert "amazonaws" not in page


def test_the_site_is_the_same_every_time(
    world: World, episodes: Episodes, bounds: ValidateConfig, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        tables = _tables(world.narrations, world, world.clips, _reader(episodes))
        run_suites(build_suites(bounds, ["train"])[:1], tables.checked, folder)
    pages = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(pages) > 10
    assert all((first / page).read_bytes() == (second / page).read_bytes() for page in pages)


def test_every_broken_rule_fails_its_expectation(
    episodes: Episodes, facts: ClipFacts, world: World, bounds: ValidateConfig, tmp_path: Path
) -> None:
    ways = mutations.TRAIN | mutations.FORM
    broken = {
        "train": _break(episodes["train"], ways, world),
        "novel": _break(episodes["novel"], mutations.NOVEL, world),
    }

    def check(rows: int) -> list[Outcome]:
        suites, tables = [], {}
        for split, table in broken.items():
            pieces = episode_pieces(table, rows)
            tables[f"broken-{split}"] = count_episodes(pieces, facts, split)[0]
            suites.append(_suite(f"broken-{split}", split, bounds))
        return run_suites(suites, tables, tmp_path)

    found = check(rows=10**6)
    # In whatever pieces the table comes.
    assert check(rows=500) == found
    failed = [outcome for outcome in found if not outcome.success]
    counted = {**mutations.TRAIN, **mutations.NOVEL}
    expected = {COLUMN_OF[column].expectation_type for column in counted.values()}
    assert {outcome.name for outcome in failed} == expected | set(mutations.FORM.values())
    for outcome in failed:
        assert 1 <= outcome.observed <= 6
        assert outcome.examples
    lines = describe_failures(failed).splitlines()
    assert len(lines) == len(failed)
    assert (
        "expect_no_query_leakage (broken-train, queries_in_context): expected violations 0,"
        " observed 1 (such as clip-"
        in lines[[o.name for o in failed].index("expect_no_query_leakage")]
    )


def test_lost_distributions_fail_their_expectations(
    episodes: Episodes, facts: ClipFacts, bounds: ValidateConfig, tmp_path: Path
) -> None:
    train = episodes["train"]
    dealt = train.copy(deep=True)
    bursty = np.flatnonzero(dealt["kind"] == "bursty")
    contexts = dealt["context"].tolist()
    for row, other in zip(bursty, np.roll(bursty, 37), strict=True):
        contexts[row] = train.loc[other, "context"]
    dealt["context"] = contexts
    actions = measures.episode_columns(dealt, lay_out(dealt, facts), facts)["action"]
    level = dealt[~actions.duplicated()]
    found = run_suites(
        [_suite("dealt", "train", bounds), _suite("level", "train", bounds)],
        {
            name: count_episodes(episode_pieces(rows), facts, "train")[0]
            for name, rows in (("dealt", dealt), ("level", level))
        },
        tmp_path,
    )
    failed = {(outcome.table, outcome.name): outcome for outcome in found if not outcome.success}
    assert failed["dealt", "expect_burstiness_between"].observed < 0.5
    assert failed["dealt", "expect_burstiness_above_random_between"].observed < 0.2
    assert failed["level", "expect_zipf_exponent_between"].observed == pytest.approx(0, abs=0.05)


def test_words_of_one_class_fail_their_expectations(
    episodes: Episodes, facts: ClipFacts, bounds: ValidateConfig, tmp_path: Path, world: World
) -> None:
    canonical = episodes["train"][episodes["train"]["meaning"] == "canonical"]
    only = {**episodes, "train": canonical.reset_index(drop=True)}
    tables = _tables(world.narrations, world, world.clips, _reader(only))
    suites = build_suites(bounds, ["train"])[2:]
    found = {(o.name, o.subject): o for o in run_suites(suites, tables.checked, tmp_path)}
    assert not found["expect_synonymy_between", "verb"].success
    assert found["expect_synonymy_between", "noun"].observed == 0
    assert not found["expect_homonymy_between", "noun"].success


def test_broken_tables_fail_their_expectations(
    world: World, episodes: Episodes, bounds: ValidateConfig, tmp_path: Path
) -> None:
    narrations = world.narrations.copy()
    narrations.loc[3, "timestamp_s"] = -1.0
    narrations.loc[4, "narration"] = ""
    narrations = pd.concat([narrations, narrations.iloc[[7]]], ignore_index=True)
    clips = world.clips.copy()
    clips.loc[5, "error"] = "no such file"
    clips.loc[6, "narration_id"] = "nobody"
    clips.loc[10:60, ["shard", "row"]] = None
    tables = _tables(narrations, world, clips, _reader(episodes))
    suites = build_suites(bounds, ["train"])[:2]
    failed = {
        (o.table, o.name, o.subject): o.observed
        for o in run_suites(suites, tables.checked, tmp_path)
        if not o.success
    }
    assert failed == {
        ("narrations", "expect_column_values_to_be_unique", "narration_id"): 2,
        ("narrations", "expect_column_values_to_be_between", "timestamp_s"): 1,
        ("narrations", "expect_column_value_lengths_to_be_between", "narration"): 1,
        ("clips", "expect_column_values_to_be_in_set", "is_narrated"): 1,
        ("clips", "expect_column_values_to_be_in_set", "is_accounted_for"): 52,
        ("clips", "expect_column_proportion_of_non_null_values_to_be_between", "shard"): (
            pytest.approx(547 / 600)
        ),
    }


def test_a_property_without_bounds_is_not_expected_anything_of(bounds: ValidateConfig) -> None:
    nothing = {"burstiness": Bounds(min=None, max=None)}
    phases = tuple(phase.model_copy(update=nothing) for phase in bounds.phases)
    free = bounds.model_copy(update={"phases": phases})
    names = {
        expectation.configuration.type
        for suite in build_suites(free, ["train"])
        for expectation in suite.expectations
    }
    assert "expect_burstiness_between" not in names
    assert "expect_burstiness_above_random_between" in names


def test_no_training_episodes(world: World, episodes: Episodes) -> None:
    empty = {**episodes, "train": episodes["train"].head(0)}
    with pytest.raises(ValueError, match="no training episodes of the phase contexts"):
        _tables(world.narrations, world, world.clips, _reader(empty))


def test_episodes_of_another_curriculum(world: World, episodes: Episodes) -> None:
    with pytest.raises(ValueError, match=r"of the phase contexts, which is not in params\.yaml"):
        require_phases(episode_pieces(episodes["train"]), [])


def test_each_phase_is_held_to_its_own_bounds(
    world: World, episodes: Episodes, bounds: ValidateConfig, tmp_path: Path
) -> None:
    """The words of one phase only are uncertain: its own bound says so."""
    train = episodes["train"]
    canonical = train[train["meaning"] == "canonical"].assign(phase="words")
    both = {**episodes, "train": pd.concat([train, canonical], ignore_index=True)}
    (contexts,) = bounds.phases
    nothing = Bounds(min=None, max=None)
    words = contexts.model_copy(
        update={
            "name": "words",
            "burstiness": nothing,
            "burstiness_above_random": nothing,
            "noun_homonymy": Bounds(min=None, max=0.0),
        }
    )
    config = bounds.model_copy(update={"phases": (contexts, words)})
    names = ["contexts", "words"]
    tables = _tables(world.narrations, world, world.clips, _reader(both), names)
    suites = build_suites(config, ["train"])[2:]
    found = {
        (o.table, o.name, o.subject): o.success
        for o in run_suites(suites, tables.checked, tmp_path)
    }
    assert found["words-train-words", "expect_homonymy_between", "noun"]
    assert found["words-train-contexts", "expect_homonymy_between", "noun"]
    assert not found["words-train-words", "expect_synonymy_between", "noun"]
    assert list(tables.properties()["train_episodes"]) == names
    assert set(tables.burstiness()["phase"]) == set(names)


def test_episodes_without_any_context_have_no_burstiness(world: World, episodes: Episodes) -> None:
    train = episodes["train"].assign(shots=0, kind="bursty", meaning="natural", narrations=None)
    train["context"] = [[] for _ in range(len(train))]
    only = {**episodes, "train": train}
    alone = _tables(world.narrations, world, world.clips, _reader(only))
    assert len([*alone.checked[episode_table("train", "contexts")].pieces]) > 1
    assert alone.burstiness().empty
    assert list(alone.burstiness()) == ["kind", "share", "episodes", "phase"]
    assert alone.properties()["train_episodes"]["contexts"]["burstiness"] is None
