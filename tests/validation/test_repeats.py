"""Questions that are asked twice, however far apart."""

import pandas as pd

from eilev.episodes.facts import ClipFacts
from eilev.validation.repeats import ASKED, Repeats

Question = tuple[str, str, int, int]


def _repeated(facts: ClipFacts, *pieces: list[Question]) -> pd.DataFrame:
    repeats = Repeats(facts)
    for piece in pieces:
        table = pd.DataFrame(piece, columns=ASKED)
        repeats.add(table, facts.ids.find(table["query"]))
    return repeats.rows()


def test_all_rows_of_a_repeated_question_are_found(facts: ClipFacts) -> None:
    first, second = facts.ids[3], facts.ids[4]
    found = _repeated(
        facts,
        [(first, "bursty", 4, 0), (second, "bursty", 4, 0), ("nobody", "random", 4, 0)],
        [],
        [(first, "bursty", 4, 1), (first, "random", 4, 0), ("nobody", "random", 4, 0)],
        [(second, "bursty", 4, 0), (first, "bursty", 8, 0), ("no one", "random", 4, 0)],
    )
    assert found.index.tolist() == [1, 2, 5, 6]
    assert [*found.itertuples(index=False, name=None)] == [
        (second, "bursty", 4, 0),
        ("nobody", "random", 4, 0),
        ("nobody", "random", 4, 0),
        (second, "bursty", 4, 0),
    ]


def test_different_questions(facts: ClipFacts) -> None:
    found = _repeated(facts, [(name, "bursty", 4, 0) for name in facts.ids])
    assert found.empty
    assert list(found) == ASKED
    assert _repeated(facts).empty
