"""The measures of eilev.distributions as Great Expectations' metrics of a whole table.

Importing this module registers them.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from eilev.distributions import measures


class _Property(TableMetricProvider):
    """A figure of a whole table, None where it is not defined."""

    # Takes the table and the metric's value keys.
    measure: ClassVar[Callable[..., float | list[int] | None]]

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805  # Great Expectations passes the class
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: Any,
    ) -> float | list[int] | None:
        table, _compute, _accessor = execution_engine.get_compute_domain(
            domain_kwargs=metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE
        )
        return cls.measure(table, **metric_value_kwargs)


class BurstinessLevel(_Property):
    """Share of context items that share the query's verb or noun class."""

    metric_name = "table.burstiness"
    measure = staticmethod(measures.burstiness_level)


class BurstinessCounts(_Property):
    """Episodes by the share of context items that share a class with the query, in tenths."""

    metric_name = "table.burstiness_counts"
    measure = staticmethod(measures.burstiness_counts)


class RankCounts(_Property):
    """Queries by the rank of their action, in octaves."""

    metric_name = "table.rank_counts"
    measure = staticmethod(measures.rank_counts)


class BurstinessAboveRandom(_Property):
    """Burstiness minus the level that random contexts of the same queries would have."""

    metric_name = "table.burstiness_above_random"
    measure = staticmethod(measures.burstiness_above_random)


class ZipfExponent(_Property):
    """Maximum-likelihood Zipf exponent of the queries' action frequencies."""

    metric_name = "table.zipf_exponent"
    measure = staticmethod(measures.query_zipf_exponent)


class Synonymy(_Property):
    """H(word | class) in bits."""

    metric_name = "table.synonymy"
    value_keys = ("part",)
    measure = staticmethod(measures.measured_synonymy)


class Homonymy(_Property):
    """H(class | word) in bits."""

    metric_name = "table.homonymy"
    value_keys = ("part",)
    measure = staticmethod(measures.measured_homonymy)
