"""Every way of breaking the episodes' rules, each on one episode."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from eilev.language.templates import inflect
from eilev.schema import OTHER_VERB
from tests.worlds import World

Mutation = Callable[[pd.DataFrame, World], None]


def _row(table: pd.DataFrame, kind: str, meaning: str | None = None) -> int:
    """The first episode of this kind (and meaning) that has a context."""
    found = (table["kind"] == kind) & (table["shots"] == table["shots"].max())
    if meaning:
        found &= table["meaning"] == meaning
    return int(np.flatnonzero(found)[0])


def _set(table: pd.DataFrame, row: int, column: str, value: object) -> None:
    values = table[column].tolist()
    values[row] = value
    table[column] = pd.Series(values, dtype=table[column].dtype)


def _put(table: pd.DataFrame, row: int, clip: str) -> None:
    context = table.loc[row, "context"].copy()
    context[0] = clip
    _set(table, row, "context", context)


def _clip(world: World, split: str, **classes: str) -> str:
    known = world.narrations.merge(world.split, on="narration_id")
    chosen = (known["split"] == split) & known["narration_id"].isin(world.decoded_ids)
    for column, value in classes.items():
        chosen &= known[column] == value
    return str(known.loc[chosen, "narration_id"].iloc[-1])


def _classes(world: World, clip: str) -> dict[str, str]:
    row = world.narrations.set_index("narration_id").loc[clip]
    return {"verb_class": row["verb_class"], "noun_class": row["noun_class"]}


def leak_query(table: pd.DataFrame, world: World) -> None:
    _put(table, row := _row(table, "bursty"), table.loc[row, "query"])


def repeat_item(table: pd.DataFrame, world: World) -> None:
    _put(table, row := _row(table, "random"), table.loc[row, "context"][-1])


def drop_item(table: pd.DataFrame, world: World) -> None:
    row = _row(table, "bursty")
    _set(table, row, "context", table.loc[row, "context"][1:])


def show_undecoded(table: pd.DataFrame, world: World) -> None:
    _put(table, _row(table, "bursty"), world.narrations["narration_id"].iloc[-1])


def show_unknown(table: pd.DataFrame, world: World) -> None:
    _put(table, _row(table, "random"), "nobody")


def take_from_test(table: pd.DataFrame, world: World) -> None:
    _put(table, _row(table, "random"), _clip(world, "test"))


def ask_from_val(table: pd.DataFrame, world: World) -> None:
    table.loc[_row(table, "random"), "query"] = _clip(world, "val")


def show_query_action(table: pd.DataFrame, world: World) -> None:
    kinds = table["kind"] == "bursty"
    for row in np.flatnonzero(kinds):
        clip = _clip(world, "train", **_classes(world, table.loc[row, "query"]))
        if clip != table.loc[row, "query"]:
            return _put(table, int(row), clip)
    return None


def unbalance_ways(table: pd.DataFrame, world: World) -> None:
    """Another clip of the other action replaces one of the query's."""
    action = {clip: _classes(world, clip) for clip in world.narrations["narration_id"]}
    for row in np.flatnonzero(table["kind"] == "contrastive"):
        query, context = table.loc[row, "query"], table.loc[row, "context"].copy()
        mine = [i for i, clip in enumerate(context) if action[clip] == action[query]]
        other = next(clip for clip in context if action[clip] != action[query])
        new = _clip(world, "train", **action[other])
        if mine and new not in context:
            context[mine[0]] = new
            _set(table, row, "context", context)
            return


def drop_query_action(table: pd.DataFrame, world: World) -> None:
    """A contrastive context asked about by a query of a third action."""
    row = _row(table, "contrastive")
    shown = [_classes(world, clip) for clip in table.loc[row, "context"]]
    table.loc[row, "query"] = next(
        query
        for query in table["query"]
        if _classes(world, query) not in shown and query not in table.loc[row, "context"]
    )


