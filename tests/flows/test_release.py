"""The gate under a real Prefect server, on a real repository of git and DVC."""

import pytest

from eilev.release.registry import read_registry
from flows.commands import CommandError
from flows.release import release
from tests.release.conftest import finished, project  # noqa: F401
from tests.release.projects import commit_model


def test_a_refused_model_fails_the_run_and_names_the_rule(prefect, project):  # noqa: F811
    release(into="live")
    assert (project / "live/manifest.json").is_file()
    commit_model(project, 0.6)
    with pytest.raises(CommandError, match=r"rules refuse it: novel\.contrastive"):
        release()
    assert [one.name for one in read_registry(project, "prod").assigned] == ["v0.0.1"]
