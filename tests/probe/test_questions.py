import pytest

from eilev import schema
from eilev.config.conditions import ASKED_FOR, CONDITIONS
from eilev.io import DataError
from eilev.parquet import read_table, write_table
from eilev.probe.questions import read_questions, restrict, thin_out


@pytest.fixture(scope="module")
def questions(data):
    return read_questions(data / "episodes", data / "ingest/narrations.parquet", ["novel"], 0)


def asked(questions):
    """Of each kind of context, whom the trials ask about under each condition and shots."""
    queries = {}
    for trial in questions.trials["novel"]:
        kind = CONDITIONS[trial.condition].kind
        of_kind = queries.setdefault(kind, {})
        of_kind.setdefault((trial.condition, trial.shots), set()).add(trial.query)
    return queries


def test_fewer_requests_ask_about_the_same_queries_everywhere(questions):
    every = len(questions.requests())
    before = None
    for most in (every, every // 2, every // 3):
        fewer = thin_out(questions, most)
        assert len(fewer.requests()) <= most
        for kind, cells in asked(fewer).items():
            first, *others = cells.values()
            assert all(other == first for other in others), kind
        if before is not None:
            assert set(fewer.requests()) < before
        before = set(fewer.requests())
    assert thin_out(questions, None) is thin_out(questions, every) is questions


def test_fewer_queries_are_spread_over_all(questions):
    fewer = thin_out(restrict(questions, ["bursty"], [0]), 2)
    every = [trial.query for trial in restrict(questions, ["bursty"], [0]).trials["novel"]]
    places = [every.index(trial.query) for trial in fewer.trials["novel"]]
    assert len(every) == 6
    assert places == [0, 5]


def test_too_few_requests_for_one_query(questions):
    with pytest.raises(ValueError, match=r"--max-requests 3 is less than the \d+ requests"):
        thin_out(questions, 3)


def test_conditions_bring_along_what_they_do_in_the_evaluation(questions):
    some = restrict(questions, ["contrastive", "shuffled"], [2])
    trials = some.trials["novel"]
    assert {t.condition for t in trials} == {"contrastive", "shuffled", "contrastive_shuffled"}
    assert {t.shots for t in trials} == {2}
    with pytest.raises(ValueError, match=r"there are bursty, .*random.* at 0, 1, 2 shots"):
        restrict(questions, [*ASKED_FOR], [16])


def test_a_split_without_episodes_is_told(questions, data, tmp_path):
    novel = read_table(data / "episodes/novel.parquet", schema.EPISODES)
    write_table(novel.iloc[:0], schema.EPISODES, tmp_path / "novel.parquet")
    (tmp_path / "summary.json").write_text("{}")
    narrations = data / "ingest/narrations.parquet"
    with pytest.raises(ValueError, match="the novel episodes are empty"):
        read_questions(tmp_path, narrations, ["novel"], 0)
    with pytest.raises(DataError, match=r"no test\.parquet, novel\.parquet or novel_val"):
        (tmp_path / "novel.parquet").unlink()
        read_questions(tmp_path, narrations, ["novel"], 0)


def test_narrations_of_another_corpus_are_told(questions, data, tmp_path):
    other = tmp_path / "narrations.parquet"
    write_table(questions.narrations.iloc[:9], schema.NARRATIONS, other)
    with pytest.raises(DataError, match=r"novel\.parquet: \d+ clips, such as 'clip-\d+', are not"):
        read_questions(data / "episodes", other, ["novel"], 0)
