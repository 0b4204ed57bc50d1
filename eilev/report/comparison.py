"""The part of the page that compares: text metrics, class F1, baselines, the paper's curves."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eilev.report import paper
from eilev.report.charts import (
    COLOURS,
    SPLIT_TITLES,
    draw_curve,
    label_axes,
    splits_with_figures,
    to_svg,
)

# Scores of metrics.json and their names, in the order of the page.
TEXT_SCORES = {
    "rouge_l": "ROUGE-L",
    "bleu": "BLEU",
    "bert_score": "BERTScore F1",
    "bi_encoder": "sentence similarity, bi-encoder",
    "cross_encoder": "sentence similarity, cross-encoder",
}
CLASS_SCORES = {
    "verb_f1_macro": "verb class F1, macro",
    "noun_f1_macro": "noun class F1, macro",
    "verb_f1_micro": "verb class F1, micro",
    "noun_f1_micro": "noun class F1, micro",
}
_PANELS = TEXT_SCORES | {name: CLASS_SCORES[name] for name in ("verb_f1_macro", "noun_f1_macro")}
_SHOTS = "shots (clips in the context)"
# The conditions of the panels: the paper's, and what tells copying from watching.
_CONDITIONS = ("bursty", "random", "shuffled", "no_video")
_BLACK = "#1c1c1c"
# One colour per curve of the paper; EILeV has that of our bursty curve.
_PUBLISHED_COLOURS = dict(
    zip(
        paper.CURVES,
        (COLOURS["bursty"], _BLACK, "#999999", COLOURS["contrastive"], COLOURS["new_words"]),
        strict=True,
    )
)

Metrics = Mapping[str, Any]
Table = dict[str, Any]


def compare(metrics: Metrics) -> dict[str, Any]:
    """Everything that comparison.html.j2 shows, out of metrics.json (docs/design.md, section 4)."""
    splits = _splits_with_contexts(metrics)
    return {
        "baselines_chart": baselines_chart(metrics),
        "baselines": {SPLIT_TITLES[split]: baseline_table(metrics, split) for split in splits},
        "no_context_model": metrics["baselines"].get("no_context", {}).get("model"),
        "baselines_unavailable": {
            name: entry["reason"] for name, entry in metrics["baselines"]["unavailable"].items()
        },
        "score_panels": score_panels(metrics),
        "scores": {SPLIT_TITLES[split]: score_table(metrics, split) for split in splits},
        "unavailable": unavailable(metrics),
        "similarity_chart": similarity_chart(metrics),
        "same_scale": same_scale(metrics),
        "published": published_table(),
        "published_label": paper.LABEL,
        "published_encoder": paper.ENCODER,
    }


def same_scale(metrics: Metrics) -> bool:
    """Whether the run's bi-encoder is the paper's, so that its similarities compare."""
    used = metrics["text_metrics"]["available"].get("bi_encoder")
    return used is not None and PurePath(used["model"]).name == paper.ENCODER


def score_panels(metrics: Metrics) -> str:
    """Text metrics and class F1 against shots, a panel each and a line per condition.

    Of novel actions where there are some, else of the test split. Metrics without a figure have no
    panel; `unavailable` says why. Nothing where none of the conditions has figures.

    Args:
        metrics: metrics.json (docs/design.md, section 4).
    """
    split = splits_with_figures(metrics)[0]
    curves = {name: metrics[split][name] for name in _CONDITIONS if name in metrics[split]}
    names = [name for name in _PANELS if _measured(curves, name)]
    if not names:
        return ""
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(2.9 * columns, 2.8 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, name in zip(panels, names, strict=False):
        for condition, entry in curves.items():
            draw_curve(axes, condition, entry["shots"], name)
        label_axes(axes, _PANELS[name], _SHOTS, "")
        # Cosines and a rescaled BERTScore can be negative.
        lowest = min(min(line.get_ydata()) for line in axes.get_lines())
        axes.set_ylim(min(0, lowest), 1)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    handles = panels[0].get_lines()
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return to_svg(figure)


def similarity_chart(metrics: Metrics) -> str:
    """Sentence similarity on novel actions beside the paper's curves, never on a mixed scale.

    One panel for both where the bi-encoder is the paper's; two where it is another one; the paper's
    alone where none was used.

    Args:
        metrics: metrics.json (docs/design.md, section 4).
    """
    used = metrics["text_metrics"]["available"].get("bi_encoder")
    alike = same_scale(metrics)
    num_panels = 2 if used is not None and not alike else 1
    figure = Figure(figsize=(4.8 * num_panels + 2.6, 3.7), layout="constrained")
    panels = figure.subplots(1, num_panels, squeeze=False)[0]
    _draw_published(panels[-1], with_ours=alike)
    if used is not None:
        _draw_similarity(panels[0], metrics)
    if num_panels == 2:
        label_axes(panels[0], f"this run, by {PurePath(used['model']).name}", _SHOTS, "")
    panels[0].set_ylabel("sentence similarity, bi-encoder")
    for axes in panels:
        axes.set_ylim(0, 1)
    lines = [line for axes in panels for line in axes.get_lines()]
    figure.legend(handles=lines, loc="outside right upper", frameon=False, fontsize=8)
    return to_svg(figure)


def baselines_chart(metrics: Metrics) -> str:
    """Action accuracy in bursty contexts beside the baselines, one panel per split that has them.

    Args:
        metrics: metrics.json (docs/design.md, section 4).
    """
    splits = _splits_with_contexts(metrics)
    if not splits:
        return ""
    figure = Figure(figsize=(4.6 * len(splits), 3.7), layout="constrained")
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    for axes, split in zip(panels, splits, strict=True):
        _draw_baselines(axes, metrics, split)
        label_axes(axes, SPLIT_TITLES[split], _SHOTS, "")
        axes.set_ylim(0, 1)
    panels[0].set_ylabel("action accuracy")
    handles = panels[0].get_lines()
    columns = min(2, len(splits))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    return to_svg(figure)


def score_table(metrics: Metrics, split: str) -> Table:
    """Every text and class score of a split's bursty contexts by shots."""
    curve = metrics[split]["bursty"]["shots"]
    rows = {
        title: [curve[shots][name] for shots in curve]
        for name, title in (TEXT_SCORES | CLASS_SCORES).items()
        if all(name in scores for scores in curve.values())
    }
    return {"shots": list(curve), "rows": rows}


