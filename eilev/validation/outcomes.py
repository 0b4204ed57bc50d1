"""Runs the suites, builds the Data Docs, and says what failed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from great_expectations.constants import DATAFRAME_REPLACEMENT_STR
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.expectations import core
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.validator.v1_validator import Validator
from great_expectations.validator.validation_statistics import calc_validation_statistics

from eilev.validation.expectations import ExpectPropertyBetween
from eilev.validation.site import RUN, make_context, settle_pages
from eilev.validation.summing import add_up, with_percents

_SUBJECTS = ("rows", "columns", "figures", "repeats")
# What the rows of a piece do not tell.
_OF_COLUMNS = (
    core.ExpectTableRowCountToBeBetween,
    core.ExpectColumnProportionOfNonNullValuesToBeBetween,
)
_UNIQUE = (core.ExpectColumnValuesToBeUnique, core.ExpectCompoundColumnsToBeUnique)

# Columns that name a row, the first that a table has.
_ROW_NAMES = ("query", "narration_id")


@dataclass(frozen=True)
class Outcome:
    """One expectation and what was found."""

    # In Great Expectations' form, e.g. "expect_burstiness_between".
    name: str
    table: str
    # What of the table it is about: a column, several, a part of speech, or the table itself.
    subject: str
    description: str
    # Bounds of the measured value, or the number of rows that may break the rule.
    expected: Mapping[str, Any]
    # The measured value, or how many rows break the rule.
    observed: Any
    # A few of those rows: narration ids (of the query, for an episode).
    examples: list[str]
    success: bool


@dataclass(frozen=True)
class Table:
    """What a suite is about.

    Attributes:
        pieces: its rows, some at a time; read once.
        columns: those that are looked at as a whole, once the pieces have been read.
        figures: of the whole table (eilev.validation.figures), likewise.
        repeats: the rows that occur more than once, likewise.
    """

    pieces: Iterable[pd.DataFrame]
    columns: Callable[[], pd.DataFrame] | None = None
    figures: Callable[[], pd.DataFrame] | None = None
    repeats: Callable[[], pd.DataFrame] | None = None


def run_suites(
    suites: Sequence[ExpectationSuite], tables: Mapping[str, Table], docs: Path
) -> list[Outcome]:
    """Check every table and write the Data Docs.

    Args:
        suites: expectations; a suite is about the table of its name.
        tables: the tables by name.
        docs: folder for the site; index.html is its start.

    Returns:
        The outcome of every expectation, in the order of the suites.
    """
    context = make_context(docs)
    source = context.data_sources.add_pandas("tables")
    outcomes = []
    for suite in suites:
        asset = source.add_dataframe_asset(suite.name)
        batch = asset.add_batch_definition_whole_dataframe("all")
        result = _check(context.suites.add(suite), tables[suite.name], batch)
        suite_id = ExpectationSuiteIdentifier(suite.name)
        key = ValidationResultIdentifier(suite_id, RUN, result.batch_id)
        context.validation_results_store.store_validation_results(result, key)
        outcomes += [_outcome(suite.name, item) for item in result.results]
    context.build_data_docs()
    settle_pages(docs)
    return outcomes


def _check(
    suite: ExpectationSuite, table: Table, batch: BatchDefinition[Any]
) -> ExpectationSuiteValidationResult:
    """Check a table piece by piece, then what is known of all of it, and join the results."""
    groups = _by_subject(suite)
    of_rows: list[ExpectationValidationResult] = []
    num_rows = 0
    for piece in table.pieces:
        num_rows += len(piece)
        result = _validate(groups["rows"], piece, batch)
        of_rows = list(map(add_up, of_rows, result.results)) if of_rows else result.results
    found = [*of_rows]
    if "columns" in groups and table.columns:
        result = _validate(groups["columns"], table.columns(), batch)
        found += result.results
    if "figures" in groups and table.figures:
        result = _validate(groups["figures"], table.figures(), batch)
        found += result.results
    if "repeats" in groups and table.repeats:
        result = _validate(groups["repeats"], table.repeats(), batch)
        for each in result.results:
            # All other rows occur once.
            each.result = with_percents({**each.result, "element_count": num_rows})
        found += result.results
    return _join(suite, found, result)


def _by_subject(suite: ExpectationSuite) -> dict[str, ExpectationSuite]:
    """Divide a suite into what is expected of rows, columns, figures, and of what occurs once."""
    groups: dict[str, list[Expectation]] = {name: [] for name in _SUBJECTS}
    # An expectation belongs to one suite.
    for expectation in map(copy, suite.expectations):
        if isinstance(expectation, ExpectPropertyBetween):
            groups["figures"].append(expectation)
        elif isinstance(expectation, _UNIQUE):
            groups["repeats"].append(expectation)
        elif isinstance(expectation, _OF_COLUMNS):
            groups["columns"].append(expectation)
        else:
            groups["rows"].append(expectation)
    return {name: ExpectationSuite(suite.name, chosen) for name, chosen in groups.items() if chosen}


def _validate(
    suite: ExpectationSuite, frame: pd.DataFrame, batch: BatchDefinition[Any]
) -> ExpectationSuiteValidationResult:
    parameters = {"dataframe": frame}
    validator = Validator(batch, batch_parameters=parameters, result_format=_result_format(frame))
    return validator.validate_expectation_suite(suite)


def _join(
    suite: ExpectationSuite,
    found: Sequence[ExpectationValidationResult],
    last: ExpectationSuiteValidationResult,
) -> ExpectationSuiteValidationResult:
    """Results of one suite as if they came from one run, whose last part was `last`."""
    # As Great Expectations orders them: column by column.
    places = {_key(expectation): place for place, expectation in enumerate(suite.expectations)}
    columns: dict[Any, list[ExpectationValidationResult]] = {}
    for result in sorted(found, key=lambda result: places[_key(result.expectation)]):
        columns.setdefault(_config(result).kwargs.get("column"), []).append(result)
    results = [result for column in columns.values() for result in column]
    # It is that of the last piece.
    last.meta["batch_markers"].pop("pandas_data_fingerprint", None)
    last.meta |= {
        "run_id": RUN,
        "validation_time": RUN.run_time,
        "batch_parameters": {"dataframe": DATAFRAME_REPLACEMENT_STR},
    }
    statistics = calc_validation_statistics(results)
    return ExpectationSuiteValidationResult(
        success=statistics.success,
        results=results,
        suite_name=suite.name,
        statistics=statistics._asdict(),
        meta=last.meta,
        batch_id=last.batch_id,
    )


def _config(result: ExpectationValidationResult) -> ExpectationConfiguration:
    config = result.expectation_config
    assert config is not None  # noqa: S101  # set by every run
    return config


def _result_format(table: pd.DataFrame) -> dict[str, Any]:
    names = [name for name in _ROW_NAMES if name in table.columns][:1]
    named = {"unexpected_index_column_names": names} if names else {}
    return {"result_format": "SUMMARY", **named}


def _outcome(table: str, result: ExpectationValidationResult) -> Outcome:
    config = _config(result)
    expectation = result.expectation
    details: Any = result.to_json_dict()["result"]
    is_per_row = "unexpected_count" in details
    rows = details.get("partial_unexpected_index_list") or []
    return Outcome(
        name=config.type,
        table=table,
        subject=_subject(expectation),
        description=expectation.description or "",
        expected={"violations": 0} if is_per_row else _terms(expectation),
        observed=details.get("unexpected_count" if is_per_row else "observed_value"),
        examples=sorted({str(row[name]) for row in rows for name in _ROW_NAMES if name in row}),
        success=bool(result.success),
    )


def _key(expectation: Expectation) -> tuple[str, str]:
    """What tells an expectation from the others of its suite."""
    return expectation.expectation_type, _subject(expectation)


def _subject(expectation: Expectation) -> str:
    for field in ("column", "part"):
        if hasattr(expectation, field):
            return str(getattr(expectation, field))
    return ", ".join(getattr(expectation, "column_list", ["table"]))


def _terms(expectation: Expectation) -> dict[str, Any]:
    if hasattr(expectation, "column_set"):
        return {"columns": list(expectation.column_set)}
    names = {"min": "min_value", "max": "max_value"}
    return {short: getattr(expectation, name, None) for short, name in names.items()}


def describe_failures(outcomes: Sequence[Outcome]) -> str:
    """One line per failed expectation; empty if all succeeded."""
    return "\n".join(
        f"{outcome.name} ({outcome.table}, {outcome.subject}): expected {_words(outcome.expected)},"
        f" observed {outcome.observed}{_examples(outcome)}. {outcome.description}"
        for outcome in outcomes
        if not outcome.success
    )


def _words(expected: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} {value}" for name, value in expected.items() if value is not None)


def _examples(outcome: Outcome) -> str:
    return f" (such as {', '.join(outcome.examples[:3])})" if outcome.examples else ""


def to_json(outcomes: Sequence[Outcome], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Contents of validation.json."""
    return {
        "success": all(outcome.success for outcome in outcomes),
        "expectations": [asdict(outcome) for outcome in outcomes],
        "data": dict(properties),
    }
