"""What the runs of variants came to: the spread over seeds of each, as JSON and as a page.

python -m eilev.experiments.results --folder data/ablations --reference default
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eilev.experiments.variants import METRICS
from eilev.io import DataError, atomic_file, read_json, write_json
from eilev.report.charts import Band, seed_bands
from eilev.report.html import fill

RESULTS = "results.json"
PAGE = "index.html"

TITLES = {
    "no_burst": "Without burstiness: random contexts in place of bursty ones",
    "no_skew": "Without skew: the top actions equally often",
    "no_dynamic_meaning": "Without dynamic meaning: one word per class",
    "paper": "The paper's recipe: bursty contexts alone",
    "no_context": "Without contexts (VideoBLIP)",
    "no_contrastive": "Without contrastive contexts",
    "no_guidance": "Without the loss on attention",
    "no_naming": "Without the naming loss",
    "no_captioning": "Without the captioning phase",
}
_NAME = re.compile(r"(?P<variant>.+)-(?P<seed>\d+)")

# mean, min and max over seeds.
Spread = Mapping[str, float]
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
        for each of FIGURES, "unavailable": {figure: {"reason": why it is null}}, "versus": {figure:
        verdict for the first two}}}; a spread has mean, min and max over seeds. The reference has
        no verdicts.
    """
    results = {variant: _summary(metrics) for variant, metrics in runs.items()}
    for variant, summary in results.items():
        if variant != reference:
            summary["versus"] = {
                figure: verdict(summary[figure], results[reference][figure])
                for figure in ("novel_score", "in_context_gain")
            }
    return results


def verdict(other: Spread | None, full: Spread | None) -> str:
    """Compare two spreads: "lower" or "higher" only where they do not overlap.

    >>> verdict({"min": 0.1, "max": 0.3}, {"min": 0.5, "max": 0.6})
    'lower'
    >>> verdict({"min": 0.4, "max": 0.55}, {"min": 0.5, "max": 0.6})
    'overlapping'
    """
    if other is None or full is None:
        return "not available"
    if other["max"] < full["min"]:
        return "lower"
    return "higher" if other["min"] > full["max"] else "overlapping"


def _summary(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    curves = {
        split: {
            condition: _curve([run[split][condition]["shots"] for run in metrics])
            for condition in metrics[0][split]
        }
        for split in ("novel", "test")
    }
    figures = {
        name: _spread([figure.take(run) for run in metrics]) for name, figure in FIGURES.items()
    }
    missing = {
        name: {"reason": _reason(metrics, FIGURES[name])}
        for name, spread in figures.items()
        if spread is None
    }
    seconds = _spread([run["model"]["seconds"] for run in metrics])
    known = {"seeds": len(metrics), "curves": curves, **figures, "seconds": seconds}
    return known | {"unavailable": missing}


def _curve(runs: Sequence[Mapping[str, Any]]) -> dict[str, Spread]:
    """Spreads at the numbers of shots that every run has."""
    every = {
        shots: _spread([run.get(shots, {}).get("action_accuracy") for run in runs])
        for shots in runs[0]
    }
    return {shots: spread for shots, spread in every.items() if spread is not None}


def _at_most_shots(run: Mapping[str, Any], condition: str) -> float | None:
    """Action accuracy on novel actions at the largest number of shots."""
    shots = run["novel"].get(condition, {}).get("shots")
    return shots[max(shots, key=int)]["action_accuracy"] if shots else None


def _without_context(run: Mapping[str, Any], split: str) -> float | None:
    shots = run[split].get("bursty", {}).get("shots", {})
    accuracy: float | None = shots.get("0", {}).get("action_accuracy")
    return accuracy


def _gain(run: Mapping[str, Any]) -> float | None:
    most, none = _at_most_shots(run, "bursty"), _without_context(run, "novel")
    return None if most is None or none is None else most - none


def _contrastive_shuffled(run: Mapping[str, Any]) -> float | None:
    shuffled = run["probes"]["novel"]["contrastive_shuffled"]
    return shuffled[max(shuffled, key=int)] if shuffled else None


@dataclass(frozen=True)
class Figure:
    """What a run is judged by, None where the corpus cannot give it."""

    # Whose entry in metrics.json has the reason.
    split: str
    condition: str
    take: Callable[[Mapping[str, Any]], float | None]


# Action accuracies, on novel actions at the most shots but for the last, which is what the weights
# know of trained actions.
FIGURES: Mapping[str, Figure] = {
    "novel_score": Figure("novel", "bursty", lambda run: _at_most_shots(run, "bursty")),
    "in_context_gain": Figure("novel", "bursty", _gain),
    "contrastive_score": Figure(
        "novel", "contrastive", lambda run: _at_most_shots(run, "contrastive")
    ),
    "contrastive_shuffled": Figure("novel", "contrastive", _contrastive_shuffled),
    "in_weights": Figure("test", "bursty", lambda run: _without_context(run, "test")),
}


def _reason(metrics: Sequence[Mapping[str, Any]], figure: Figure) -> str:
    """Why some run lacks a figure."""
    for run in metrics:
        if figure.take(run) is None:
            entry = run[figure.split].get(figure.condition)
            if entry is None:
                return f"{figure.condition} is not among evaluate.conditions"
            missing = entry.get("unavailable", {})
            if missing:
                reason: str = missing[max(missing, key=int)]["reason"]
                return reason
    return "not evaluated"


def _spread(values: Sequence[float | None]) -> Spread | None:
    """Mean, least and greatest; None unless every run has a value."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return {"mean": sum(known) / len(known), "min": min(known), "max": max(known)}


def render(results: Mapping[str, Any], reference: str) -> str:
    """The table, and one figure per variant beside the reference."""
    figures = {
        TITLES.get(variant, variant): "".join(
            seed_bands(
                {name: band(results[name], condition) for name in (reference, variant)},
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


def band(summary: Mapping[str, Any], condition: str) -> Band:
    """A variant's curve on novel actions with its spread over seeds."""
    curve = summary["curves"]["novel"].get(condition, {})
    return [(int(shots), s["mean"], s["min"], s["max"]) for shots, s in curve.items()]


if __name__ == "__main__":
    main()
