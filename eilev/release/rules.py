"""Whether a model may take the place of the promoted one: a verdict for each rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from eilev.bundle.manifest import MeasuredParity
from eilev.config.release import Probe, ReleaseConfig

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a rule found: the candidate's value, its bound, and what the promoted model has.

    A value is None where it was not measured; the rule then refuses.
    """

    rule: str
    value: float | None
    bound: str
    promoted: float | None
    passed: bool

    def __str__(self) -> str:
        """One line for people."""
        word = "passed " if self.passed else "REFUSED"
        value = "not measured" if self.value is None else _told(self.value)
        promoted = "-" if self.promoted is None else _told(self.promoted)
        return f"{word}  {self.rule}: {value}, must be {self.bound}; promoted {promoted}"


def judge(
    config: ReleaseConfig,
    metrics: Metrics,
    parity: MeasuredParity | None,
    promoted: Metrics | None,
) -> list[Verdict]:
    """Judge a candidate by every rule.

    Args:
        config: the rules.
        metrics: the candidate's metrics.json.
        parity: of its bundle.
        promoted: metrics.json of the promoted model; None if nothing is promoted yet, when the
            rules that compare ask for nothing but a value.
    """
    main = config.comparison
    compared = [
        _compare(main.metric, main.better, -main.min_gain, metrics, promoted),
        *(
            _compare(one.metric, one.better, one.max_loss, metrics, promoted)
            for one in config.tolerances
        ),
    ]
    probed = [_probe(one, metrics, promoted) for one in config.probes]
    return [*compared, *probed, *_agreement(config, parity)]


def find_metric(path: str, metrics: Metrics) -> float | None:
    """A number of metrics.json by its keys joined by dots; None where there is none.

    >>> find_metric("novel.bursty", {"novel": {"bursty": 0.5}})
    0.5
    """
    found: Any = metrics
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number else None


def _compare(
    path: str,
    better: Literal["higher", "lower"],
    max_loss: float,
    metrics: Metrics,
    promoted: Metrics | None,
) -> Verdict:
    value = find_metric(path, metrics)
    before = None if promoted is None else find_metric(path, promoted)
    if before is None:
        # A promoted model without the figure sets no bound, but a candidate must have it.
        return Verdict(path, value, "measured", None, value is not None)
    least = before - max_loss if better == "higher" else before + max_loss
    return _bounded(path, value, least, before, at_least=better == "higher")


def _probe(probe: Probe, metrics: Metrics, promoted: Metrics | None) -> Verdict:
    before = None if promoted is None else _gap(probe, promoted)
    return _bounded(probe.name, _gap(probe, metrics), probe.min_gap, before, at_least=True)


def _gap(probe: Probe, metrics: Metrics) -> float | None:
    score, left = find_metric(probe.score, metrics), find_metric(probe.left, metrics)
    return None if score is None or left is None else score - left


def _agreement(config: ReleaseConfig, parity: MeasuredParity | None) -> list[Verdict]:
    bounds = config.parity
    identical = None if parity is None else parity.identical_narrations / parity.episodes
    difference = None if parity is None else parity.max_logit_difference
    return [
        _bounded(
            "export: identical narrations", identical, bounds.min_identical, None, at_least=True
        ),
        _bounded(
            "export: logit difference",
            difference,
            bounds.max_logit_difference,
            None,
            at_least=False,
        ),
    ]


def _bounded(
    rule: str, value: float | None, bound: float, promoted: float | None, *, at_least: bool
) -> Verdict:
    # Rounded: 0.9 - 0.02 is less than 0.88 by what a float can't hold.
    gain = None if value is None else round(value - bound if at_least else bound - value, 9)
    told = f"{'at least' if at_least else 'at most'} {_told(bound)}"
    return Verdict(rule, value, told, promoted, gain is not None and gain >= 0)


def _told(value: float) -> str:
    return f"{value:.4g}"
