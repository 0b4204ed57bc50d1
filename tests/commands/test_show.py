import pytest

from eilev import paths, schema
from eilev.cli import main
from eilev.io import write_json
from eilev.parquet import write_table
from tests.kitchen import make_kitchen, write_shard


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen()


@pytest.fixture
def workspace(tmp_path, monkeypatch, kitchen):
    monkeypatch.chdir(tmp_path)
    write_table(kitchen.narrations, schema.NARRATIONS, paths.NARRATIONS)
    for split, table in kitchen.episodes.items():
        write_table(table, schema.EPISODES, paths.EPISODES / f"{split}.parquet")
    write_shard(kitchen.clips)
    return tmp_path


def write_answers(episodes):
    row = episodes[(episodes["kind"] == "random") & (episodes["shots"] == 2)].iloc[[0]]
    answer = row[["query", "context", "shots"]].assign(
        split="novel",
        condition="random",
        narration="unused",
        generated="The camera wearer <b>flies</b>.",
        confidence=0.5,
        verb_correct=False,
        noun_correct=True,
    )
    write_table(answer, schema.PREDICTIONS, paths.PREDICTIONS)
    return answer["query"].item()


def test_every_clip_of_an_episode_is_drawn_with_its_narration(workspace, kitchen, capsys):
    main(["show", "--kind", "bursty", "--shots", "2", "--number", "1"])
    page = (workspace / "episodes.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3
    assert "bursty, natural, 2 shots" in page
    assert "model:" not in page
    assert "1 of 6 episodes: episodes.html" in capsys.readouterr().out


def test_permuted_episodes_show_their_own_narrations(workspace, kitchen):
    train = kitchen.episodes["train"]
    row = train[train["meaning"] == "permuted"].iloc[0]
    main(
        [
            *("show", "--episodes", str(paths.EPISODES / "train.parquet"), "--out", "own.html"),
            *("--meaning", "permuted", "--query", row["query"], "--number", "1000"),
        ]
    )
    page = (workspace / "own.html").read_text()
    assert all(text in page for text in row["narrations"])


def test_an_answer_is_shown_where_there_is_one_and_escaped(workspace, kitchen):
    query = write_answers(kitchen.episodes["novel"])
    main(["show", "--kind", "random", "--shots", "2", "--query", query])
    page = (workspace / "episodes.html").read_text()
    assert "model:" in page
    assert "&lt;b&gt;flies" in page


def test_no_such_episode_names_what_was_asked(workspace):
    with pytest.raises(SystemExit, match=r"novel\.parquet: no episode with shots 99$"):
        main(["show", "--shots", "99"])


def test_a_kind_that_the_corpus_cannot_give_is_told_with_its_reason(workspace, kitchen):
    novel = kitchen.episodes["novel"]
    table = novel[novel["kind"] != "contrastive"]
    write_table(table, schema.EPISODES, paths.EPISODES / "novel.parquet")
    cell = {"episodes": 0, "left_out": 6, "reason": "6 x too few clips"}
    write_json({"novel": {"contrastive": {"2": cell}}}, paths.EPISODES_SUMMARY)
    with pytest.raises(SystemExit, match="no episode with kind contrastive: 6 x too few clips"):
        main(["show", "--kind", "contrastive"])


def test_a_missing_table_is_named(workspace):
    with pytest.raises(SystemExit, match=r"nowhere\.parquet: no such file"):
        main(["show", "--episodes", "nowhere.parquet"])
