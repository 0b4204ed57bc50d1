"""Write the tables and figures that README.md and docs/ show of runs.

    python -m tools.results [PAGE ...]

Without a page all of them are written. Nothing is, while a file of results is missing.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from eilev import paths
from eilev.config.conditions import CONTRASTIVE_SHUFFLED
from eilev.config.params import load_params
from eilev.experiments.results import RESULTS, band
from eilev.experiments.variants import VARIANTS
from eilev.io import DataError, read_json
from eilev.report.charts import in_context_curves, seed_bands
from tools.markers import between

MARKER = "table"
IMAGES = Path("docs/images")
NOT_MEASURED = "–"  # noqa: RUF001  (a dash, as in print)

Results = Mapping[str, Any]
Spread = Mapping[str, float] | None
# Text of each file, by its path from the root.
Files = dict[Path, str]


@dataclass(frozen=True)
class Page:
    """A page whose table and figures come from a file of results."""

    results: Path
    # What writes the results.
    target: str
    # The root, the page and its results -> the table, and the pictures by name.
    render: Callable[[Path, str, Results], tuple[str, dict[str, str]]]


def main(names: Sequence[str]) -> None:
    """Write the pages that are named, or all."""
    try:
        for path, text in render(Path(), names or list(PAGES)).items():
            path.write_text(text)
    except ValueError as error:
        sys.exit(f"error: {error}")


def render(root: Path, names: Sequence[str]) -> Files:
    """Text of each page and picture, by its path from the root.

    Raises:
        DataError: there is no such page, or files of results are missing; all are named.
        ValueError: a page lacks its markers.
    """
    if unknown := [name for name in names if name not in PAGES]:
        raise DataError(f"no page {', '.join(unknown)}; there are {', '.join(PAGES)}")
    pages = {name: PAGES[name] for name in names}
    missing = [page for page in pages.values() if not (root / page.results).is_file()]
    if missing:
        raise DataError(
            "; ".join(f"{p.results} is missing, run `make {p.target}`" for p in missing)
        )
    files: Files = {}
    for name, page in pages.items():
        text = (root / name).read_text()
        table, pictures = page.render(root, text, read_json(root / page.results))
        files[Path(name)] = between(text, MARKER, table)
        files |= {IMAGES / picture: drawn for picture, drawn in pictures.items()}
    return files


def render_default(root: Path, _: str, metrics: Results) -> tuple[str, dict[str, str]]:
    """The curves of one run of the default: README.md."""
    ways = load_params(root / "params.yaml").episodes.evaluation.ways
    novel, test = metrics["novel"], metrics["test"]
    shots = list(novel["bursty"]["shots"])
    shuffled = metrics["probes"]["novel"][CONTRASTIVE_SHUFFLED]
    contrastive = f"novel actions, contrastive contexts ({ways}-way)"
    cells = {
        contrastive: _accuracies(novel.get("contrastive", {}), shots),
        "the same, videos exchanged against their texts": [
            _figure(shuffled.get(count)) for count in shots
        ],
        "novel actions, bursty contexts": _accuracies(novel["bursty"], shots),
        "the same, videos exchanged": _accuracies(novel.get("shuffled", {}), shots),
        "the same, videos blank": _accuracies(novel.get("no_video", {}), shots),
        "the same, told in new words": _accuracies(novel.get("new_words", {}), shots),
        "trained actions, bursty contexts": _accuracies(test["bursty"], shots),
        "trained actions, random contexts": _accuracies(test.get("random", {}), shots),
    }
    cells[contrastive][-1] = f"**{cells[contrastive][-1]}**"
    table = markdown(["shots", *shots], [[label, *values] for label, values in cells.items()])
    return table, {"in_context_curves.svg": in_context_curves(metrics)}


def render_ablations(root: Path, page: str, results: Results) -> tuple[str, dict[str, str]]:
    """A row per variant, and the figures of those that the page shows: docs/ablations.md."""
    head = ["variant", "seeds", "novel, bursty", "in-context gain", "against the default"]
    head += ["novel, contrastive", "the same, videos exchanged", "test, no context", "test, bursty"]
    rows = [
        [
            variant,
            str(entry["seeds"]),
            spread(entry["novel_score"]),
            spread(entry["in_context_gain"]),
            entry.get("versus", {}).get("novel_score") or "",
            spread(entry["contrastive_score"]),
            spread(entry["contrastive_shuffled"]),
            spread(entry["in_weights"]),
            spread(_at(entry, "test", "bursty")),
        ]
        for variant, entry in _ordered(root, results)
    ]
    shown = re.findall(r"images/ablation_(\w+)\.svg", page)
    pictures = {
        f"ablation_{variant}.svg": _bands(results, "default", variant, "contrastive")
        for variant in shown
    }
    return markdown(head, rows), pictures


PAGES = {
    "README.md": Page(paths.METRICS, "repro", render_default),
    "docs/ablations.md": Page(paths.DATA / "ablations" / RESULTS, "ablations", render_ablations),
}


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A table.

    >>> markdown(["shots", "0"], [["novel", "0.500"]])
    '| shots | 0 |\n|---|---|\n| novel | 0.500 |'
    """
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def spread(values: Spread) -> str:
    """Mean, least and greatest over seeds; a dash for what was not measured.

    >>> spread({"mean": 0.5, "min": 0.25, "max": 0.75}), spread(None)
    ('0.500 (0.250 to 0.750)', '–')
    """
    return (
        f"{values['mean']:.3f} ({values['min']:.3f} to {values['max']:.3f})"
        if values
        else NOT_MEASURED
    )


def _accuracies(entry: Results, shots: Sequence[str]) -> list[str]:
    curve = entry.get("shots", {})
    return [_figure(curve.get(count, {}).get("action_accuracy")) for count in shots]


def _figure(accuracy: float | None) -> str:
    return NOT_MEASURED if accuracy is None else f"{accuracy:.3f}"


def _at(entry: Results, split: str, condition: str, shots: str | None = None) -> Spread:
    """A point of a curve, at the most shots if none are given."""
    curve: Mapping[str, Spread] = entry["curves"][split].get(condition, {})
    return curve.get(shots or max(curve, key=int, default=""))


def _bands(results: Results, reference: str, variant: str, condition: str) -> str:
    bands = {name: band(results[name], condition) for name in (reference, variant)}
    return seed_bands(bands, f"novel actions, {condition} contexts")


def _ordered(root: Path, results: Results) -> list[tuple[str, Any]]:
    """The variants in the order in which experiments/variants.yaml explains them."""
    names = yaml.safe_load((root / VARIANTS).read_text())
    return [(name, results[name]) for name in names if name in results]


if __name__ == "__main__":
    main(sys.argv[1:])
