"""What the ablations came to: the spread over seeds of each variant, as JSON and as a page.

python -m eilev.ablations.results
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eilev.ablations.run import METRICS
from eilev.io import DataError, atomic_file, read_json, write_json
from eilev.report.charts import Band, seed_bands
from eilev.report.page import fill

RESULTS = METRICS.parent / "results.json"
PAGE = METRICS.parent / "index.html"

FULL = "eilev"
TITLES = {
    "no_burst": "Without burstiness: random contexts",
    "no_skew": "Without skew: the top actions equally often",
    "no_dynamic_meaning": "Without dynamic meaning: one word per class",
    "no_context": "Without contexts (VideoBLIP)",
    "contrastive": "With contrastive contexts in the mixture",
}
_NAME = re.compile(r"(?P<variant>.+)-(?P<seed>\d+)")

# {variant: [metrics.json of each seed]}
Runs = Mapping[str, Sequence[Mapping[str, Any]]]


def main() -> None:
    """Write results.json and index.html."""
    try:
        runs = read_runs(METRICS)
        results = summarise(runs)
        write_json(results, RESULTS)
        with atomic_file(PAGE) as temporary:
            temporary.write_text(render(results))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def read_runs(folder: Path) -> dict[str, list[Any]]:
    """Metrics of every finished run by variant, seeds rising.

    Raises:
        DataError: the full recipe has not been run, there is nothing to compare with.
    """
    runs: dict[str, list[Any]] = {}
    for path in sorted(folder.glob("*.json")):
        found = _NAME.fullmatch(path.stem)
        if found:
            runs.setdefault(found["variant"], []).append(read_json(path))
    if FULL not in runs:
        raise DataError(f"{folder}: no run of '{FULL}' to compare with; run `make ablations`")
    return runs


def summarise(runs: Runs) -> dict[str, Any]:
    """Curves with their spread, the two figures that decide, and how variants compare.

    Returns:
        {variant: {"seeds": number, "curves": {split: {condition: {shots: spread}}}, "novel_score":
        spread, "in_context_gain": spread, "versus_eilev": {figure: verdict}}}; a spread has mean,
        min and max over seeds. Both figures are about bursty contexts of novel actions at the
        largest number of shots.
    """
    results = {variant: _summary(metrics) for variant, metrics in runs.items()}
    for variant, summary in results.items():
        if variant != FULL:
            summary["versus_eilev"] = {
                figure: verdict(summary[figure], results[FULL][figure])
                for figure in ("novel_score", "in_context_gain")
            }
    return results


def verdict(other: Mapping[str, float], full: Mapping[str, float]) -> str:
    """Compare two spreads: "lower" or "higher" only where they do not overlap.

    >>> verdict({"min": 0.1, "max": 0.3}, {"min": 0.5, "max": 0.6})
    'lower'
    >>> verdict({"min": 0.4, "max": 0.55}, {"min": 0.5, "max": 0.6})
    'overlapping'
    """
    if other["max"] < full["min"]:
        return "lower"
    return "higher" if other["min"] > full["max"] else "overlapping"


def _summary(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    curves = {
        split: {
            condition: {
                shots: _spread(
                    [run[split][condition]["shots"][shots]["action_accuracy"] for run in metrics]
                )
                for shots in entry["shots"]
            }
            for condition, entry in metrics[0][split].items()
        }
        for split in ("novel", "test")
    }
    bursty = [run["novel"]["bursty"]["shots"] for run in metrics]
    most = max(bursty[0], key=int)
    scores = [run[most]["action_accuracy"] for run in bursty]
    gains = [run[most]["action_accuracy"] - run["0"]["action_accuracy"] for run in bursty]
    return {
        "seeds": len(metrics),
        "curves": curves,
        "novel_score": _spread(scores),
        "in_context_gain": _spread(gains),
        "seconds": _spread([run["model"]["seconds"] for run in metrics]),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": sum(values) / len(values), "min": min(values), "max": max(values)}


def render(results: Mapping[str, Any]) -> str:
    """One figure per variant beside the full recipe, and the table."""
    figures = {
        title: "".join(
            seed_bands(
                {name: _band(results[name], condition) for name in (FULL, variant)},
                f"novel actions, {condition} contexts",
            )
            for condition in ("bursty", "contrastive")
        )
        for variant, title in TITLES.items()
        if variant in results
    }
    return fill("ablations.html.j2", figures=figures, results=results, full=FULL)


def _band(summary: Mapping[str, Any], condition: str) -> Band:
    curve = summary["curves"]["novel"][condition]
    return [(int(shots), s["mean"], s["min"], s["max"]) for shots, s in curve.items()]


if __name__ == "__main__":
    main()
