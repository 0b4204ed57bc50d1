"""The gate and the registry on a real repository of git and DVC."""

import json
import shutil
import subprocess

import pytest
import yaml

from benchmarks.running import free_port
from eilev import paths
from eilev.bundle.manifest import Manifest
from eilev.release.registry import read_registry
from tests.release.projects import commit_model
from tests.repositories import call, dvc


def names(versions):
    return [version.name for version in versions]


def history(root):
    return names(read_registry(root, "prod").assigned)


def overwrite(path, text):
    """Write a file that may be a link into DVC's cache."""
    path.unlink()
    path.write_text(text)


def test_a_worse_model_is_refused_and_a_better_one_promoted(project, eilev, refusal, capsys):
    assert "nothing is promoted yet" in eilev("release")
    commit_model(project, 0.6, left=0.4)
    line = refusal("release")
    told = capsys.readouterr().out
    assert "REFUSED  novel.contrastive.shots.8.action_accuracy: 0.6, must be at least 0.7; " in told
    assert "promoted 0.7" in told
    assert "videos blank: 0.2, must be at least 0.4; promoted 0.6" in told
    assert "of 9 rules refuse it: novel.contrastive.shots.8.action_accuracy; " in line
    assert history(project) == ["v0.0.1"]

    commit_model(project, 0.8)
    eilev("release")
    assert history(project) == ["v0.0.1", "v0.0.2"]
    # Again, with another commit that changes no model: nothing is to be done.
    call(project, "git", "commit", "-q", "--allow-empty", "-m", "Words")
    assert "it is v0.0.2, which is promoted" in eilev("release")
    assert history(project) == ["v0.0.1", "v0.0.2"]


def test_rollbacks_lead_further_back_and_what_was_rolled_back_stays_out(project, eilev, refusal):
    manifests = [Manifest.load(paths.BUNDLE)]
    eilev("release")
    for score in (0.8, 0.9):
        manifests.append(commit_model(project, score))
        eilev("release")
    eilev("rollback", "--into", "elsewhere")
    assert Manifest.load(project / "elsewhere") == manifests[1]
    assert Manifest.load(paths.BUNDLE) == manifests[2]
    assert "was rolled back to v0.0.2; `eilev rollback --to v0.0.3`" in refusal("release")
    eilev("rollback")
    assert Manifest.load(paths.BUNDLE) == manifests[0]
    assert history(project) == ["v0.0.1", "v0.0.2", "v0.0.3", "v0.0.2", "v0.0.1"]
    assert "data/export/bundle is not what dvc.lock says (modified)" in refusal("release")
    assert "nothing older than v0.0.1 was in stage 'prod'" in refusal("rollback")
    assert "there is no version v9.0.0 of eilev; registered: v0.0.1" in refusal(
        "rollback", "--to", "v9.0.0"
    )


def test_a_check_changes_nothing_and_exits_with_the_answer(project, eilev, capsys):
    for score, code in ((0.7, 0), (0.2, 1)):
        if code:
            commit_model(project, score)
        with pytest.raises(SystemExit) as ended:
            eilev("release", "--check")
        assert ended.value.code == code
    assert read_registry(project, "prod").versions == ()


def test_the_card_says_what_is_left_and_stays_with_the_tag(project, eilev):
    eilev("release")
    card = (project / "data/release/README.md").read_text()
    _, front, text = card.split("---\n", 2)
    data = yaml.safe_load(front)
    assert data["license"] == "mit"
    (model,) = data["model-index"]
    assert model["results"][0]["metrics"][0]["value"] == 0.7
    manifest = Manifest.load(paths.BUNDLE)
    for part in (
        "# EILeV, v0.0.1",
        "becomes 0.100 (exchanged)",
        "0.100 (blank)",
        "Rendered by this project",
        manifest.fingerprint,
        manifest.git_revision,
        "dvc artifacts get URL eilev --rev v0.0.1",
        "passed   novel.contrastive",
    ):
        assert part in text
    assert (project / "data/release/in_context_curves.svg").read_text().startswith("<")
    tag = ["git", "tag", "--list", "--format=%(contents)", "eilev@v0.0.1"]
    kept = subprocess.run(tag, cwd=project, capture_output=True, text=True, check=True).stdout
    assert kept.strip() == card.strip()


def change_params(project):
    with (project / "params.yaml").open("a") as file:
        file.write("# changed\n")
    return "changed since the last commit: params.yaml; commit"


def change_bundle(project):
    overwrite(project / paths.BUNDLE / "tokenizer.json", "{}")
    return "data/export/bundle is not what dvc.lock says (modified)"


