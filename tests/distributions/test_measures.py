import numpy as np
import pandas as pd
import pytest

from eilev.distributions import measures
from eilev.distributions.items import Items, lay_out
from eilev.distributions.tally import tally
from eilev.episodes.facts import ClipFacts
from tests.episodes.test_build import CONFIG
from tests.worlds import World, episode_frames


@pytest.fixture(scope="module")
def train(world: World) -> pd.DataFrame:
    return episode_frames(world.narrations, world.split, world.decoded_ids, CONFIG)["train"]


def _measure(train: pd.DataFrame, facts: ClipFacts) -> tuple[Items, pd.DataFrame, pd.DataFrame]:
    items = lay_out(train, facts)
    return items, measures.episode_columns(train, items, facts), measures.item_columns(items)


def test_layout_keeps_episodes_and_words(
    world: World, train: pd.DataFrame, facts: ClipFacts
) -> None:
    items = lay_out(train, facts)
    assert not items.is_foreign.any()
    assert items.is_query.sum() == len(train)
    assert items.episode.size == (train["shots"] + 1).sum()
    table = world.narrations.set_index("narration_id")
    for number in (0, 7, len(train) - 1):
        row = train.iloc[number]
        mine = items.episode == number
        shown = [*row["context"], row["query"]]
        assert [facts.ids[place] for place in items.clip[mine].tolist()] == shown
        natural = table.loc[shown, "verb_word"].fillna("").tolist()
        assert (items.verb_words[mine].tolist() == natural) == (row["meaning"] == "natural")


def test_bursty_episodes_are_bursty_and_random_ones_at_their_level(
    train: pd.DataFrame, facts: ClipFacts
) -> None:
    for kind in ("bursty", "random"):
        rows = train[train["kind"] == kind].reset_index(drop=True)
        _, columns, words = _measure(rows, facts)
        counts = tally(columns, words)
        level, random = measures.measured_burstiness(counts), measures.expected_burstiness(counts)
        assert level is not None
        assert random is not None
        assert random.either == pytest.approx(random.verb + random.noun)
        if kind == "bursty":
            assert level.either > 0.97
            assert level.verb == pytest.approx(0.5, abs=0.12)
        else:
            assert level.either == pytest.approx(random.either, abs=0.06)


def test_contrastive_episodes_have_no_burstiness_of_their_own(
    train: pd.DataFrame, facts: ClipFacts
) -> None:
    rows = train[train["kind"] == "contrastive"].reset_index(drop=True)
    _, columns, items = _measure(rows, facts)
    properties = measures.episode_properties(columns, items)
    assert properties["burstiness"] is None
    assert properties["random_burstiness"] is None
    assert (columns["num_shared"] / columns["context_size"]).unique().tolist() == [0.5]


def test_dynamic_meaning_of_the_three_settings(train: pd.DataFrame, facts: ClipFacts) -> None:
    found = {}
    for meaning in ("natural", "canonical", "permuted"):
        rows = train[train["meaning"] == meaning].reset_index(drop=True)
        _, columns, items = _measure(rows, facts)
        found[meaning] = measures.episode_properties(columns, items)
    for part in ("verb", "noun"):
        synonymy, homonymy = f"{part}_synonymy", f"{part}_homonymy"
        assert found["natural"][synonymy] > 0.5
        assert found["canonical"][synonymy] == 0
        assert found["permuted"][synonymy] > 2
        assert found["permuted"][homonymy] > 2
        # Within an episode, a permuted class has one word and the word one class.
        assert found["permuted"][f"{synonymy}_within_episode"] == 0
        assert found["permuted"][f"{homonymy}_within_episode"] == 0
        assert found["natural"][f"{synonymy}_within_episode"] > 0


def test_corpus_counts_decoded_training_clips(world: World, facts: ClipFacts) -> None:
    properties = measures.corpus_properties(facts)
    trained = world.split[world.split["split"] == "train"]
    assert properties["num_clips"] == trained["narration_id"].isin(world.decoded_ids).sum()
    assert 0.5 < properties["zipf_exponent"] < 1.5
    assert 0 < properties["top_10_share"] < 1


def test_unknown_ids_and_foreign_sentences_are_laid_out(
    train: pd.DataFrame, facts: ClipFacts
) -> None:
    rows = train[train["meaning"] == "permuted"].head(2).reset_index(drop=True)
    contexts, narrations = rows["context"].tolist(), rows["narrations"].tolist()
    rows["context"] = [["nobody", *contexts[0][1:]], contexts[1]]
    rows["narrations"] = [narrations[0], ["The cat sleeps.", *narrations[1][1:]]]
    items = lay_out(rows, facts)
    assert items.clip[0] == -1
    assert items.verbs[0] == items.nouns[0] == -1
    assert np.flatnonzero(items.is_foreign).tolist() == [0, 5]


def test_episodes_are_counted_by_burstiness_and_by_the_rank_of_their_action(
    train: pd.DataFrame, facts: ClipFacts
) -> None:
    _, columns, words = _measure(train.head(4), facts)
    episodes = columns.assign(
        kind=["bursty", "bursty", "random", "contrastive"],
        context_size=[4, 4, 0, 4],
        num_shared=[4, 2, 0, 1],
        action=[3, 3, 5, 7],
    )
    counts = tally(episodes, words)
    assert measures.burstiness_counts(counts) == [0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    # Ranks 1, then 2 and 3.
    assert measures.rank_counts(counts) == [2, 2]
    assert measures.rank_counts(tally(episodes.assign(action=-1), words)) == []
