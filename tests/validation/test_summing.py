"""Outcomes of pieces add up to what Great Expectations says of the whole."""

from collections.abc import Mapping
from typing import Any

import great_expectations as gx
import pandas as pd
import pytest
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.expectations import core
from great_expectations.expectations.expectation import Expectation

from eilev.validation.summing import add_up

IN_SET = core.ExpectColumnValuesToBeInSet(column="kind", value_set=["bursty", "random"])
NOT_NULL = core.ExpectColumnValuesToNotBeNull(column="kind")
COUNTED = core.ExpectTableRowCountToBeBetween(min_value=1)
KINDS = ["bursty", "burtsy", None, "random", "rand", "burtsy", None, "bursty"]
# Of rows that all are as they must be, and of some that are not.
TABLE = pd.DataFrame({"query": [f"clip-{i}" for i in range(8)], "kind": KINDS})


def _validate(expectation: Expectation, frame: pd.DataFrame) -> ExpectationValidationResult:
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    result_format = {
        "result_format": "SUMMARY",
        "unexpected_index_column_names": ["query"],
    }
    result: ExpectationValidationResult = batch.validate(expectation, result_format=result_format)
    return result


def _told(result: ExpectationValidationResult) -> Mapping[str, Any]:
    # Of the rows, only the first piece's are told.
    return {k: v for k, v in result.result.items() if k != "unexpected_index_query"}


@pytest.mark.parametrize("expectation", [IN_SET, NOT_NULL])
@pytest.mark.parametrize("cut", [1, 5, 7])
def test_rows_are_counted_together(expectation: Expectation, cut: int) -> None:
    whole = _validate(expectation, TABLE)
    summed = add_up(_validate(expectation, TABLE[:cut]), _validate(expectation, TABLE[cut:]))
    assert _told(summed) == _told(whole)
    assert summed.success == whole.success is False


def test_what_is_not_about_rows_must_be_the_same() -> None:
    same = _validate(COUNTED, TABLE)
    assert add_up(same, _validate(COUNTED, TABLE)).result == same.result
    with pytest.raises(TypeError, match="do not add up"):
        add_up(same, _validate(COUNTED, TABLE[:3]))
