"""`eilev probe`: does a served model read the videos of its context, or copy their words?

    eilev probe --url http://127.0.0.1:8000 --model eilev --max-requests 500

Puts the conditions of `evaluate` to any endpoint of OpenAI's chat completions. Prints what that
takes, asks, and writes a page. Stopped or killed, the same command goes on. docs/probe.md has more.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from eilev import paths
from eilev.config.conditions import ASKED_FOR
from eilev.probe.chats import PROMPT, ChatFormat, Layout, Pictures, PromptAs, Send
from eilev.probe.endpoint import Endpoint, chat_url
from eilev.probe.page import Findings
from eilev.probe.questions import Questions, read_questions, restrict, thin_out
from eilev.probe.requests import Asking, cost_of
from eilev.probe.run import PAGE, Keyed, answered, keyed, probe
from eilev.report.charts import SPLIT_TITLES
from eilev.schema import EVALUATED


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "probe",
        help="ask a served model whether it reads the videos of its context",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whom = parser.add_argument_group("whom to ask")
    whom.add_argument("--url", required=True, help="such as http://127.0.0.1:8000/v1")
    whom.add_argument("--model", required=True, help="its name there")
    whom.add_argument("--api-key-env", metavar="NAME", help="environment variable with the key")
    whom.add_argument("--concurrency", type=_positive, default=8, help="requests in flight")
    whom.add_argument("--retries", type=int, default=Endpoint.retries, help="of what may pass")
    whom.add_argument("--timeout-s", type=float, default=Endpoint.timeout_s, help="of an answer")
    what = parser.add_argument_group("what to ask")
    what.add_argument("--episodes", type=Path, default=paths.EPISODES, metavar="FOLDER")
    what.add_argument("--narrations", type=Path, help="by default ../ingest/narrations.parquet")
    what.add_argument("--clips", type=Path, help="by default ../clips; both from FOLDER")
    what.add_argument("--splits", nargs="+", choices=EVALUATED, default=["test", "novel"])
    what.add_argument("--conditions", nargs="+", choices=[*ASKED_FOR], default=[*ASKED_FOR])
    what.add_argument("--shots", nargs="+", type=int, help="by default all")
    what.add_argument(
        "--max-requests", type=_positive, metavar="N", help="ask about fewer queries, evenly"
    )
    what.add_argument("--seed", type=int, default=0, help="evaluate.seed, for the same episodes")
    how = parser.add_argument_group("how to ask")
    how.add_argument(
        "--send", choices=get_args(Send), default="video", help="a clip, or its frames"
    )
    how.add_argument("--frames", type=_positive, help="most of a clip; by default all stored ones")
    how.add_argument("--layout", choices=get_args(Layout), default="turns", help="of examples")
    how.add_argument("--prompt", default=PROMPT, help="leading instruction, '' for none")
    how.add_argument("--prompt-as", choices=get_args(PromptAs), default="system")
    how.add_argument("--max-tokens", type=_positive, default=64, help="of an answer")
    how.add_argument(
        "--field",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="further field of the requests, null to leave one out, such as max_tokens=null",
    )
    parser.add_argument("--out", type=Path, default=Path("probe"), metavar="FOLDER")
    parser.add_argument("--dry-run", action="store_true", help="print what it takes, ask nothing")
    parser.add_argument(
        "--frame-tokens", type=_positive, default=85, help="of a frame, for the estimate"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print what it takes, ask, and print what was found.

    Raises:
        ValueError: bad options, no episodes like that, a bad file (DataError) or an endpoint that
            refuses or fails (EndpointError).
    """
    endpoint = _endpoint(options)
    beside = options.episodes.parent
    narrations = options.narrations or beside / paths.NARRATIONS.relative_to(paths.DATA)
    questions = read_questions(options.episodes, narrations, options.splits, options.seed)
    questions = restrict(questions, options.conditions, options.shots)
    questions = thin_out(questions, options.max_requests)
    chat_format = ChatFormat(
        options.send, options.layout, options.prompt, options.prompt_as, options.frames
    )
    clips = options.clips or beside / paths.CLIPS.relative_to(paths.DATA)
    fields = _fields(options.max_tokens, options.field)
    pictures = Pictures(clips, chat_format)
    asking = Asking(endpoint.url, options.model, fields, chat_format, pictures)
    keys = keyed(questions, asking)
    print(_estimate(questions, keys, asking, options))  # noqa: T201
    if options.dry_run:
        return
    try:
        findings = probe(questions, asking, endpoint, options.out, options.concurrency)
    except KeyboardInterrupt:
        sys.exit(f"stopped; answers are kept in {options.out}, the same command goes on")
    print(_told(findings, options.out))  # noqa: T201


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def _endpoint(options: argparse.Namespace) -> Endpoint:
    """Whom to ask; a key is sent only where its variable is named."""
    name = options.api_key_env
    key = os.environ.get(name, "").strip() if name else None
    if name and not key:
        raise ValueError(f"--api-key-env {name}: there is no such environment variable")
    if options.retries < 0:
        raise ValueError(f"--retries {options.retries} is less than 0")
    url = chat_url(options.url)
    return Endpoint(url, key, name, options.retries, options.timeout_s)


def _fields(max_tokens: int, given: Sequence[str]) -> Mapping[str, Any]:
    """Fields of a request: greedy and short, or as --field has them."""
    fields: dict[str, Any] = {"max_tokens": max_tokens, "temperature": 0}
    for item in given:
        name, equals, text = item.partition("=")
        try:
            fields[name] = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"--field {item}: expected NAME=JSON, such as seed=0") from error
        if not equals or name in ("", "model", "messages"):
            raise ValueError(f"--field {item}: that is not a field to set")
    return {name: value for name, value in fields.items() if value is not None}


def _estimate(
    questions: Questions, keys: Keyed, asking: Asking, options: argparse.Namespace
) -> str:
    known = answered(keys, options.out)
    rest = [trial for key, trial in keys.trials.items() if key not in known]
    cost = cost_of(rest, asking, options.frame_tokens)
    trials = [trial for every in questions.trials.values() for trial in every]
    shots = ", ".join(map(str, sorted({trial.shots for trial in trials})))
    conditions = ", ".join(dict.fromkeys(trial.condition for trial in trials))
    tokens = f"{cost.prompt_tokens:,} (estimate: {options.frame_tokens} a frame)"
    lines = {
        "endpoint": f"{asking.model} at {asking.url}",
        "episodes": f"{len(trials):,} of {' and '.join(questions.trials)}: {conditions}",
        "shots": shots,
        "requests": f"{cost.requests:,}, and {len(known):,} with an answer in {options.out}",
        "videos": f"{cost.clips:,} of {asking.pictures.frames_per_clip} frames",
        "sent": f"{cost.bytes / 1e6:,.1f} MB",
        "prompt tokens": tokens,
    }
    return "\n".join(f"{name:<14} {value}" for name, value in lines.items())


def _told(findings: Mapping[str, Findings], out: Path) -> str:
    lines = []
    for split, found in findings.items():
        lines += ["", SPLIT_TITLES[split], *(f"  {sentence}" for sentence in found.verdict)]
    return "\n".join([*lines, "", f"The page: {out / PAGE}"])
