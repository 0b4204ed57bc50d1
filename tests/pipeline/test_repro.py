"""The whole pipeline as `dvc repro` runs it: a tiny kitchen in a copy of this tree."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmarks.small import copy_tree
from eilev import paths
from eilev.bundle.manifest import Manifest
from eilev.config import conditions
from eilev.config.params import load_params
from eilev.model.checkpoint import load_model
from eilev.parquet import read_table
from eilev.schema import PREDICTIONS
from tests.pipeline.dvc import run_dvc

ROOT = Path(__file__).parents[2]

# Depth is what exporting takes time for; the loss on attention asks the text part for two layers.
SHALLOW = {part: {"num_hidden_layers": 1} for part in ("vision", "qformer")}
# Changes to the committed params.yaml that make it small.
SMALL = {
    "synthesize": {"num_actions": 400, "num_videos": 16, "num_verbs": 4, "num_nouns": 8},
    "split": {"train_val_share": 0.7, "train_share": 0.8},
    "episodes": {
        "train": [
            {
                "name": "clips",
                "epochs": 1,
                "shots": [0],
                "max_queries": 32,
                "marginal": None,
                "mixture": [{"kind": "bursty", "meaning": "natural", "share": 1.0}],
            },
            {
                "name": "contexts",
                "epochs": 1,
                "shots": [0, 2],
                "max_queries": 48,
                "marginal": None,
                "mixture": [{"kind": "bursty", "meaning": "natural", "share": 1.0}],
            },
        ],
        "val": {
            "shots": [2],
            "max_queries": 16,
            "marginal": None,
            "mixture": [{"kind": "bursty", "meaning": "permuted", "share": 1.0}],
        },
        "evaluation": {
            "shots": [0, 2],
            "kinds": ["bursty", "random", "contrastive"],
            "meaning": "natural",
            "ways": 2,
            "max_queries": 8,
        },
    },
    "validate": {
        "num_narrations": {"min": 100, "max": None},
        "zipf_exponent": {"min": 0.1, "max": None},
        "verb_homonymy": {"min": None, "max": None},
        "noun_homonymy": {"min": None, "max": None},
        "phases": [
            {
                "name": "clips",
                "burstiness": {"min": None, "max": None},
                "burstiness_above_random": {"min": None, "max": None},
                "verb_homonymy": None,
                "noun_homonymy": None,
            },
            {
                "name": "contexts",
                "burstiness": {"min": 0.5, "max": None},
                "burstiness_above_random": {"min": 0.05, "max": None},
                "verb_homonymy": None,
                "noun_homonymy": None,
            },
        ],
    },
    "train": {
        "phases": [
            {
                "name": "clips",
                "freeze": [],
                "learning_rate_scale": 1.0,
                "language": 1.0,
                "guidance": 0.0,
                "naming": 1.0,
            },
            {
                "name": "contexts",
                "freeze": ["vision_model"],
                "learning_rate_scale": 0.5,
                "language": 1.0,
                "guidance": 1.0,
                "naming": 0.0,
            },
        ],
        "batch_size": 16,
        "accumulation_steps": 2,
        "validate_every": 2,
        "checkpoint_every": 2,
    },
    # Trained for a moment, it hardly prefers one word to another.
    "export": {
        "parity_episodes": 4,
        "int8": {"max_logit_difference": 6.0, "min_action_agreement": 0.0},
    },
    "report": {"num_samples": 2},
}


class Project:
    """A copy of this tree under DVC, with a cache of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        copy_tree(folder)

    def params(self, changes: dict) -> None:
        """Write the small params.yaml with more changes on top."""
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        for layer in (SMALL, changes):
            for section, values in layer.items():
                params[section].update(values)
        for part, values in SHALLOW.items():
            params["train"]["model"]["scratch"][part].update(values)
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params))

    def results(self) -> dict[str, bytes]:
        """Every file that the stages wrote."""
        files = (path for path in (self.folder / "data").rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}

    def ran(self) -> list[str]:
        """The stages that `dvc repro` runs, but for the inventory, which always does."""
        done = self.dvc("repro")
        assert done.returncode == 0, done.stderr
        ran = re.findall(r"^Running stage '(.*)':", done.stdout, re.MULTILINE)
        assert ran[0] == "inventory/dvc.yaml:inventory"
        return ran[1:]

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess:
        return run_dvc(self.folder, *arguments, SHELL="/bin/bash", OMP_NUM_THREADS="2")


