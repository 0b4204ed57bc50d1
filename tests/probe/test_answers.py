import pytest

from eilev.io import DataError
from eilev.probe.answers import Answer, open_log

FIRST, SECOND = Answer("one", "stop", 0.5, 10, 5), Answer("zwei\n\u2028", None)


def test_a_torn_line_costs_itself_only(tmp_path):
    path = tmp_path / "deep" / "answers.jsonl"
    with open_log(path) as log:
        log.add("a", FIRST)
        log.add("b", SECOND)
    whole = path.read_bytes()
    for torn in (whole[:-1], whole[:-9], whole + b'{"key": "c", "te'):
        path.write_bytes(torn)
        with open_log(path) as log:
            assert log.answers.get("a") == FIRST
            log.add("d", SECOND)
        with open_log(path) as log:
            assert log.answers["d"] == SECOND
            assert set(log.answers) <= {"a", "b", "d"}


def test_another_file_is_not_touched(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"question": 1}\n')
    with pytest.raises(DataError, match=r"answers\.jsonl: line 1: not an answer; choose another"):
        open_log(path).__enter__()
    assert path.read_text() == '{"question": 1}\n'
