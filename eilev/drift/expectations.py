"""The bounds of params.yaml as expectations of Great Expectations."""

from typing import Any, ClassVar

import pandas as pd
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from eilev.config.section import Section
from eilev.config.validate import Bounds
from eilev.drift.figures import Figures
from eilev.validation.expectations import ExpectPropertyBetween
from eilev.validation.outcomes import Table


class DriftFigure(TableMetricProvider):
    """A column of a table of figures with one row."""

    metric_name = "table.drift"
    value_keys = ("part",)

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805  # Great Expectations passes the class
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: Any,
    ) -> float | None:
        figures, _compute, _accessor = execution_engine.get_compute_domain(
            domain_kwargs=metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE
        )
        (found,) = figures[metric_value_kwargs["part"]]
        value: float | None = found
        return value


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
    return Table([], figures=lambda: pd.DataFrame([figures], dtype=object))
