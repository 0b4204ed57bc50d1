"""The page of a probe: its verdict, curves, what was copied, and examples with their frames."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from eilev.config.conditions import CONDITIONS, CONTRASTIVE_SHUFFLED
from eilev.evaluation.curves import cells
from eilev.evaluation.trials import Trial
from eilev.probe.questions import Questions
from eilev.probe.requests import Asking
from eilev.probe.verdict import Effect
from eilev.report import charts, html
from eilev.report.page import lacking
from eilev.report.samples import Sample, make_answer, make_sample, narration_facts

_TEMPLATE = "page.html.j2"
_URL_LETTERS = 60


@dataclass(frozen=True)
class Findings:
    """Of one split: sentences, comparisons, and rates as `scoring.copying_rates` has them."""

    verdict: Sequence[str]
    effects: Sequence[Effect]
    rates: Mapping[str, Any]


def render(
    title: str,
    about: Mapping[str, Any],
    metrics: Mapping[str, Any],
    findings: Mapping[str, Findings],
    examples: Mapping[str, Sequence[Sample]],
    request: str,
    refused: Mapping[str, int],
) -> str:
    """Fill the template.

    Args:
        title: heading of the page.
        about: the endpoint and how it was asked, by name.
        metrics: of `scoring.score`.
        findings: by split.
        examples: by the heading of a condition.
        request: one as JSON, to be shown.
        refused: how often each reason was given.
    """
    loader = jinja2.FileSystemLoader([Path(__file__).parent, Path(html.__file__).parent])
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(_TEMPLATE).render(
        title=title,
        about=about,
        curves=charts.in_context_curves(with_halves(metrics)),
        asked={name: CONDITIONS[name] for name in CONDITIONS if _is_shown(name, metrics)},
        lacking=lacking(metrics),
        findings={charts.SPLIT_TITLES[split]: each for split, each in findings.items()},
        tables={
            charts.SPLIT_TITLES[split]: accuracy_table(metrics, split)
            for split in charts.splits_with_figures(metrics)
        },
        labels={name: entry.label for name, entry in CONDITIONS.items()},
        examples=examples,
        request=request,
        refused=refused,
    )


def with_halves(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics with a curve of the half of the probe that has none there."""
    drawn = dict(metrics)
    for split in charts.splits_with_figures(metrics):
        half = metrics["probes"][split][CONTRASTIVE_SHUFFLED]
        curve = {shots: {"action_accuracy": accuracy} for shots, accuracy in half.items()}
        if curve:
            entry = {"shots": curve, "unavailable": {}}
            drawn[split] = metrics[split] | {CONTRASTIVE_SHUFFLED: entry}
    return drawn


def accuracy_table(metrics: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Shots, and for each condition its action accuracy at these and the most judged queries."""
    curves = {name: entry["shots"] for name, entry in with_halves(metrics)[split].items()}
    shots = sorted({number for curve in curves.values() for number in curve}, key=int)
    rows = {
        name: [curve.get(number, {}).get("action_accuracy") for number in shots]
        for name, curve in curves.items()
        if curve
    }
    counts = {
        name: max((scores.get("count", 0) for scores in curves[name].values()), default=0)
        for name in rows
    }
    return {"shots": shots, "rows": rows, "queries": counts}


def examples_of(
    questions: Questions, predictions: pd.DataFrame, asking: Asking, each: int
) -> dict[str, list[Sample]]:
    """Some answered trials of every condition, at its most shots and of the first split.

    A clip is drawn as it was shown: exchanged, or black.
    """
    facts = narration_facts(questions.narrations)
    of_split = predictions[predictions["split"] == predictions["split"].iloc[0]]
    # Of a condition's numbers of shots, the last one is the most.
    cell_of = {condition: (shots, cell) for condition, shots, cell in cells(of_split)}
    shown: dict[str, list[Sample]] = {}
    for condition, (shots, cell) in cell_of.items():
        entry = CONDITIONS[condition]
        samples = shown.setdefault(f"{entry.label}, {shots} shots", [])
        for row in cell.iloc[:: max(1, len(cell) // each)].head(each).to_dict("records"):
            texts = (*row["texts"], row["narration"])
            answer, clips = make_answer(row), asking.pictures.clips
            sample = make_sample(tuple(row["videos"]), texts, answer, facts, clips)
            samples.append(_blank(sample, asking) if entry.blank else sample)
    return shown


def _blank(sample: Sample, asking: Asking) -> Sample:
    black = asking.pictures.black_frame
    context = tuple(replace(clip, strip=black) for clip in sample.context)
    return Sample(context, replace(sample.query, strip=black), sample.answer)


def example_request(trial: Trial, asking: Asking) -> str:
    """The request for a trial as indented JSON, its long addresses cut short."""
    return json.dumps(_shortened(asking.body(trial)), indent=2)


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    if isinstance(value, str) and value.startswith("data:") and len(value) > _URL_LETTERS:
        return f"{value[:_URL_LETTERS]}... ({len(value):,} letters)"
    return value


def _is_shown(name: str, metrics: Mapping[str, Any]) -> bool:
    with_all = with_halves(metrics)
    return any(name in with_all[split] for split in charts.splits_with_figures(metrics))
