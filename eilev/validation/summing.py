"""The outcome of an expectation about a table, from its outcomes about the table's pieces."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from great_expectations.core.expectation_validation_result import ExpectationValidationResult

# As many examples as Great Expectations keeps by itself.
_EXAMPLES = 20
_COUNTS = ("element_count", "unexpected_count", "missing_count")
_LISTS = ("partial_unexpected_list", "partial_unexpected_index_list")


def add_up(
    first: ExpectationValidationResult, second: ExpectationValidationResult
) -> ExpectationValidationResult:
    """Add the outcome about a table's next piece to the one about those before it.

    Rows are counted together and the first examples kept. What is not about rows, such as the
    table's columns, must be the same for all pieces.

    Raises:
        TypeError: it is not, so that there is no outcome for the whole.
    """
    if "unexpected_count" not in first.result:
        if (first.success, first.result) != (second.success, second.result):
            raise TypeError(f"{first.expectation_config}: pieces of a table do not add up")
        return first
    return ExpectationValidationResult(
        success=bool(first.success and second.success),
        expectation_config=first.expectation_config,
        result=with_percents(_sum(first.result, second.result)),
        meta=first.meta,
        exception_info=first.exception_info,
    )


def with_percents(result: Mapping[str, Any]) -> dict[str, Any]:
    """Work out what follows from a result's counts of rows, as Great Expectations does."""
    rows, broken = result["element_count"], result["unexpected_count"]
    missing = result.get("missing_count") or 0
    percents = {
        "unexpected_percent": _percent(broken, rows - missing),
        "missing_percent": _percent(missing, rows),
        "unexpected_percent_total": _percent(broken, rows),
        "unexpected_percent_nonmissing": _percent(broken, rows - missing),
    }
    return {**result, **{name: value for name, value in percents.items() if name in result}}


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None


def _sum(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    # Examples are told by the piece that has the first of them.
    total = {**second, **first} if first["unexpected_count"] else {**first, **second}
    for name in _COUNTS:
        if name in first:
            total[name] = first[name] + second[name]
    for name in _LISTS:
        if name in first or name in second:
            total[name] = [*(first.get(name) or ()), *(second.get(name) or ())][:_EXAMPLES]
    name = "partial_unexpected_counts"
    if name in first or name in second:
        total[name] = _most_common([*(first.get(name) or ()), *(second.get(name) or ())])
    return total


def _most_common(counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Values that break the rule, most frequent first, of those that each piece names."""
    total: Counter[Any] = Counter()
    for each in counts:
        if "value" in each:  # else the values have no order, and an error stands in their place
            total[each["value"]] += each["count"]
    common = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:_EXAMPLES]
    return [{"value": value, "count": count} for value, count in common]