def baseline_table(metrics: Metrics, split: str) -> Table:
    """Action accuracy in a split's bursty contexts by shots, the model's and the baselines'."""
    curve = metrics[split]["bursty"]["shots"]
    rows = {
        name: [points.get(shots, {}).get("action_accuracy") for shots in curve]
        for name, points in _baseline_curves(metrics, split).items()
    }
    return {"shots": list(curve), "rows": rows}


def published_table() -> Table:
    """The paper's curves, as `score_table` has ours."""
    rows: dict[str, list[float | None]] = {name: [*c] for name, c in paper.CURVES.items()}
    shots, similarity = paper.SHUFFLED
    rows["EILeV, videos shuffled"] = [
        similarity if count == shots else None for count in paper.SHOTS
    ]
    return {"shots": [*paper.SHOTS], "rows": rows}


def unavailable(metrics: Metrics) -> dict[str, str]:
    """Text metrics without figures, and why: not to be had, or not asked for."""
    asked = metrics["text_metrics"]
    reasons = {
        name: f"unavailable ({entry['model']}: {entry['reason']})"
        for name, entry in asked["unavailable"].items()
    }
    known = {"rouge_l", "bleu", *asked["available"]}
    return {
        title: reasons.get(name, "not asked for (evaluate.text_metrics)")
        for name, title in TEXT_SCORES.items()
        if name not in known
    }


def _splits_with_contexts(metrics: Metrics) -> list[str]:
    """Splits that were evaluated in the paper's contexts."""
    return [
        split
        for split in SPLIT_TITLES
        if metrics.get(split, {}).get("bursty", {"shots": {}})["shots"]
    ]


def _measured(curves: Mapping[str, Any], name: str) -> bool:
    rows = (row for entry in curves.values() for row in entry["shots"].values())
    return any(row.get(name) is not None for row in rows)


def _draw_published(axes: Axes, *, with_ours: bool) -> None:
    for name, curve in paper.CURVES.items():
        axes.plot(
            paper.SHOTS,
            curve,
            linestyle="--",
            marker="o",
            markersize=4,
            markerfacecolor="white",
            color=_PUBLISHED_COLOURS[name],
            label=f"published: {name}",
        )
    axes.plot(
        *paper.SHUFFLED,
        linestyle="",
        marker="x",
        color=COLOURS["shuffled"],
        label="published: EILeV, videos shuffled",
    )
    axes.set_xticks(paper.SHOTS)
    label_axes(axes, f"this run and {paper.LABEL}" if with_ours else paper.LABEL, _SHOTS, "")


def _draw_similarity(axes: Axes, metrics: Metrics) -> None:
    split = splits_with_figures(metrics)[0]
    # Dashed is the paper's.
    for condition, linestyle in (("bursty", "-"), ("shuffled", (0, (1, 2)))):
        if condition in metrics[split]:
            points, label = metrics[split][condition]["shots"], f"this run: {condition}"
            draw_curve(axes, condition, points, "bi_encoder", linestyle=linestyle, label=label)
    other = metrics["baselines"].get("no_context", {}).get(split)
    if other is not None:
        style = {"color": _BLACK, "label": "this run: trained without contexts"}
        draw_curve(axes, "bursty", other["bursty"]["shots"], "bi_encoder", **style)


def _draw_baselines(axes: Axes, metrics: Metrics, split: str) -> None:
    styles: Mapping[str, Any] = {
        _OURS: {"color": COLOURS["bursty"]},
        _MAJORITY: {"color": COLOURS["contrastive"], "linestyle": (0, (4, 3))},
        _NO_CONTEXT: {"color": _BLACK},
        _CLASSIFIER: {"color": COLOURS["no_video"], "linestyle": (0, (1, 2)), "marker": ""},
    }
    curves = _baseline_curves(metrics, split)
    for name, points in curves.items():
        if name == _CLASSIFIER:  # it sees no context: the same at every number of shots
            points = dict.fromkeys(curves[_OURS], points["0"])
        draw_curve(axes, "bursty", points, "action_accuracy", label=name, **styles[name])


_OURS = "the model"
_MAJORITY = "majority words of the context"
_NO_CONTEXT = "a model trained without contexts"
_CLASSIFIER = "frozen video classifier (sees no context)"


def _baseline_curves(metrics: Metrics, split: str) -> dict[str, Mapping[str, Any]]:
    """Scores by shots in bursty contexts; the classifier's at 0 shots."""
    baselines = metrics["baselines"]
    majority = baselines["majority_word"].get(split, {}).get("bursty", {"shots": {}})
    curves = {_OURS: metrics[split]["bursty"]["shots"], _MAJORITY: majority["shots"]}
    if "no_context" in baselines:
        curves[_NO_CONTEXT] = baselines["no_context"][split]["bursty"]["shots"]
    if "video_classifier" in baselines:
        curves[_CLASSIFIER] = {"0": baselines["video_classifier"][split]}
    return curves
