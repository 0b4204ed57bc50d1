"""Tables and figures of runs: the committed pages, written again from results that say the same."""

import doctest
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from eilev.io import DataError
from tools import results
from tools.results import NOT_MEASURED, PAGES, render, spread

ROOT = Path(__file__).parents[2]
SPREAD = re.compile(r"(\S+) \((\S+) to (\S+)\)")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The pages and parameters of the repository, and results as their tables have them."""
    for name in (*PAGES, "params.yaml", "experiments/variants.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    _write(tmp_path, "README.md", _metrics())
    _write(tmp_path, "docs/ablations.md", _ablations())
    return tmp_path


def _write(root: Path, name: str, values: Any) -> None:
    path = root / PAGES[name].results
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def _table(name: str) -> list[list[str]]:
    """Cells of a committed table."""
    text = (ROOT / name).read_text().split("<!-- table -->\n")[1].split("<!-- end -->")[0]
    lines = [line for line in text.splitlines() if not line.startswith("|---")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def _metrics() -> dict[str, Any]:
    (_, *shots), *rows = _table("README.md")
    keys = (
        ("novel", "contrastive"),
        ("probes", "contrastive_shuffled"),
        ("novel", "bursty"),
        ("novel", "shuffled"),
        ("novel", "no_video"),
        ("novel", "new_words"),
        ("test", "bursty"),
        ("test", "random"),
    )
    metrics: dict[str, Any] = {"novel": {}, "test": {}, "probes": {"novel": {}}}
    for (split, condition), (_, *cells) in zip(keys, rows, strict=True):
        values = dict(zip(shots, cells, strict=True))
        if split == "probes":
            known = {k: float(cell) for k, cell in values.items() if cell != NOT_MEASURED}
            metrics["probes"]["novel"][condition] = known
            continue
        metrics[split][condition] = {
            "shots": {
                count: {"action_accuracy": float(cell.strip("*"))}
                for count, cell in values.items()
                if cell != NOT_MEASURED
            }
        }
    return metrics


def _spread(cell: str) -> dict[str, float]:
    found = SPREAD.fullmatch(cell)
    assert found
    return dict(zip(("mean", "min", "max"), map(float, found.groups()), strict=True))


def _ablations() -> dict[str, Any]:
    _, *rows = _table("docs/ablations.md")
    entries = {}
    for variant, seeds, score, gain, versus, contrastive, shuffled, weights, test in rows:
        entries[variant] = {
            "seeds": int(seeds),
            "novel_score": _spread(score),
            "in_context_gain": _spread(gain),
            "contrastive_score": _spread(contrastive),
            "contrastive_shuffled": _spread(shuffled),
            "in_weights": _spread(weights),
            "curves": {
                "novel": {
                    "bursty": {"0": _spread(gain), "8": _spread(score)},
                    "contrastive": {"0": _spread(gain), "8": _spread(contrastive)},
                },
                "test": {"bursty": {"0": _spread(weights), "8": _spread(test)}},
            },
            **({"versus": {"novel_score": versus}} if versus else {}),
        }
    # As results.json has them: in alphabetical order.
    return dict(sorted(entries.items()))


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_comes_out_again(root: Path, name: str) -> None:
    assert render(root, [name])[Path(name)] == (ROOT / name).read_text()


def test_pictures_are_those_that_the_pages_show(root: Path) -> None:
    written = {path.as_posix() for path in render(root, list(PAGES))}
    shown = {
        f"docs/images/{picture}"
        for name in PAGES
        for picture in re.findall(r"images/(\w+\.svg)", (ROOT / name).read_text())
    }
    assert written == shown | set(PAGES)


def test_the_command_writes_new_figures(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = _metrics()
    metrics["novel"]["contrastive"]["shots"]["8"]["action_accuracy"] = 0.5
    _write(root, "README.md", metrics)
    (root / "docs/images").mkdir()
    monkeypatch.chdir(root)
    results.main(["README.md"])
    assert "| **0.500** |" in (root / "README.md").read_text()
    assert "<svg" in (root / "docs/images/in_context_curves.svg").read_text()
    assert (root / "docs/ablations.md").read_text() == (ROOT / "docs/ablations.md").read_text()


def test_what_was_not_measured_is_a_dash(root: Path) -> None:
    entries = _ablations()
    weights = spread(entries["default"]["in_weights"])
    entries["default"]["contrastive_score"] = None
    entries["default"]["curves"]["test"] = {}
    _write(root, "docs/ablations.md", entries)
    page = render(root, ["docs/ablations.md"])[Path("docs/ablations.md")]
    shuffled = spread(entries["default"]["contrastive_shuffled"])
    assert f"| {NOT_MEASURED} | {shuffled} | {weights} | {NOT_MEASURED} |" in page


def test_missing_results_are_named_and_nothing_is_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "data/ablations/results.json").unlink()
    before = (root / "README.md").read_bytes()
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as stopped:
        results.main([])
    assert stopped.value.code == (
        "error: data/ablations/results.json is missing, run `make ablations`"
    )
    assert (root / "README.md").read_bytes() == before
    assert not (root / "docs/images").exists()


def test_an_unknown_page_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"no page docs/plan\.md; there are README\.md"):
        render(root, ["docs/plan.md"])


def test_worked_examples() -> None:
    assert doctest.testmod(results).failed == 0
