"""Killed stages, run again, leave what an undisturbed run leaves: a kill of each kind, where
`python -m benchmarks.kills` has them in all stages."""

import signal

import pytest

from benchmarks.kills import Kill, try_kill
from benchmarks.small import Project, undisturbed

KILL, TERM, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT

# Each at a share of the stage's time.
KILLS = [
    (Kill("synthesize", KILL, "group"), 0.6),
    (Kill("synthesize", KILL, "stage"), 0.4),
    (Kill("synthesize", INT, "group"), 0.5),
    (Kill("synthesize", TERM, "dvc"), 0.1),
    (Kill("ingest", INT, "dvc"), 0.2),
    (Kill("ingest", KILL, "dvc.lock"), 0.0),
    (Kill("clips", KILL, "dvc"), 0.6),
    (Kill("clips", KILL, "worker"), 0.5),
    (Kill("clips", TERM, "group"), 0.5),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("kills"), until="clips")


@pytest.fixture(scope="module")
def seconds(project):
    return undisturbed(project)


@pytest.fixture(scope="module")
def expected(project, seconds):
    return project.results()


@pytest.mark.parametrize(("kill", "share"), KILLS, ids=str)
def test_what_was_killed_ends_as_if_it_had_not_been(project, seconds, expected, kill, share):
    outcome = try_kill(project, kill, share * seconds[kill.stage], expected)
    assert not outcome.needed_hand, outcome.output
    assert outcome.differing == []
    assert outcome.left == 0