def succeed(result: subprocess.CompletedProcess) -> str:
    """What a command that succeeds has written to stderr."""
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project after one whole run, and what that wrote to stderr until it had trained."""
    project = Project(tmp_path_factory.mktemp("repro"))
    project.params({})
    told = succeed(project.dvc("repro", "train"))
    succeed(project.dvc("repro"))
    return project, told


@pytest.fixture(scope="module")
def project(run: tuple[Project, str]) -> Project:
    return run[0]


def test_two_processes_train_one_model_in_pieces(run: tuple[Project, str]) -> None:
    project, told = run
    launch = yaml.safe_load((project.folder / "accelerate.yaml").read_text())
    assert launch["num_processes"] == 2
    assert json.loads((project.folder / paths.TRAIN_METRICS).read_text())["steps"] == 5
    assert load_model(project.folder / paths.MODEL)
    # The other process is silent.
    assert [told.count(f"{bar}:   0%") for bar in ("decode clips", "train")] == [1, 1]
    losses = pd.read_csv(project.folder / paths.LIVE / "plots/metrics/train/loss.tsv", sep="\t")
    assert losses["step"].is_unique
    assert losses["step"].iloc[-1] == 5


def test_metrics_have_the_agreed_form(project: Project) -> None:
    metrics = json.loads((project.folder / "data/evaluate/metrics.json").read_text())
    assert set(metrics) == {
        *("test", "novel", "data", "model", "probes", "baselines", "text_metrics")
    }
    for split in ("test", "novel"):
        assert set(metrics[split]) == set(conditions.ASKED_FOR)
        for entry in metrics[split].values():
            assert set(entry["shots"]) == {"0", "2"}
            assert entry["unavailable"] == {}
            for scores in entry["shots"].values():
                assert 0 <= scores["action_accuracy"] <= scores["verb_accuracy"] <= 1
                assert {"noun_accuracy", "rouge_l", "bleu"} <= set(scores)
    assert {"parameters", "trainable", "steps", "phase_steps"} <= set(metrics["model"])


def test_accuracy_is_what_the_predictions_say(project: Project) -> None:
    metrics = json.loads((project.folder / "data/evaluate/metrics.json").read_text())
    table = read_table(project.folder / "data/evaluate/predictions.parquet", PREDICTIONS)
    cell = table.query("split == 'novel' and condition == 'bursty' and shots == 2")
    right = (cell["verb_correct"] & cell["noun_correct"]).mean()
    assert metrics["novel"]["bursty"]["shots"]["2"]["action_accuracy"] == pytest.approx(right)


def test_the_bundle_answers_as_torch_does(project: Project) -> None:
    parity = json.loads((project.folder / "data/export/metrics.json").read_text())
    assert parity["identical_narrations"] == parity["episodes"] == 4
    limit = load_params(project.folder / "params.yaml").export.max_logit_difference
    assert parity["max_logit_difference"] <= limit
    manifest = Manifest.load(project.folder / "data/export/precisions/int8")
    assert manifest.parity is not None
    assert manifest.parity.max_logit_difference == pytest.approx(
        parity["precisions"]["int8"]["max_logit_difference"]
    )


def test_the_report_stands_alone(project: Project) -> None:
    page = (project.folder / "data/report/index.html").read_text()
    assert page.count('class="episode"') == 2
    assert "data:image/jpeg;base64," in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page


def test_a_second_run_does_nothing_and_the_cache_restores_results(project: Project) -> None:
    assert project.ran() == []
    shutil.rmtree(project.folder / "data/episodes")
    shutil.rmtree(project.folder / "data/train")
    assert project.dvc("checkout", "dvc.yaml").returncode == 0
    assert (project.folder / "data/train/model/model.safetensors").is_file()
    assert project.ran() == []


def test_what_takes_long_is_not_made_again_although_no_lock_file_names_it(
    project: Project,
) -> None:
    before, lock = project.results(), project.folder / "dvc.lock"
    locked = lock.read_text()
    lock.unlink()
    shutil.rmtree(project.folder / "data/clips")
    done = project.dvc("repro", "clips")
    succeed(done)
    cached = re.findall(r"^Stage '(.*)' is cached", done.stdout, re.MULTILINE)
    assert cached == ["synthesize", "clips"]
    assert project.results() == before
    lock.write_text(locked)


def test_broken_burstiness_stops_before_training(project: Project) -> None:
    before = project.results()
    clips, contexts = SMALL["episodes"]["train"]
    random = contexts | {"mixture": [{"kind": "random", "meaning": "natural", "share": 1.0}]}
    project.params({"episodes": SMALL["episodes"] | {"train": [clips, random]}})
    result = project.dvc("repro")
    project.params({})
    assert result.returncode != 0
    assert "expect_burstiness_between" in result.stderr
    assert "observed" in result.stderr
    assert "Running stage 'train'" not in result.stdout
    after = project.results()
    trained = [name for name in before if not name.startswith(("data/episodes", "data/validate"))]
    assert {name: after[name] for name in trained} == {name: before[name] for name in trained}


@pytest.mark.parametrize(
    ("section", "key"), [("clips", "num_frams"), ("episodes", "burstiness"), ("train", "lr")]
)
def test_an_unknown_key_is_named_and_results_stay(project: Project, section: str, key: str) -> None:
    before = project.results()
    project.params({section: {key: 1}})
    result = project.dvc("repro", section)
    project.params({})
    assert result.returncode != 0
    assert f"params.yaml: {section}.{key}: Extra inputs are not permitted" in result.stderr
    assert project.results() == before


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"videos": []}, "fho_main.json: no narrated action is usable"),
        ({"clips": []}, "fho_main.json: not in the schema"),
        ("not JSON", "fho_main.json: not valid JSON"),
    ],
)
def test_bad_annotations_are_named_and_results_stay(
    project: Project, annotations: object, message: str
) -> None:
    path = project.folder / "bad" / "fho_main.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(annotations if isinstance(annotations, str) else json.dumps(annotations))
    before = project.results()
    project.params({"ingest": {"annotations": "bad/fho_main.json"}})
    result = project.dvc("repro", "ingest")
    project.params({})
    assert result.returncode != 0
    assert message in result.stderr
    assert project.results() == before
