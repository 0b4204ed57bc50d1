"""The static page: every stage's figures in one place, no server and no network needed."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from eilev.config.conditions import CONDITIONS, CONTRASTIVE_SHUFFLED
from eilev.report import charts
from eilev.report.comparison import compare
from eilev.report.html import fill
from eilev.report.samples import Sample
from eilev.schema import EVALUATED
from eilev.unavailable import describe

Metrics = Mapping[str, Any]

SCORE = "action_accuracy"
# Expectations about what the paper names: burstiness, skew, dynamic meaning.
PROPERTY = re.compile(r"expect_(burstiness|zipf_exponent|synonymy|homonymy)")


def render_page(
    title: str,
    metrics: Mapping[str, Any],
    data_charts: Sequence[str],
    training_charts: Sequence[str],
    validation: Mapping[str, Any],
    export: Mapping[str, Any],
    samples: Sequence[Sample],
) -> str:
    """Fill the template.

    Args:
        title: heading of the page.
        metrics: metrics.json (docs/design.md, section 4).
        data_charts: SVG texts for the section about the data.
        training_charts: SVG texts for the section about the training.
        validation: validation.json.
        export: the export stage's metrics.
        samples: episodes with the model's answers.
    """
    return fill(
        "page.html.j2",
        title=title,
        headline=headline(metrics),
        sight=sight(metrics),
        curves=charts.in_context_curves(metrics),
        conditions=CONDITIONS,
        asked=[name for name in CONDITIONS if any(name in metrics.get(s, {}) for s in EVALUATED)],
        lacking=lacking(metrics),
        calibration=charts.calibration_curves(metrics),
        probes={
            charts.SPLIT_TITLES[split]: _probe_rows(metrics, split)
            for split in charts.splits_with_figures(metrics)
        },
        tables={
            charts.SPLIT_TITLES[split]: _table(metrics[split])
            for split in charts.splits_with_figures(metrics)
        },
        comparison=compare(metrics),
        data_charts=data_charts,
        data=_flatten(metrics["data"]),
        num_expectations=len(validation["expectations"]),
        num_passed=sum(item["success"] for item in validation["expectations"]),
        properties=[item for item in validation["expectations"] if PROPERTY.match(item["name"])],
        training_charts=training_charts,
        model=_flatten(metrics["model"]),
        export=_flatten(export),
        samples=samples,
    )


def headline(metrics: Mapping[str, Any]) -> str:
    """One sentence with the run's result: both ends of the bursty curve, else of another one."""
    split = charts.splits_with_figures(metrics)[0]
    name = next(name for name in CONDITIONS if metrics[split].get(name, {}).get("shots"))
    curve = metrics[split][name]["shots"]
    first, last = min(curve, key=int), max(curve, key=int)
    where = "the context" if name == "bursty" else f"the context ({CONDITIONS[name].label})"
    rise = f" to {_figure(curve[last][SCORE])} with {last}" if first != last else ""
    return (
        f"On {charts.SPLIT_TITLES[split]}, the share of generated narrations with the right verb "
        f"and noun {'goes from' if rise else 'is'} {_figure(curve[first][SCORE])} with {first} "
        f"clips in {where}{rise}."
    )


def sight(metrics: Metrics) -> str:
    """What is left of the scores without the right videos, at the most shots: what was looked at.

    Empty where the run has neither contexts of exchanged videos nor blank ones.
    """
    split = charts.splits_with_figures(metrics)[0]
    shuffled = metrics["probes"].get(split, {}).get(CONTRASTIVE_SHUFFLED, {})
    bursty = _at_most(metrics, split, "bursty")
    lines = [
        (
            _at_most(metrics, split, "contrastive"),
            "contrastive contexts",
            {"exchanged": _at_most_shots(shuffled)},
        ),
        (
            bursty,
            "bursty ones",
            {
                "exchanged": _at_most(metrics, split, "shuffled"),
                "blank": _at_most(metrics, split, "no_video"),
            },
        ),
    ]
    told = [
        f"in {where} {_figure(score)} becomes "
        + " and ".join(
            f"{_figure(left)} ({how})" for how, left in lefts.items() if left is not None
        )
        for score, where, lefts in lines
        if score is not None and any(left is not None for left in lefts.values())
    ]
    if not told:
        return ""
    return (
        "What is left when the context's videos are exchanged against its texts, or all videos are"
        f" blank: {'; '.join(told)}. What stays was copied without looking."
    )


def _at_most(metrics: Metrics, split: str, condition: str) -> float | None:
    """Action accuracy of a condition at its most shots."""
    curve = metrics[split].get(condition, {}).get("shots", {})
    return _at_most_shots({shots: row[SCORE] for shots, row in curve.items()})


