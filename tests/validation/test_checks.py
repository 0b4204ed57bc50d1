"""Sound episodes break nothing; each way of breaking one is counted, where it should be."""

import numpy as np
import pandas as pd
import pytest

from eilev.config.episodes import MixtureItem
from eilev.distributions.items import lay_out
from eilev.episodes.facts import ClipFacts
from eilev.schema import Split
from eilev.validation.checks import violations
from tests.episodes.test_build import changed
from tests.validation import mutations
from tests.worlds import World, episode_frames

CASES = [
    *(("train", mutate, column) for mutate, column in mutations.TRAIN.items()),
    *(("novel", mutate, column) for mutate, column in mutations.NOVEL.items()),
]


@pytest.mark.parametrize("split", ["train", "val", "test", "novel"])
def test_sound_episodes(
    split: Split, episodes: dict[Split, pd.DataFrame], facts: ClipFacts
) -> None:
    table = episodes[split]
    broken = violations(table, lay_out(table, facts), facts, split)
    if split != "novel":
        broken = broken.drop(columns="trained_actions")
    assert len(broken) == len(table)
    assert not broken.to_numpy().any()


@pytest.mark.parametrize(("split", "mutate", "column"), CASES)
def test_broken_episodes(
    split: Split,
    mutate: mutations.Mutation,
    column: str,
    episodes: dict[Split, pd.DataFrame],
    facts: ClipFacts,
    world: World,
) -> None:
    table = episodes[split].copy(deep=True)
    mutate(table, world)
    broken = violations(table, lay_out(table, facts), facts, split)
    if split != "novel":
        broken = broken.drop(columns="trained_actions")
    flagged = broken.columns[broken.any()]
    assert column in flagged
    assert np.count_nonzero(broken.any(axis=1)) == 1
    # A mutation may break other rules along with the first, but few.
    assert len(flagged) <= 4, list(flagged)


def test_no_episodes(episodes: dict[Split, pd.DataFrame], facts: ClipFacts) -> None:
    table = episodes["novel"].head(0)
    broken = violations(table, lay_out(table, facts), facts, "novel")
    assert broken.empty
    assert "queries_in_context" in broken.columns


@pytest.fixture(scope="module")
def renamed(world: World) -> pd.DataFrame:
    mixture = (MixtureItem(kind="bursty", meaning="renamed", share=1.0),)
    config = changed(mixture=mixture)
    return episode_frames(world.narrations, world.split, world.decoded_ids, config)["train"]


def test_sound_renamed_episodes_may_have_synonyms(renamed: pd.DataFrame, facts: ClipFacts) -> None:
    items = lay_out(renamed, facts)
    broken = violations(renamed, items, facts, "train").drop(columns="trained_actions")
    assert not broken.to_numpy().any()
    # Held to the rule of permuted episodes, they break it.
    as_permuted = renamed.assign(meaning="permuted")
    assert violations(as_permuted, items, facts, "train")["words_beside_the_class_word"].any()


@pytest.mark.parametrize(
    ("same_word", "column"),
    [(True, "words_beside_the_class_word"), (False, "words_of_several_classes")],
)
def test_a_renamed_word_stands_for_one_word(
    same_word: bool,
    column: str,
    renamed: pd.DataFrame,
    facts: ClipFacts,
) -> None:
    """The first clip of an episode gets a verb it shares with none, or another clip's."""
    old = pd.Series(facts.verb_words[facts.traits], index=facts.ids)
    for row, (context, told) in enumerate(
        zip(renamed["context"], renamed["narrations"], strict=True)
    ):
        verbs = [old[clip] for clip in context]
        others = [told[i].split()[3] for i in range(1, 4) if (verbs[i] == verbs[0]) == same_word]
        if "" in verbs or not others:
            continue
        unsaid = set(renamed["narrations"].explode().str.split().str[3]) - {
            sentence.split()[3] for sentence in told
        }
        words = told[0].split()
        words[3] = min(unsaid) if same_word else others[0]
        table = renamed.iloc[[row]].assign(narrations=[[" ".join(words), *told[1:]]])
        broken = violations(table, lay_out(table, facts), facts, "train")
        assert broken[column].item() > 0
        return
    pytest.fail("no episode to break")
