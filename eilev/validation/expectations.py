"""Expectations in the field's words, on top of Great Expectations' own.

A property such as burstiness is a figure of the whole table (`eilev.validation.figures`); an exact
invariant is a column that counts what breaks it (`eilev.validation.checks`). Importing this module
registers the classes with Great Expectations.
"""

from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.expectations.core import ExpectColumnValuesToBeBetween
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render import LegacyDiagnosticRendererType
from great_expectations.render.renderer.renderer import renderer

from eilev.validation import figures

Part = Literal["verb", "noun"]

# Bars of eight heights, and the mark of an empty one.
_BARS = "\u00b7\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


class ExpectPropertyBetween(BatchExpectation, ABC):
    """A figure of the table lies in a closed interval; None leaves a side open."""

    min_value: float | None = None
    max_value: float | None = None

    success_keys: ClassVar[tuple[str, ...]] = ("min_value", "max_value")
    args_keys: ClassVar[tuple[str, ...]] = ("min_value", "max_value")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        result: dict[str, Any] = self._validate_metric_value_between(
            self.metric_dependencies[0], metrics, runtime_configuration, execution_engine
        )
        return result


class _ExpectDrawnPropertyBetween(ExpectPropertyBetween, ABC):
    """A property that the Data Docs show with the histogram behind it, its second metric."""

    # What the bars of the histogram stand for.
    bars: ClassVar[str]

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        found = super()._validate(metrics, runtime_configuration, execution_engine)
        counts = metrics[self.metric_dependencies[1]]
        return found | {"result": found["result"] | {"details": {"histogram": counts}}}

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.OBSERVED_VALUE)
    def _diagnostic_observed_value_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: ExpectationValidationResult | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> str:
        value = str(
            super()._diagnostic_observed_value_renderer(
                configuration, result, runtime_configuration
            )
        )
        found = (result.result if result else None) or {}
        counts = found.get("details", {}).get("histogram")
        return f"{value} {draw_bars(counts)} ({cls.bars})" if counts else value


def draw_bars(counts: Sequence[int]) -> str:
    """A histogram in one line of text, the highest bar full; only what is 0 is blank.

    >>> draw_bars([1, 0, 4, 8])
    '\u2581\u00b7\u2584\u2588'
    """
    most = max(*counts, 1)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)


class ExpectBurstinessBetween(_ExpectDrawnPropertyBetween):
    """Expect the burstiness of the bursty and random episodes to be between two bounds."""

    metric_dependencies = (
        figures.BurstinessLevel.metric_name,
        figures.BurstinessCounts.metric_name,
    )
    bars = "episodes by the share of their context that is bursty, from 0 to 1"


class ExpectBurstinessAboveRandomBetween(ExpectPropertyBetween):
    """Expect burstiness to exceed the level of random contexts by an amount between two bounds."""

    metric_dependencies = (figures.BurstinessAboveRandom.metric_name,)


class ExpectZipfExponentBetween(_ExpectDrawnPropertyBetween):
    """Expect the Zipf exponent of the action frequencies to be between two bounds."""

    metric_dependencies = (figures.ZipfExponent.metric_name, figures.RankCounts.metric_name)
    bars = "queries by the rank of their action: 1, 2 to 3, 4 to 7, ..."


class ExpectWordProperty(ExpectPropertyBetween, ABC):
    """A figure of the verbs or the nouns of the table."""

    part: Part

    success_keys: ClassVar[tuple[str, ...]] = ("part", "min_value", "max_value")
    args_keys: ClassVar[tuple[str, ...]] = ("part", "min_value", "max_value")


class ExpectSynonymyBetween(ExpectWordProperty):
    """Expect the bits by which a class leaves its word open to be between two bounds."""

    metric_dependencies = (figures.Synonymy.metric_name,)


class ExpectHomonymyBetween(ExpectWordProperty):
    """Expect the bits by which a word leaves its class open to be between two bounds."""

    metric_dependencies = (figures.Homonymy.metric_name,)


class _ExpectNone(ExpectColumnValuesToBeBetween, ABC):
    """A column of counts of what must not occur is 0 in every row."""

    min_value: float = 0
    max_value: float = 0


class ExpectNoQueryLeakage(_ExpectNone):
    """Expect no query to be part of its own context."""

    column: str = "queries_in_context"


class ExpectNoRepeatedItems(_ExpectNone):
    """Expect no clip to occur twice in a context."""

    column: str = "repeated_items"


class ExpectRequestedShots(_ExpectNone):
    """Expect every context to have as many clips as its episode asks for."""

    column: str = "missing_or_extra_items"


class ExpectEveryClipToHaveFrames(_ExpectNone):
    """Expect every context clip and query to be known and decoded."""

    column: str = "clips_without_frames"


class ExpectContextFromSplit(_ExpectNone):
    """Expect contexts to come from the split that they may come from."""

    column: str = "items_from_other_splits"


class ExpectQueryFromSplit(_ExpectNone):
    """Expect queries to come from the table's own split."""

    column: str = "queries_from_other_splits"


class ExpectQueryActionToBeUntrained(_ExpectNone):
    """Expect no training clip to show a query's action."""

    column: str = "trained_actions"


class ExpectNoItemOfTheQueryAction(_ExpectNone):
    """Expect bursty and random contexts to show other actions than the query's."""

    column: str = "items_of_the_query_action"


class ExpectActionsEquallyOften(_ExpectNone):
    """Expect every action of a contrastive context to occur equally often."""

    column: str = "uneven_actions"


class ExpectOneWayToBeTheQueryAction(_ExpectNone):
    """Expect shots / ways clips of a contrastive context to show the query's action."""

    column: str = "wrong_share_of_the_query_action"


class ExpectActionsToShareNoClass(_ExpectNone):
    """Expect the actions of a contrastive context to differ in verb and in noun."""

    column: str = "classes_shared_by_actions"


class ExpectNarrationPerClip(_ExpectNone):
    """Expect a rewritten episode to have one narration per clip, a natural one to bring none."""

    column: str = "missing_or_extra_narrations"


class ExpectNarrationOfItsClip(_ExpectNone):
    """Expect a rewritten narration to differ from the clip's own in its verb and noun only."""

    column: str = "foreign_narrations"


class ExpectOneWordPerClass(_ExpectNone):
    """Expect a rewritten episode to call each class by one word."""

    column: str = "words_beside_the_class_word"


class ExpectOneClassPerWord(_ExpectNone):
    """Expect a permuted episode to use each word for one class."""

    column: str = "words_of_several_classes"