def _figure(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def lacking(metrics: Mapping[str, Any]) -> list[str]:
    """What the run has no figures of, and why: what splits have in common in one line."""
    splits_of: dict[str, list[str]] = {}
    for split in charts.SPLIT_TITLES:
        conditions = metrics.get(split, {})
        for line in describe({name: entry["unavailable"] for name, entry in conditions.items()}):
            splits_of.setdefault(line, []).append(split)
    return [f"{' and '.join(splits)}: {line}" for line, splits in splits_of.items()]


def curve_table(metrics: Mapping[str, Any]) -> str:
    """The same figures as aligned text, for the end of `dvc repro`."""
    lines = []
    for split in charts.splits_with_figures(metrics):
        table = _table(metrics[split])
        lines.append(f"{split:>12} " + "".join(f"{shots:>8}" for shots in table["shots"]))
        for name, values in table["rows"].items():
            cells = "".join("       -" if v is None else f"{v:8.3f}" for v in values)
            lines.append(f"{name:>12} {cells}")
    return "\n".join([*lines, *lacking(metrics)])


def _table(conditions: Mapping[str, Any]) -> dict[str, Any]:
    shots = sorted(
        {key for e in conditions.values() for key in (*e["shots"], *e["unavailable"])}, key=int
    )
    rows = {
        name: [entry["shots"].get(key, {}).get(SCORE) for key in shots]
        for name, entry in conditions.items()
    }
    counts = {
        name: max((row.get("count", 0) for row in entry["shots"].values()), default=0)
        for name, entry in conditions.items()
    }
    return {"shots": shots, "rows": rows, "queries": counts}


def _probe_rows(metrics: Mapping[str, Any], split: str) -> dict[str, float | None]:
    """The probes at the most shots, by what they say."""
    probes = metrics["probes"][split]
    rows = {"in-weights score: right without a context": probes["in_weights"]}
    for name, gains in probes["in_context_gain"].items():
        rows[f"in-context gain, {name}"] = _at_most_shots(gains)
    rows["binding gap: contrastive minus the same with videos shuffled"] = _at_most_shots(
        probes["binding_gap"]
    )
    for name, majority in probes["majority"].items():
        rows[f"majority words of the context, {name}"] = _at_most_shots(majority)
    for name, entry in metrics[split].items():
        errors = {shots: row["calibration_error"] for shots, row in entry["shots"].items()}
        rows[f"calibration error, {name}"] = _at_most_shots(errors)
    return rows


def _at_most_shots(by_shots: Mapping[str, float | None]) -> float | None:
    return by_shots[max(by_shots, key=int)] if by_shots else None


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}: ")
        else:
            flat[prefix + name] = f"{value:.4g}" if isinstance(value, float) else str(value)
    return flat


def data_charts(folder: Path, data: Mapping[str, Any]) -> list[str]:
    """Charts of the data's distribution from the tables that `validate` wrote to `folder`."""
    counts = pd.read_csv(folder / "action_frequencies.csv")["count"].tolist()
    burstiness = pd.read_csv(folder / "burstiness.csv")
    return [
        charts.action_frequencies(counts, data["corpus"]["zipf_exponent"]),
        *(
            charts.burstiness_histogram(rows, str(phase))
            for phase, rows in burstiness.groupby("phase", sort=False)
        ),
    ]


def training_charts(folder: Path) -> list[str]:
    """Charts of the run from DVCLive's tables, `<folder>/<name>.tsv`."""
    losses = _read_curves(folder, ["train/loss", "val/loss"])
    scores = _read_curves(folder, ["val/exact", "val/token_accuracy"])
    borders = phase_borders(_read_curves(folder, ["train/phase"]).get("train/phase", []))
    return [
        charts.training_curves(losses, "Loss of the narrations", borders),
        charts.training_curves(scores, "Validation: the query's narration, by token", borders),
    ]


def phase_borders(phases: Sequence[tuple[int, float]]) -> list[int]:
    """Steps after which another phase of the curriculum begins.

    >>> phase_borders([(10, 0), (20, 0), (30, 1), (40, 2)])
    [20, 30]
    """
    return [step for (step, phase), (_, then) in pairwise(phases) if then != phase]


def _read_curves(folder: Path, names: Sequence[str]) -> dict[str, list[tuple[int, float]]]:
    """Read DVCLive's tables, `<folder>/<name>.tsv` with the columns step and value."""
    curves = {}
    for name in names:
        path = folder / f"{name}.tsv"
        if path.exists():
            table = pd.read_csv(path, sep="\t")
            columns = (table["step"], table[table.columns[-1]])
            curves[name] = [(int(step), float(value)) for step, value in zip(*columns, strict=True)]
    return curves
