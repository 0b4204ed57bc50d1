"""Runs the suites, builds the Data Docs, and says what failed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation import Expectation

# Part of the pages' paths: a fixed time keeps the site the same from run to run.
_RUN = RunIdentifier("validate", datetime(2000, 1, 1, tzinfo=UTC))

# What makes the same page differ from run to run: times of reading and ids of foldable blocks.
_TIME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
_FOLD_ID = re.compile(r"(?<=-collapse-body-)[0-9a-f-]{36}")
# Viewing a page would fetch the logo from the makers' server, with the time of the build.
_REMOTE_LOGO = re.compile(r"https://great-expectations-web-assets[^\"']*")

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


def run_suites(
    suites: Sequence[ExpectationSuite], tables: Mapping[str, pd.DataFrame], docs: Path
) -> list[Outcome]:
    """Check every table and write the Data Docs.

    Args:
        suites: expectations; a suite is about the table of its name.
        tables: the tables by name.
        docs: folder for the site; index.html is its start.

    Returns:
        The outcome of every expectation, in the order of the suites.
    """
    context = _make_context(docs)
    source = context.data_sources.add_pandas("tables")
    outcomes = []
    for suite in suites:
        asset = source.add_dataframe_asset(suite.name)
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(
                name=suite.name,
                data=asset.add_batch_definition_whole_dataframe("all"),
                suite=context.suites.add(suite),
            )
        )
        result = definition.run(
            batch_parameters={"dataframe": tables[suite.name]},
            result_format=_result_format(tables[suite.name]),
            run_id=_RUN,
        )
        outcomes += [_outcome(suite.name, item) for item in result.results]
    context.build_data_docs()
    settle_pages(docs)
    return outcomes


def _make_context(docs: Path) -> AbstractDataContext:
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for name in context.get_site_names():
        context.delete_data_docs_site(name)
    context.add_data_docs_site(
        "docs",
        {
            "class_name": "SiteBuilder",
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(docs.absolute()),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    return context


def settle_pages(docs: Path) -> None:
    """Make the site's bytes depend on the outcomes only, and its logo come from the site."""
    for page in docs.rglob("*.html"):
        home = "../" * (len(page.relative_to(docs).parts) - 1)
        text = _TIME.sub(f"{_RUN.run_time:%Y%m%dT%H%M%S.%fZ}", page.read_text())
        text = _REMOTE_LOGO.sub(f"{home}static/images/logo-long.png", text)
        for number, fold_id in enumerate(dict.fromkeys(_FOLD_ID.findall(text))):
            text = text.replace(fold_id, str(number))
        page.write_text(text)


def _result_format(table: pd.DataFrame) -> dict[str, Any]:
    names = [name for name in _ROW_NAMES if name in table.columns][:1]
    named = {"unexpected_index_column_names": names} if names else {}
    return {"result_format": "SUMMARY", **named}


def _outcome(table: str, result: ExpectationValidationResult) -> Outcome:
    config = result.expectation_config
    assert config is not None  # noqa: S101  # set by every run
    expectation = config.to_domain_obj()
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
