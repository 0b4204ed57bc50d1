"""A probe from its questions to its files."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eilev.evaluation.trials import Trial
from eilev.io import atomic_file, write_json
from eilev.lifetime.exclusive import exclusive
from eilev.parquet import write_table
from eilev.probe.answers import Answer, open_log, read_answers
from eilev.probe.asking import ask_all
from eilev.probe.endpoint import Endpoint, EndpointError
from eilev.probe.page import Findings, example_request, examples_of, render
from eilev.probe.questions import Questions, Shown
from eilev.probe.requests import Asking
from eilev.probe.scoring import PREDICTIONS, Scored, answer_facts, copying_rates, score
from eilev.probe.verdict import effects_of, gain_of, verdict
from eilev.report import charts

ANSWERS, PREDICTED, METRICS, PAGE = (
    "answers.jsonl",
    "predictions.parquet",
    "metrics.json",
    "index.html",
)
CURVES = Path("plots") / "in_context_curve.csv"


@dataclass(frozen=True)
class Keyed:
    """The distinct requests by their keys, and the key of everything that is shown.

    What differs may look the same: without context, one blank query is like any other.
    """

    trials: Mapping[str, Trial]
    key_of: Mapping[Shown, str]


def keyed(questions: Questions, asking: Asking) -> Keyed:
    """Give every distinct request its key."""
    requests = questions.requests()
    key_of = {shown: asking.key(trial) for shown, trial in requests.items()}
    return Keyed({key: requests[shown] for shown, key in key_of.items()}, key_of)


def answered(keys: Keyed, out: Path) -> set[str]:
    """Keys of the requests that a folder has the answers to already."""
    return set(read_answers(out / ANSWERS)) & set(keys.trials)


def probe(
    questions: Questions, asking: Asking, endpoint: Endpoint, out: Path, concurrency: int
) -> dict[str, Findings]:
    """Ask what has no answer yet, judge all of it and write the folder `out`.

    Args:
        questions: what to ask.
        asking: how.
        endpoint: whom.
        out: keeps answers.jsonl as they come; predictions.parquet, metrics.json, the curves as CSV
            and index.html are written in the end.
        concurrency: requests in flight.

    Returns:
        What was found, by split.

    Raises:
        EndpointError: the endpoint refuses all, or fails for too long; or it refused some requests
            and the rest is written.
    """
    keys = keyed(questions, asking)
    # One process at a time: two would pay for everything twice.
    with exclusive(out / ".lock", wait_s=0), open_log(out / ANSWERS) as log:
        refused = Counter(ask_all(keys.trials, asking, endpoint, log, concurrency).values())
        answers = {
            shown: log.answers[key] for shown, key in keys.key_of.items() if key in log.answers
        }
        findings = _write(questions, asking, answers, refused, out)
    if refused:
        reason, _ = refused.most_common(1)[0]
        raise EndpointError(
            f"{refused.total()} requests were refused and are left out of {out / PAGE}: {reason}"
        )
    return findings


def _write(
    questions: Questions,
    asking: Asking,
    answers: Mapping[Shown, Answer],
    refused: Mapping[str, int],
    out: Path,
) -> dict[str, Findings]:
    scored = score(questions, answers)
    findings = {split: _find(scored, split) for split in charts.splits_with_figures(scored.metrics)}
    about = _about(asking) | answer_facts(answers.values())
    probed = {
        "refused": dict(refused),
        **{
            split: {
                "verdict": found.verdict,
                "effects": [asdict(effect) for effect in found.effects],
                "copying": found.rates,
            }
            for split, found in findings.items()
        },
    }
    write_table(scored.predictions, PREDICTIONS, out / PREDICTED)
    write_json(scored.metrics | {"model": about, "probe": probed}, out / METRICS)
    with atomic_file(out / CURVES) as temporary:
        scored.curves.to_csv(temporary, index=False)
    page = render(
        title=f"What {asking.model} makes of the videos of its context",
        about=about,
        metrics=scored.metrics,
        findings=findings,
        examples=examples_of(questions, scored.predictions, asking, each=2),
        request=example_request(max(questions.requests().values(), key=_is_telling), asking),
        refused=refused,
    )
    with atomic_file(out / PAGE) as temporary:
        temporary.write_text(page)
    return findings


def _find(scored: Scored, split: str) -> Findings:
    effects = effects_of(scored.predictions, split)
    rates = copying_rates(scored.predictions)[split]
    sentences = verdict(effects, gain_of(scored.predictions, split), rates)
    return Findings(sentences, effects, rates)


def _about(asking: Asking) -> dict[str, Any]:
    shape = {f"chat: {name}": value for name, value in asdict(asking.chat_format).items()}
    fields = {f"field: {name}": value for name, value in asking.fields.items()}
    return {"model": asking.model, "url": asking.url} | shape | fields


def _is_telling(trial: Trial) -> tuple[bool, int]:
    """A short request that still has two examples."""
    return trial.shots >= 2, -trial.shots
