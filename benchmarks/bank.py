"""What the bank of a server is worth: narrations after similar examples, random ones and none.

    python -m benchmarks.bank --data data --queries 150

Queries of `test` (trained actions) and `novel` (others) are narrated by the exported bundle. The
bank holds the clips of `train`, a half of `novel` whose other half is asked about, or both. Beside
them stand the bursty contexts of the evaluation, which know the query's classes. The last line is
JSON.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pandas as pd

from eilev.bundle.answers import Answer, Writing
from eilev.bundle.bank import Bank, Example, Found
from eilev.bundle.batch import Batch
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.bundle.passes import VISION_BATCH
from eilev.clips.store import ClipStore
from eilev.evaluation.generation import Generated
from eilev.evaluation.judge import Judge
from eilev.evaluation.trials import Trial
from eilev.inputs.turns import Turn

SHOTS, ROUNDS = 8, 4


@dataclass(frozen=True)
class Row:
    """Accuracies over queries, and over those whose action somebody in the bank does."""

    split: str
    bank: str
    context: str
    action: float
    verb: float
    noun: float
    action_if_in_bank: float | None
    answers_per_query: float


@dataclass(frozen=True)
class Kitchen:
    """The model, and all clips as it sees them."""

    engine: OnnxEngine
    features: Mapping[str, np.ndarray]
    texts: Mapping[str, str]

    def bank(self, ids: Sequence[str]) -> Bank:
        """These clips."""
        features = np.stack([self.features[one] for one in ids])
        examples = [Example(one, self.texts[one]) for one in ids]
        empty = Bank.empty(features.nbytes, *features.shape[1:])
        return empty.extended(examples, features)

    def answer(self, context: Sequence[str], query: str) -> Answer:
        """Narrate a clip after narrated ones."""
        prompt, writing = self.engine.manifest.prompt, Writing(12, num_logprobs=0)
        turns = [*(Turn(prompt, self.texts[one]) for one in context), Turn(prompt, None)]
        layout = self.engine.layout(turns, writing.max_new_tokens)
        features = np.stack([self.features[one] for one in (*context, query)])
        rows, logits = self.engine.prefill(layout, features)
        batch, answers = Batch(self.engine), self.engine.answers(layout, writing)
        batch.join(rows, logits[0, -1], answers)
        while batch.answers:
            batch.step()
        return answers[0]


def mean_confidence(answer: Answer) -> float:
    """What the server goes by."""
    return answer.confidence


def least_confidence(answer: Answer) -> float:
    """Probability of the least likely token."""
    return math.exp(min(token.logprob for token in answer.logprobs))


Confidence = Callable[[Answer], float]
# The answers to a query in each round, and how many were asked for.
Told = tuple[Answer, int]


def narrated(
    kitchen: Kitchen, bank: Bank, queries: Sequence[str], confidences: Sequence[float]
) -> dict[str, list[Told]]:
    """Answers to each query after each kind of context."""
    told: dict[str, list[Told]] = {}
    for number, query in enumerate(queries):
        own = kitchen.features[query][None]
        similar = _rounds(bank.ranked(own, "similar"))
        drawn = _rounds(bank.ranked(own, "random", number))
        after = [kitchen.answer(one, query) for one in similar]
        best = similar[0]
        answers = {
            "none": (kitchen.answer((), query), 1),
            "random": (kitchen.answer(drawn[0], query), 1),
            "similar": (after[0], 1),
            "similar, the best one last": (kitchen.answer(best[::-1], query), 1),
            **{f"similar, {n}": (kitchen.answer(best[:n], query), 1) for n in (1, 2, 4)},
        }
        for wanted in confidences:
            answers[f"rounds, least {wanted:g}"] = until(after, least_confidence, wanted)
            answers[f"rounds, mean {wanted:g}"] = until(after, mean_confidence, wanted)
        for name, answer in answers.items():
            told.setdefault(name, []).append(answer)
    return told


def _rounds(ranked: Iterator[Found]) -> list[tuple[str, ...]]:
    ids = [one.example.id for one in islice(ranked, SHOTS * ROUNDS)]
    return [tuple(ids[start : start + SHOTS]) for start in range(0, len(ids), SHOTS)]


def until(answers: Sequence[Answer], confidence: Confidence, wanted: float) -> Told:
    """The answer to trust most of those up to the first one that can be trusted."""
    sure = [confidence(answer) for answer in answers]
    number = next((n for n, one in enumerate(sure, 1) if one >= wanted), len(answers))
    return answers[int(np.argmax(sure[:number]))], number


@dataclass(frozen=True)
class Scoring:
    """Which answers are right."""

    judge: Judge
    texts: Mapping[str, str]
    # Verb class and noun class.
    actions: Mapping[str, tuple[str, str]]

    def row(
        self,
        split: str,
        bank: str,
        ids: Sequence[str],
        queries: Sequence[str],
        context: str,
        told: Sequence[Told],
    ) -> Row:
        """Accuracies of the answers to some queries."""
        trials = [Trial(context, "natural", (one,), (self.texts[one],), (one,)) for one in queries]
        generated = [Generated(answer.text, answer.confidence) for answer, _ in told]
        table = self.judge.table("novel" if split == "novel" else "test", trials, generated)
        action = table["verb_correct"] & table["noun_correct"]
        there = {self.actions[one] for one in ids}
        known = [self.actions[one] in there for one in queries]
        return Row(
            split,
            bank,
            context,
            round(float(action.mean()), 3),
            round(float(table["verb_correct"].mean()), 3),
            round(float(table["noun_correct"].mean()), 3),
            round(float(action[known].mean()), 3) if any(known) else None,
            round(float(np.mean([number for _, number in told])), 2),
        )


def encoded(engine: OnnxEngine, clips: ClipStore, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Features of clips by their ids."""
    found: dict[str, np.ndarray] = {}
    for start in range(0, len(ids), VISION_BATCH):
        batch = ids[start : start + VISION_BATCH]
        features = engine.encode([clips[one] for one in batch])
        found |= dict(zip(batch, features, strict=True))
    return found


