"""Charts of the report as SVG text; each takes plain numbers and draws one idea."""

import io
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eilev.config.conditions import CONDITIONS
from eilev.unavailable import lacks_contexts

# One colour per condition, everywhere.
COLOURS = {name: entry.colour for name, entry in CONDITIONS.items()}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
SPLIT_TITLES = {
    "novel": "novel: actions never trained on",
    "test": "test: unseen clips of trained actions",
    "novel_val": "novel_val: untrained actions to choose a recipe by",
}

Curve = Mapping[str, Mapping[str, float | None]]
# Shots, then mean, least and greatest score over seeds.
Band = Sequence[tuple[int, float, float, float]]

_PAIR = (COLOURS["bursty"], COLOURS["shuffled"])


def in_context_curves(metrics: Mapping[str, Any], score: str = "action_accuracy") -> str:
    """Score against shots, one panel per split and one line per condition.

    Args:
        metrics: metrics.json (docs/design.md, section 4).
        score: which of its scores to draw, in [0, 1].
    """
    splits = [split for split in SPLIT_TITLES if metrics.get(split)]
    figure = Figure(figsize=(4.6 * len(splits), 3.7), layout="constrained")
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    for axes, split in zip(panels, splits, strict=True):
        for condition, entry in metrics[split].items():
            draw_curve(axes, condition, entry["shots"], score)
        _note_lacking(axes, metrics[split])
        label_axes(axes, SPLIT_TITLES[split], "shots (clips in the context)", "")
        axes.set_ylim(0, 1)
    panels[0].set_ylabel(score.replace("_", " "))
    _legend_below(figure, panels)
    return to_svg(figure)


def calibration_curves(metrics: Mapping[str, Any]) -> str:
    """How sure the model is (dashed) beside how often it is right (solid), by shots.

    Args:
        metrics: metrics.json (docs/design.md, section 4).
    """
    splits = splits_with_figures(metrics)
    figure = Figure(figsize=(4.6 * len(splits), 3.2), layout="constrained")
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    for axes, split in zip(panels, splits, strict=True):
        drawn = {n: entry for n, entry in metrics[split].items() if CONDITIONS[n].as_drawn}
        for condition, entry in drawn.items():
            draw_curve(axes, condition, entry["shots"], "action_accuracy")
            draw_curve(axes, condition, entry["shots"], "confidence", linestyle="--", label="")
        label_axes(axes, SPLIT_TITLES[split], "shots (clips in the context)", "")
        axes.set_ylim(0, 1)
    panels[0].set_ylabel("right (line), sure (dashed)")
    _legend_below(figure, panels)
    return to_svg(figure)


def splits_with_figures(metrics: Mapping[str, Any]) -> list[str]:
    """The splits, in the order of the page, of which a run has figures."""
    return [
        split
        for split in SPLIT_TITLES
        if any(entry["shots"] for entry in metrics.get(split, {}).values())
    ]


def _note_lacking(axes: Axes, conditions: Mapping[str, Any]) -> None:
    """Say in a panel which curves it does not have."""
    lacking = [CONDITIONS[n].label for n, entry in conditions.items() if lacks_contexts(entry)]
    if lacking:
        note = "\n".join(wrap(f"not available: {', '.join(lacking)}", width=44))
        axes.text(0.02, 0.98, note, transform=axes.transAxes, va="top", fontsize=8, color="#666666")
    if not axes.get_lines():
        axes.set_xticks([])


