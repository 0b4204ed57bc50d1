"""The bounds of params.yaml as expectations of Great Expectations."""

from typing import ClassVar

import pandas as pd
from great_expectations.core.expectation_suite import ExpectationSuite

from eilev.config.section import Section
from eilev.config.validate import Bounds
from eilev.drift.figures import Figures
from eilev.validation.expectations import ExpectPropertyBetween
from eilev.validation.figures import Figure
from eilev.validation.outcomes import Table


class DriftFigure(Figure):
    """A figure of requests or annotations."""

    metric_name = "table.drift"
    value_keys = ("part",)


class ExpectDriftBetween(ExpectPropertyBetween):
    """Expect a figure of drift to be between two bounds; `part` is its name in params.yaml."""

    part: str

    metric_dependencies = (DriftFigure.metric_name,)
    success_keys: ClassVar[tuple[str, ...]] = ("part", "min_value", "max_value")
    args_keys: ClassVar[tuple[str, ...]] = ("part", "min_value", "max_value")


def suite_of(name: str, bounds: Section) -> ExpectationSuite:
    """Expectations of the bounded properties; a record's docstrings describe them."""
    fields: dict[str, Bounds] = dict(bounds)
    expectations = [
        ExpectDriftBetween(
            part=part,
            min_value=each.min,
            max_value=each.max,
            description=" ".join((type(bounds).model_fields[part].description or "").split()),
        )
        for part, each in fields.items()
        if each.min is not None or each.max is not None
    ]
    return ExpectationSuite(name, expectations)


def table_of(figures: Figures) -> Table:
    """What such a suite is about."""
    columns = {f"{DriftFigure.metric_name}.{part}": value for part, value in figures.items()}
    return Table([], figures=lambda: pd.DataFrame([columns], dtype=object))
