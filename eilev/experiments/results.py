"""What the runs of variants came to: the spread over seeds of each, as JSON and as a page.

python -m eilev.experiments.results --folder data/ablations --reference eilev
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eilev.experiments.variants import METRICS
from eilev.io import DataError, atomic_file, read_json, write_json
from eilev.report.charts import Band, seed_bands
from eilev.report.html import fill

RESULTS = "results.json"
PAGE = "index.html"

TITLES = {
    "no_burst": "Without burstiness: random contexts",
    "no_skew": "Without skew: the top actions equally often",
    "no_dynamic_meaning": "Without dynamic meaning: one word per class",
    "no_context": "Without contexts (VideoBLIP)",
    "contrastive": "With contrastive contexts in the mixture",
    "captioner": "First phase of the recipe that binds: clips without contexts",
    "matching": "Second phase: contexts that must be looked at",
    "binding": "The recipe that binds",
}
_NAME = re.compile(r"(?P<variant>.+)-(?P<seed>\d+)")

# {variant: [metrics.json of each seed]}
Runs = Mapping[str, Sequence[Mapping[str, Any]]]


def main() -> None:
    """Write results.json and index.html into a folder of runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--reference", required=True, help="variant that the others stand beside")
    options = parser.parse_args()
    try:
        write_results(options.folder, options.reference)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def write_results(folder: Path, reference: str) -> None:
    """Write results.json and index.html.

    Raises:
        DataError: the reference has not been run, there is nothing to compare with.
    """
    results = summarise(read_runs(folder / METRICS, reference), reference)
    write_json(results, folder / RESULTS)
    with atomic_file(folder / PAGE) as temporary:
        temporary.write_text(render(results, reference))


def read_runs(folder: Path, reference: str) -> dict[str, list[Any]]:
    """Metrics of every finished run by variant, seeds rising.

    Raises:
        DataError: the reference has not been run.
    """
    runs: dict[str, list[Any]] = {}
    for path in sorted(folder.glob("*.json")):
        found = _NAME.fullmatch(path.stem)
        if found:
            runs.setdefault(found["variant"], []).append(read_json(path))
    if reference not in runs:
        raise DataError(f"{folder}: no run of '{reference}' to compare with; run it first")
    return runs


def summarise(runs: Runs, reference: str) -> dict[str, Any]:
    """Curves with their spread, the two figures that decide, and how variants compare.

    Returns:
        {variant: {"seeds": number, "curves": {split: {condition: {shots: spread}}}, figure: spread
        for each of FIGURES, "versus": {figure: verdict for the first two}}}; a spread has mean, min
        and max over seeds. The reference has no verdicts.
    """
    results = {variant: _summary(metrics) for variant, metrics in runs.items()}
    for variant, summary in results.items():
        if variant != reference:
            summary["versus"] = {
                figure: verdict(summary[figure], results[reference][figure])
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
    figures = {name: _spread([take(run) for run in metrics]) for name, take in FIGURES.items()}
    seconds = _spread([run["model"]["seconds"] for run in metrics])
    return {"seeds": len(metrics), "curves": curves, **figures, "seconds": seconds}


def _at_most_shots(run: Mapping[str, Any], condition: str) -> float:
    """Action accuracy on novel actions at the largest number of shots."""
    shots = run["novel"][condition]["shots"]
    accuracy: float = shots[max(shots, key=int)]["action_accuracy"]
    return accuracy


def _without_context(run: Mapping[str, Any], split: str) -> float:
    accuracy: float = run[split]["bursty"]["shots"]["0"]["action_accuracy"]
    return accuracy


def _contrastive_shuffled(run: Mapping[str, Any]) -> float:
    shuffled = run["probes"]["novel"]["contrastive_shuffled"]
    accuracy: float = shuffled[max(shuffled, key=int)]
    return accuracy


# What a run is judged by: action accuracies, on novel actions at the most shots but for the last,
# which is what the weights know of trained actions.
FIGURES: Mapping[str, Callable[[Mapping[str, Any]], float]] = {
    "novel_score": lambda run: _at_most_shots(run, "bursty"),
    "in_context_gain": lambda run: _at_most_shots(run, "bursty") - _without_context(run, "novel"),
    "contrastive_score": lambda run: _at_most_shots(run, "contrastive"),
    "contrastive_shuffled": _contrastive_shuffled,
    "in_weights": lambda run: _without_context(run, "test"),
}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": sum(values) / len(values), "min": min(values), "max": max(values)}


def render(results: Mapping[str, Any], reference: str) -> str:
    """The table, and one figure per variant beside the reference."""
    figures = {
        TITLES.get(variant, variant): "".join(
            seed_bands(
                {name: _band(results[name], condition) for name in (reference, variant)},
                f"novel actions, {condition} contexts",
            )
            for condition in ("bursty", "contrastive")
        )
        for variant in results
        if variant != reference
    }
    return fill(
        "ablations.html.j2",
        figures=figures,
        results=results,
        reference=reference,
        columns=[*FIGURES],
    )


def _band(summary: Mapping[str, Any], condition: str) -> Band:
    curve = summary["curves"]["novel"][condition]
    return [(int(shots), s["mean"], s["min"], s["max"]) for shots, s in curve.items()]


if __name__ == "__main__":
    main()