def change_metrics(project):
    overwrite(project / paths.METRICS, "{}")
    return "data/evaluate/metrics.json is not what dvc.lock says (modified)"


def evaluate_alone(project):
    (project / "measured.json").write_text(json.dumps({"novel": {}}))
    dvc(project, "repro", "-q", "--single-item", "evaluate")
    call(project, "git", "commit", "-qam", "Evaluate alone")
    return "data/evaluate/metrics.json is not what data/export/bundle was exported with"


def change_code_alone(project):
    (project / "export.py").write_text((project / "export.py").read_text() + "# other")
    call(project, "git", "commit", "-qam", "Change the code, run nothing")
    return "not made by the last commit: export has another export.py; run `dvc repro`"


def export_changed_code(project):
    path = project / "export.py"
    path.write_text(path.read_text().replace(".strip()", '.strip() + "-dirty"'))
    dvc(project, "repro", "-q")
    call(project, "git", "commit", "-qam", "Export from changed code")
    return "the code: changed since commit"


@pytest.mark.parametrize(
    "change",
    [
        change_params,
        change_bundle,
        change_metrics,
        evaluate_alone,
        change_code_alone,
        export_changed_code,
    ],
)
def test_what_is_not_of_one_committed_run_is_refused_by_name(project, refusal, change):
    named = change(project)
    assert named in refusal("release", "--check")


def test_lock_files_are_committed_when_they_are_all_that_changed(project, eilev, refusal):
    call(project, "git", "reset", "-q", "--soft", "HEAD~1")
    change_params(project)
    assert "changed since the last commit: .dvc" not in refusal("release", "--commit")
    assert history(project) == []
    call(project, "git", "checkout", "-q", "params.yaml")
    eilev("release", "--commit")
    assert history(project) == ["v0.0.1"]


def test_an_import_that_was_fetched_anew_is_committed_with_them(project, eilev):
    (project / "imported.dvc").write_text("outs: []\n")
    call(project, "git", "add", ".")
    call(project, "git", "commit", "-qm", "Import")
    (project / "imported.dvc").write_text("outs: []\nfrozen: true\n")
    eilev("release", "--commit")
    assert call(project, "git", "status", "--porcelain", "--untracked-files=no") == ""


def test_metrics_that_cannot_be_had_are_told(project, eilev, refusal):
    eilev("release")
    digest = yaml.safe_load((project / "dvc.lock").read_text())["stages"]["evaluate"]["outs"][0]
    commit_model(project, 0.8)
    cached = project / ".dvc/cache/files/md5" / digest["md5"][:2] / digest["md5"][2:]
    cached.unlink()
    line = refusal("release")
    assert "data/evaluate/metrics.json of v0.0.1 is neither in DVC's cache nor in a remote" in line
    assert history(project) == ["v0.0.1"]


def test_a_server_that_is_not_there_keeps_a_version_from_being_promoted(project, eilev, refusal):
    url = f"http://127.0.0.1:{free_port()}"
    assert f"{url}/v2/repository/models/eilev/load: ConnectError" in refusal(
        "release", "--server", url
    )
    assert names(read_registry(project, "prod").versions) == ["v0.0.1"]
    assert history(project) == []
    eilev("release")
    assert history(project) == ["v0.0.1"]
    assert "--api-key-env is of no use without --server" in refusal(
        "rollback", "--api-key-env", "KEY"
    )


def test_a_clean_machine_gets_what_was_pushed(project, eilev, refusal, tmp_path):
    """A clone, and DVC's remote; the first machine's cache is gone."""
    first = Manifest.load(paths.BUNDLE)
    call(project, "git", "remote", "rename", "origin", "later")
    assert "git does not push the tags to origin" in refusal("release", "--push")
    call(project, "git", "remote", "rename", "later", "origin")
    eilev("release", "--push")
    commit_model(project, 0.8)
    eilev("release", "--push")
    eilev("rollback", "--push")
    call(project, "git", "push", "-q", "origin", "main")
    shutil.rmtree(project / ".dvc/cache")
    machine = tmp_path / "work/machine"
    call(
        tmp_path,
        "git",
        "clone",
        "-q",
        "-b",
        "main",
        str(tmp_path / "work/origin.git"),
        str(machine),
    )
    dvc(machine, "artifacts", "get", "-q", ".", "eilev", "--stage", "prod", "--out", "served")
    manifest = Manifest.load(machine / "served")
    manifest.verify(machine / "served")
    assert manifest == first
