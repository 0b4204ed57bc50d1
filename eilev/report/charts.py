"""Charts of the report as SVG text; each takes plain numbers and draws one idea."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# One colour per condition, everywhere (a colour-blind-safe set).
COLOURS = {
    "bursty": "#0072B2",
    "random": "#999999",
    "contrastive": "#009E73",
    "shuffled": "#E69F00",
    "no_video": "#CC79A7",
    "new_words": "#D55E00",
}
# Curves that lie on each other stay visible: what is drawn over bursty is dashed.
LINE_STYLES = {"shuffled": (0, (4, 3)), "no_video": (0, (1, 2))}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
SPLIT_TITLES = {
    "novel": "novel: actions never trained on",
    "test": "test: unseen clips of trained actions",
}

Curve = Mapping[str, Mapping[str, float | None]]
# Shots, then mean, least and greatest score over seeds.
Band = Sequence[tuple[int, float, float, float]]

# Conditions whose confidence is drawn.
_SURE_ABOUT = ("bursty", "random", "contrastive")
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
    splits = [split for split in SPLIT_TITLES if metrics.get(split)]
    figure = Figure(figsize=(4.6 * len(splits), 3.2), layout="constrained")
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    for axes, split in zip(panels, splits, strict=True):
        shown = {name: metrics[split][name] for name in _SURE_ABOUT if name in metrics[split]}
        for condition, entry in shown.items():
            draw_curve(axes, condition, entry["shots"], "action_accuracy")
            draw_curve(axes, condition, entry["shots"], "confidence", linestyle="--", label="")
        label_axes(axes, SPLIT_TITLES[split], "shots (clips in the context)", "")
        axes.set_ylim(0, 1)
    panels[0].set_ylabel("right (line), sure (dashed)")
    _legend_below(figure, panels)
    return to_svg(figure)


def _legend_below(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend for all panels, each condition once."""
    lines = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    names = [name for name in COLOURS if name in lines]
    handles = [lines[name] for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=6, frameon=False, fontsize=9)


def draw_curve(axes: Axes, condition: str, curve: Curve, score: str, **style: Any) -> None:
    """Draw a score against shots in the condition's colour, or as `style` has it."""
    look: dict[str, Any] = {"marker": "o", "markersize": 4, "color": COLOURS[condition]}
    look |= {"linestyle": LINE_STYLES.get(condition, "-"), "label": condition} | style
    points = [(int(shots), row[score]) for shots, row in curve.items() if row[score] is not None]
    if points:
        shots, values = zip(*sorted(points), strict=True)
        axes.plot(shots, values, **look)
        axes.set_xticks(shots)


def action_frequencies(counts: Sequence[int], zipf_exponent: float) -> str:
    """Instances per action by rank on two logarithmic axes, beside the fitted Zipf law."""
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    ranks = range(1, len(counts) + 1)
    axes.loglog(ranks, counts, ".", markersize=4, color=COLOURS["bursty"], label="actions")
    weights = [rank**-zipf_exponent for rank in ranks]
    scale = sum(counts) / sum(weights)
    law = [scale * weight for weight in weights]
    axes.loglog(ranks, law, "-", color=COLOURS["shuffled"], label=f"Zipf, s = {zipf_exponent:.2f}")
    label_axes(axes, "Skew: how often each action occurs", "rank of the action", "instances")
    axes.legend(frameon=False, fontsize=8)
    return to_svg(figure)


def burstiness_histogram(table: pd.DataFrame) -> str:
    """Share of episodes per share of the context that has the query's verb or noun class.

    Args:
        table: columns kind, share (a bin's centre) and episodes (a count), bins of equal width.
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
    label_axes(
        axes, "Burstiness of the training episodes", "context sharing verb or noun", "episodes"
    )
    axes.legend(frameon=False, fontsize=8)
    return to_svg(figure)


def training_curves(series: Mapping[str, Sequence[tuple[int, float]]], title: str) -> str:
    """Values against optimiser steps, one line per series of (step, value)."""
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    for name, points in series.items():
        if points:
            steps, values = zip(*points, strict=True)
            axes.plot(steps, values, label=name)
    label_axes(axes, title, "optimiser step", "")
    axes.legend(frameon=False, fontsize=8)
    return to_svg(figure)


def seed_bands(curves: Mapping[str, Band], title: str) -> str:
    """Score against shots of two recipes: the mean over seeds, from least to greatest shaded."""
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, points), colour in zip(curves.items(), _PAIR, strict=True):
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