def share_class(table: pd.DataFrame, world: World) -> None:
    """Every clip of the other action becomes one of another noun, but of the query's verb."""
    action = {clip: _classes(world, clip) for clip in world.narrations["narration_id"]}
    train = set(world.split.loc[world.split["split"] == "train", "narration_id"])
    for row in np.flatnonzero(table["kind"] == "contrastive"):
        query, context = table.loc[row, "query"], table.loc[row, "context"].copy()
        nouns = {
            action[clip]["noun_class"]
            for clip in train
            if action[clip]["verb_class"] == action[query]["verb_class"]
        } - {action[query]["noun_class"]}
        for noun in sorted(name for name in nouns if isinstance(name, str)):
            wanted = {**action[query], "noun_class": noun}
            clips = sorted(clip for clip in train if action[clip] == wanted)
            others = [i for i, clip in enumerate(context) if action[clip] != action[query]]
            if len(clips) >= len(others):
                context[others] = clips[: len(others)]
                _set(table, row, "context", context)
                return


def lose_narration(table: pd.DataFrame, world: World) -> None:
    row = _row(table, "random", "canonical")
    _set(table, row, "narrations", table.loc[row, "narrations"][:-1])


def swap_narrations(table: pd.DataFrame, world: World) -> None:
    row = _row(table, "random", "canonical")
    _set(table, row, "narrations", ["The cat sleeps.", *table.loc[row, "narrations"][1:]])


def second_word(table: pd.DataFrame, world: World) -> None:
    """The query's class gets a word in the query that it does not have in the context."""
    words = set(world.narrations["verb_class"].dropna()) - {OTHER_VERB}
    for row in np.flatnonzero(table["meaning"] == "permuted"):
        *context, query = table.loc[row, "narrations"]
        verb = query.split()[3]
        if not any(verb in sentence for sentence in context):
            continue
        unused = next(w for w in sorted(words) if not any(w in s for s in [*context, query]))
        _set(
            table,
            row,
            "narrations",
            [*context, query.replace(verb, inflect("takes", unused, "VERB"))],
        )
        return


def homonym(table: pd.DataFrame, world: World) -> None:
    """Two classes of a permuted episode get the same verb."""
    row = _row(table, "contrastive", "permuted")
    narrations = table.loc[row, "narrations"]
    verb = narrations[-1].split()[3]
    same = [" ".join([*words[:3], verb, *words[4:]]) for words in map(str.split, narrations)]
    _set(table, row, "narrations", same)


def ask_twice(table: pd.DataFrame, world: World) -> None:
    first, second = np.flatnonzero((table["kind"] == "bursty") & (table["epoch"] == 0))[:2]
    table.loc[second] = table.loc[first]


def misspell_kind(table: pd.DataFrame, world: World) -> None:
    table.loc[_row(table, "random"), "kind"] = "burtsy"


def misspell_meaning(table: pd.DataFrame, world: World) -> None:
    table.loc[_row(table, "bursty"), "meaning"] = "naturel"


def ask_trained_action(table: pd.DataFrame, world: World) -> None:
    table.loc[_row(table, "random"), "query"] = _clip(world, "train")


# What breaks, and the column of `violations` that counts it.
TRAIN: dict[Mutation, str] = {
    leak_query: "queries_in_context",
    repeat_item: "repeated_items",
    drop_item: "missing_or_extra_items",
    show_undecoded: "clips_without_frames",
    show_unknown: "clips_without_frames",
    take_from_test: "items_from_other_splits",
    ask_from_val: "queries_from_other_splits",
    show_query_action: "items_of_the_query_action",
    unbalance_ways: "uneven_actions",
    drop_query_action: "wrong_share_of_the_query_action",
    share_class: "classes_shared_by_actions",
    lose_narration: "missing_or_extra_narrations",
    swap_narrations: "foreign_narrations",
    second_word: "words_beside_the_class_word",
    homonym: "words_of_several_classes",
}
NOVEL: dict[Mutation, str] = {ask_trained_action: "trained_actions"}
# Seen without any other table.
FORM: dict[Mutation, str] = {
    ask_twice: "expect_compound_columns_to_be_unique",
    misspell_kind: "expect_column_values_to_be_in_set",
    misspell_meaning: "expect_column_values_to_be_in_set",
}
