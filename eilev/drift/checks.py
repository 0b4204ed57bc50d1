"""Requests and annotations against the reference, and what is said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import pandas as pd
from great_expectations.core.expectation_suite import ExpectationSuite

from eilev.config.drift import DriftConfig
from eilev.config.validate import ValidateConfig
from eilev.drift.expectations import ExpectDriftBetween, suite_of, table_of
from eilev.drift.figures import Figures, corpus_of, of_annotations, of_requests
from eilev.io import DataError, atomic_dir
from eilev.traffic import LOG_FILE, LoggedRequest, Reference, parse
from eilev.validation.outcomes import Outcome, Table, run_suites, to_json
from eilev.validation.suites import build_suites

REQUESTS, ANNOTATIONS = "requests", "annotations"
_UNITS = {REQUESTS: "requests", ANNOTATIONS: "narrations"}
# Of a value in a table, in characters.
_WIDTH = 32


@dataclass(frozen=True)
class Subject:
    """What is judged: its figures and suites, or why it is not.

    name: REQUESTS or ANNOTATIONS. number: of what was read. note: what was left out.
    """

    name: str
    number: int
    note: str
    figures: Figures
    suites: tuple[tuple[ExpectationSuite, Table], ...]


def read_log(folder: Path) -> list[LoggedRequest]:
    """Read the requests that a server has noted, the oldest file first.

    Raises:
        DataError: there is none, or a line is no noted request; file and line are named.
    """
    files = [file for file in folder.glob(f"{LOG_FILE}*") if file.is_file()]
    if not files:
        raise DataError(f"{folder}: has no {LOG_FILE}; eilev serve --request-log FOLDER writes it")
    requests = []
    for file in sorted(files, key=lambda file: -int(file.suffix[1:].replace("jsonl", "0"))):
        *lines, unfinished = file.read_text(errors="replace").split("\n")
        # A server that was killed, or is writing: what ends without a line's end is not whole.
        del unfinished
        requests += [
            parse(LoggedRequest, line, f"{file}:{number}") for number, line in enumerate(lines, 1)
        ]
    return requests


def judge_requests(
    requests: Sequence[LoggedRequest], reference: Reference, config: DriftConfig
) -> Subject:
    """What is expected of requests; those to other bundles than the reference's are left out."""
    own = [one for one in requests if one.fingerprint == reference.fingerprint]
    others = len(requests) - len(own)
    note = f"{others} to other bundles left out" if others else ""
    if len(own) < config.min_requests:
        return _too_few(REQUESTS, len(own), config.min_requests, note)
    figures = of_requests(own, reference)
    suites = ((suite_of(REQUESTS, config.requests), table_of(figures)),)
    return Subject(REQUESTS, len(own), note, figures, _not_empty(suites))


def judge_annotations(
    narrations: pd.DataFrame, reference: Reference, config: DriftConfig, validate: ValidateConfig
) -> Subject:
    """What is expected of new annotations, rows of schema.NARRATIONS."""
    if len(narrations) < config.min_narrations:
        return _too_few(ANNOTATIONS, len(narrations), config.min_narrations, "")
    figures = of_annotations(corpus_of(narrations), reference.corpus)
    # They belong to no split yet.
    table = narrations.assign(split="train")
    suites = (
        (build_suites(validate, ())[0], Table([table], columns=lambda: table[["narration_id"]])),
        (suite_of(ANNOTATIONS, config.annotations), table_of(figures)),
    )
    return Subject(ANNOTATIONS, len(narrations), "", figures, _not_empty(suites))


def check(subjects: Sequence[Subject], docs: Path) -> list[Outcome]:
    """Check what is expected of them, and write Data Docs into the folder."""
    pairs = [pair for subject in subjects for pair in subject.suites]
    if not pairs:
        return []
    with atomic_dir(docs) as temporary:
        tables = {suite.name: table for suite, table in pairs}
        return run_suites([suite for suite, _ in pairs], tables, temporary)


def summary_of(subjects: Sequence[Subject], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Contents of drift.json."""
    data = {
        each.name: {"number": each.number, "note": each.note, "figures": each.figures}
        for each in subjects
    }
    return to_json(outcomes, data)


def format_table(subjects: Sequence[Subject], outcomes: Sequence[Outcome]) -> str:
    """A line for each expectation, those of properties with their bounds."""
    lines = [
        f"{each.name}: {each.number}{', ' if each.note else ''}{each.note}" for each in subjects
    ]
    rows = [_row(one) for one in outcomes]
    rows.insert(0, ("bound", "of", "property", "value", "expected"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines += [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines if outcomes else lines[: len(subjects)])


def _row(one: Outcome) -> tuple[str, ...]:
    terms = ", ".join(
        f"{name} {value}" for name, value in one.expected.items() if value is not None
    )
    value = f"{one.observed:.4f}" if isinstance(one.observed, float) else str(one.observed)
    own = one.name == ExpectDriftBetween.expectation_type
    subject = one.subject if own else f"{one.subject} ({one.name})"
    # A table's columns are many.
    shown = (shorten(text, _WIDTH, placeholder="...") for text in (value, terms))
    return ("ok" if one.success else "LEFT", one.table, subject, *shown)


def _too_few(name: str, number: int, least: int, note: str) -> Subject:
    told = f"not judged, as {least} are needed (drift.min_{_UNITS[name]} in params.yaml)"
    return Subject(name, number, "; ".join(filter(None, [note, told])), {}, ())


def _not_empty(
    suites: tuple[tuple[ExpectationSuite, Table], ...],
) -> tuple[tuple[ExpectationSuite, Table], ...]:
    return tuple(pair for pair in suites if pair[0].expectations)
