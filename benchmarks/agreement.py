"""Whether a bundle narrates as the evaluation did: alone, in a batch, and after a kept context.

    python -m benchmarks.agreement --bundle data/export/bundle --episodes 500

Episodes of the evaluation, of both splits and kinds in equal parts, are narrated in the three ways
in which a server may come to its answers, and held against the predictions that torch made in the
stage `evaluate`. Exits with 1 where a narration differs; the last line is JSON.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from benchmarks.export import request_of, trials
from eilev import paths, schema
from eilev.bundle.answers import Writing
from eilev.bundle.batch import Batch, Logits
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.bundle.passes import Features
from eilev.bundle.rows import Rows
from eilev.clips.store import ClipStore
from eilev.evaluation.trials import Trial
from eilev.inputs.interleave import Layout
from eilev.inputs.turns import Request
from eilev.parquet import read_table

BATCH = 20


@dataclass(frozen=True)
class Asked:
    """An episode; `context` is the length of what is before its last turn, in positions."""

    layout: Layout
    features: Features
    context: int


Prefill = Callable[[OnnxEngine, Asked], tuple[Rows, Logits]]


def asked_of(engine: OnnxEngine, request: Request) -> Asked:
    """Encode an episode's clips."""
    turns, clips = request
    layout = engine.layout(turns, engine.manifest.max_new_tokens)
    context = engine.context_length(layout, turns)
    return Asked(layout, engine.features(turns, clips), context)


def anew(engine: OnnxEngine, asked: Asked) -> tuple[Rows, Logits]:
    """All of a prompt at once."""
    return engine.prefill(asked.layout, asked.features)


def after_context(engine: OnnxEngine, asked: Asked) -> tuple[Rows, Logits]:
    """The last turn after what was kept of the context, as for a second query on it."""
    rows, logits = anew(engine, asked)
    if not asked.context:
        return rows, logits
    kept = rows.beginning(asked.context, engine.place)
    return engine.prefill(asked.layout, asked.features[-1:], kept)


def narrated(engine: OnnxEngine, asked: Sequence[Asked], prefill: Prefill) -> list[str]:
    """Narrations that are written in one batch."""
    batch, writing = Batch(engine), Writing(engine.manifest.max_new_tokens)
    answers = []
    for one in asked:
        rows, logits = prefill(engine, one)
        new = engine.answers(one.layout, writing)
        batch.join(rows, logits[0, -1], new)
        answers += new
    while batch.answers:
        batch.step()
    return [answer.text for answer in answers]


def ways(engine: OnnxEngine, requests: Sequence[Request]) -> Iterator[dict[str, list[str]]]:
    """Narrations of some episodes at a time, by how they came about."""
    for start in range(0, len(requests), BATCH):
        asked = [asked_of(engine, request) for request in requests[start : start + BATCH]]
        yield {
            "alone": [*chain.from_iterable(narrated(engine, [one], anew) for one in asked)],
            "batched": narrated(engine, asked, anew),
            "cached": narrated(engine, asked, after_context),
        }
        print(f"{start + len(asked)} of {len(requests)}", flush=True)


def predictions() -> dict[tuple[str, str, tuple[str, ...]], str]:
    """What torch wrote, by condition, query and context."""
    table = read_table(paths.PREDICTIONS, schema.PREDICTIONS)
    keys = zip(table["condition"], table["query"], map(tuple, table["context"]), strict=True)
    return dict(zip(keys, table["generated"], strict=True))


def measure(bundle: Path, number: int, shots: int) -> dict[str, int]:
    """How many narrations differ from torch's, by how they came about."""
    engine, clips = OnnxEngine.load(bundle, num_threads=1), ClipStore(paths.CLIPS)
    chosen = trials(shots, number, read_table(paths.NARRATIONS, schema.NARRATIONS))
    made, expected = predictions(), list[str]()
    for trial in chosen:
        expected.append(made[_key(trial)])
    requests = [request_of(trial, engine.manifest.prompt, clips) for trial in chosen]
    different = {"alone": 0, "batched": 0, "cached": 0}
    for place, found in enumerate(ways(engine, requests)):
        right = expected[place * BATCH : (place + 1) * BATCH]
        for way, texts in found.items():
            different[way] += sum(a != b for a, b in zip(texts, right, strict=True))
    return {"episodes": len(chosen)} | different


def _key(trial: Trial) -> tuple[str, str, tuple[str, ...]]:
    return trial.condition, trial.query, trial.clip_ids[:-1]


def main() -> None:
    """Compare, and fail where anything differs."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.agreement",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=Path("data/export/bundle"))
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--shots", type=int, default=8)
    given = parser.parse_args()
    told = measure(given.bundle, given.episodes, given.shots)
    print(json.dumps(told))
    if any(told[way] for way in ("alone", "batched", "cached")):
        raise SystemExit("error: narrations differ")


if __name__ == "__main__":
    main()