def _legend_below(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend for all panels, each condition once."""
    lines = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    labels = [entry.label for entry in CONDITIONS.values() if entry.label in lines]
    handles = [lines[label] for label in labels]
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3 * len(panels),
        frameon=False,
        fontsize=9,
    )


def draw_curve(axes: Axes, condition: str, curve: Curve, score: str, **style: Any) -> None:
    """Draw a score against shots in the condition's colour, or as `style` has it."""
    entry = CONDITIONS[condition]
    look: dict[str, Any] = {"marker": "o", "markersize": 4, "color": entry.colour}
    look |= {"linestyle": entry.dashes or "-", "label": entry.label} | style
    points = [(int(shots), row[score]) for shots, row in curve.items() if row[score] is not None]
    if points:
        shots, values = zip(*sorted(points), strict=True)
        axes.plot(shots, values, **look)
        axes.set_xticks(shots)


def action_frequencies(counts: Sequence[int], zipf_exponent: float | None) -> str:
    """Instances per action by rank on two logarithmic axes, beside the fitted Zipf law.

    There is no law where fewer than two actions occur (None).
    """
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    ranks = range(1, len(counts) + 1)
    axes.loglog(ranks, counts, ".", markersize=4, color=COLOURS["bursty"], label="actions")
    if zipf_exponent is not None:
        weights = [rank**-zipf_exponent for rank in ranks]
        law = [sum(counts) / sum(weights) * weight for weight in weights]
        label = f"Zipf, s = {zipf_exponent:.2f}"
        axes.loglog(ranks, law, "-", color=COLOURS["shuffled"], label=label)
    label_axes(axes, "Skew: how often each action occurs", "rank of the action", "instances")
    axes.legend(frameon=False, fontsize=8)
    return to_svg(figure)


def burstiness_histogram(table: pd.DataFrame, phase: str) -> str:
    """Share of a phase's episodes per share of the context that has the query's verb or noun class.

    Args:
        table: columns kind, share (a bin's centre) and episodes (a count), bins of equal width.
        phase: of the curriculum, for the title.
    """
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    kinds = [kind for kind in COLOURS if (table["kind"] == kind).any()]
    for number, kind in enumerate(kinds):
        rows = table[table["kind"] == kind]
        shares = rows["episodes"] / max(1, rows["episodes"].sum())
        width = 1 / len(rows) / len(kinds)
        left = rows["share"] - 0.5 / len(rows) + (number + 0.5) * width
        axes.bar(left, shares, width, color=COLOURS[kind], label=kind)
    label_axes(axes, f"Burstiness of the phase {phase}", "context sharing verb or noun", "episodes")
    if kinds:
        axes.legend(frameon=False, fontsize=8)
    return to_svg(figure)


def training_curves(
    series: Mapping[str, Sequence[tuple[int, float]]], title: str, borders: Sequence[int] = ()
) -> str:
    """Values against optimiser steps, one line per series of (step, value).

    Args:
        series: the lines by name.
        title: of the chart.
        borders: steps between two phases of the curriculum, dotted.
    """
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    for name, points in series.items():
        if points:
            steps, values = zip(*points, strict=True)
            axes.plot(steps, values, label=name)
    for border in borders:
        axes.axvline(border, color="#666666", linestyle=":", linewidth=1)
    label_axes(axes, title, "optimiser step", "")
    axes.legend(frameon=False, fontsize=8)
    return to_svg(figure)


def seed_bands(curves: Mapping[str, Band], title: str) -> str:
    """Score against shots of two recipes: the mean over seeds, from least to greatest shaded."""
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, points), colour in zip(curves.items(), _PAIR, strict=True):
        if not points:
            axes.plot([], [], color=colour, label=f"{name}: not available")
            continue
        shots, mean, least, greatest = zip(*sorted(points), strict=True)
        axes.plot(shots, mean, marker="o", markersize=4, color=colour, label=name)
        axes.fill_between(shots, least, greatest, color=colour, alpha=0.2, linewidth=0)
        axes.set_xticks(shots)
    label_axes(axes, title, "shots (clips in the context)", "action accuracy")
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=8)
    return to_svg(figure)


def label_axes(axes: Axes, title: str, x: str, y: str) -> None:
    """Title, names of the axes and the look that all charts share."""
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def to_svg(figure: Figure) -> str:
    """SVG text of a figure, to be put into a page."""
    buffer = io.StringIO()
    # A fixed salt and no metadata: the same numbers give the same bytes.
    with mpl.rc_context({"svg.hashsalt": "eilev", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
