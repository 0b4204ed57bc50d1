"""Figures of tables as Great Expectations' metrics.

A table may be too large to be held, so its figures are computed as its pieces pass (`measure`), and
a metric reads its own from a table with one row and a column for each. Importing this module
registers them.
"""

from typing import Any, ClassVar

import pandas as pd
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from eilev.distributions import measures
from eilev.distributions.tally import PARTS, Tally


def measure(counts: Tally) -> pd.DataFrame:
    """Compute all figures of a table of episodes; one row, None where one is not defined."""
    figures = {
        BurstinessLevel.metric_name: measures.burstiness_level(counts),
        BurstinessCounts.metric_name: measures.burstiness_counts(counts),
        RankCounts.metric_name: measures.rank_counts(counts),
        BurstinessAboveRandom.metric_name: measures.burstiness_above_random(counts),
        ZipfExponent.metric_name: measures.query_zipf_exponent(counts),
    }
    for part in PARTS:
        words = counts.words[part]
        figures[f"{Synonymy.metric_name}.{part}"] = measures.measured_synonymy(words)
        figures[f"{Homonymy.metric_name}.{part}"] = measures.measured_homonymy(words)
    return pd.DataFrame([figures], dtype=object)


class Figure(TableMetricProvider):
    """A column of a table of figures: the metric's name, and its values behind dots."""

    metric_name: ClassVar[str]

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805  # Great Expectations passes the class
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: Any,
    ) -> float | list[int] | None:
        figures, _compute, _accessor = execution_engine.get_compute_domain(
            domain_kwargs=metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE
        )
        found: float | list[int] | None
        (found,) = figures[".".join([cls.metric_name, *metric_value_kwargs.values()])]
        return found


class BurstinessLevel(Figure):
    """Share of context items that share the query's verb or noun class."""

    metric_name = "table.burstiness"


class BurstinessCounts(Figure):
    """Episodes by the share of context items that share a class with the query, in tenths."""

    metric_name = "table.burstiness_counts"


class RankCounts(Figure):
    """Queries by the rank of their action, in octaves."""

    metric_name = "table.rank_counts"


class BurstinessAboveRandom(Figure):
    """Burstiness minus the level that random contexts of the same queries would have."""

    metric_name = "table.burstiness_above_random"


class ZipfExponent(Figure):
    """Maximum-likelihood Zipf exponent of the queries' action frequencies."""

    metric_name = "table.zipf_exponent"


class Synonymy(Figure):
    """H(word | class) in bits."""

    metric_name = "table.synonymy"
    value_keys = ("part",)


class Homonymy(Figure):
    """H(class | word) in bits."""

    metric_name = "table.homonymy"
    value_keys = ("part",)