def bursty(data: Path, split: str) -> dict[str, list[str]]:
    """Contexts of the evaluation by query."""
    episodes = pd.read_parquet(data / f"episodes/{split}.parquet")
    chosen = episodes[(episodes["kind"] == "bursty") & (episodes["shots"] == SHOTS)]
    return dict(zip(chosen["query"], map(list, chosen["context"]), strict=True))


def measure(data: Path, num_queries: int, confidences: Sequence[float]) -> list[Row]:
    """Every context of every bank, asked about the same queries of a split."""
    table = pd.read_parquet(data / "ingest/narrations.parquet").set_index(
        "narration_id", drop=False
    )
    split_of = pd.read_parquet(data / "split/split.parquet").set_index("narration_id")["split"]
    clips = ClipStore(data / "clips")
    ids = {
        name: [one for one in clips.ids if split_of.get(one) == name]
        for name in ("train", "test", "novel")
    }
    engine = OnnxEngine.load(data / "export/bundle")
    texts = dict(table["narration"])
    actions = dict(
        zip(table.index, zip(table["verb_class"], table["noun_class"], strict=True), strict=True)
    )
    kitchen = Kitchen(engine, encoded(engine, clips, [*chain(*ids.values())]), texts)
    scoring = Scoring(Judge(table), texts, actions)
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for split in ("test", "novel"):
        contexts = bursty(data, split)
        drawn = rng.permutation(ids[split]).tolist()
        half = len(drawn) // 2 if split == "novel" else len(drawn)
        queries = [one for one in drawn[:half] if one in contexts][:num_queries]
        banks = {"train": ids["train"]}
        if split == "novel":
            banks |= {"novel": drawn[half:], "train and novel": ids["train"] + drawn[half:]}
        told = [(kitchen.answer(contexts[one], one), 1) for one in queries]
        rows.append(scoring.row(split, "", ids["train"], queries, "bursty", told))
        for name, held in banks.items():
            for context, told in narrated(
                kitchen, kitchen.bank(held), queries, confidences
            ).items():
                rows.append(scoring.row(split, name, held, queries, context, told))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bank", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--queries", type=int, default=150, help="of each split")
    parser.add_argument(
        "--confidence", type=float, nargs="+", default=[0.5, 0.7, 0.9], help="end the rounds"
    )
    arguments = parser.parse_args()
    rows = [asdict(row) for row in measure(arguments.data, arguments.queries, arguments.confidence)]
    print(pd.DataFrame(rows).to_string(index=False))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
