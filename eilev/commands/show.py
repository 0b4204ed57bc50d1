"""`eilev show`: episodes as a contact sheet, with the model's answers where there are any."""

import argparse
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eilev import paths, schema
from eilev.clips.store import ClipStore
from eilev.inputs.episode import episode_texts
from eilev.io import atomic_file, read_json
from eilev.parquet import read_table
from eilev.report.html import fill
from eilev.report.samples import Answer, Facts, Sample, make_answer, make_sample, narration_facts
from eilev.vocabulary import KINDS, MEANINGS

# Query, kind and shots of an evaluated episode.
Key = tuple[str, str, int]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("show", help="draw episodes as a page")
    parser.add_argument("--episodes", type=Path, default=paths.EPISODES / "novel.parquet")
    parser.add_argument("--narrations", type=Path, default=paths.NARRATIONS)
    parser.add_argument("--clips", type=Path, default=paths.CLIPS)
    parser.add_argument("--predictions", type=Path, help=f"answers, by default {paths.PREDICTIONS}")
    parser.add_argument("--kind", choices=[*KINDS])
    parser.add_argument("--meaning", choices=[*MEANINGS])
    parser.add_argument("--shots", type=int)
    parser.add_argument("--query", help="a narration id")
    parser.add_argument("--number", type=int, default=12, help="episodes drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("episodes.html"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the page.

    Raises:
        ValueError: no episode is like that, or a file is bad (DataError).
    """
    rows = select(read_table(options.episodes, schema.EPISODES), options)
    chosen = np.random.default_rng(options.seed).permutation(len(rows))[: options.number]
    facts = narration_facts(read_table(options.narrations, schema.NARRATIONS))
    clips, answers = ClipStore(options.clips), read_answers(options.predictions)
    groups: dict[str, list[Sample]] = {}
    for row in rows.iloc[sorted(chosen)].to_dict("records"):
        heading = f"{row['kind']}, {row['meaning']}, {row['shots']} shots"
        groups.setdefault(heading, []).append(_sample(row, facts, clips, answers))
    with atomic_file(options.out) as temporary:
        temporary.write_text(fill("episodes.html.j2", title=str(options.episodes), groups=groups))
    print(f"{sum(map(len, groups.values()))} of {len(rows)} episodes: {options.out}")  # noqa: T201


def select(episodes: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Rows that the options ask for.

    Raises:
        ValueError: there are none.
    """
    wanted = {name: getattr(options, name) for name in ("kind", "meaning", "shots", "query")}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    for name, value in wanted.items():
        episodes = episodes[episodes[name] == value]
    if episodes.empty:
        asked = ", ".join(f"{name} {value}" for name, value in wanted.items()) or "any"
        raise ValueError(f"{options.episodes}: no episode with {asked}{_why(options)}")
    return episodes


def _why(options: argparse.Namespace) -> str:
    """Why there are no such episodes, as far as the account beside the table says it."""
    path = options.episodes.with_name(paths.EPISODES_SUMMARY.name)
    kinds = read_json(path).get(options.episodes.stem, {}) if path.exists() else {}
    cells = [
        cell
        for kind, by_shots in kinds.items()
        for shots, cell in by_shots.items()
        if options.kind in (None, kind) and options.shots in (None, int(shots))
    ]
    reasons = dict.fromkeys(cell["reason"] for cell in cells if not cell["episodes"])
    return f": {'; '.join(reasons)}" if reasons else ""


def read_answers(path: Path | None) -> dict[Key, Answer]:
    """Answers of the evaluation, none where it has not been run and no file is asked for."""
    if path is None and not paths.PREDICTIONS.exists():
        return {}
    table = read_table(path or paths.PREDICTIONS, schema.PREDICTIONS)
    return {
        (row["query"], row["condition"], row["shots"]): make_answer(row)
        for row in table.to_dict("records")
    }


def _sample(
    row: Mapping[Hashable, Any],
    facts: Facts,
    clips: ClipStore,
    answers: Mapping[Key, Answer],
) -> Sample:
    clip_ids = (*row["context"], row["query"])
    told = {clip_id: facts[clip_id]["narration"] for clip_id in clip_ids}
    texts = episode_texts(row["narrations"], clip_ids, told)
    answer = answers.get((row["query"], row["kind"], row["shots"]))
    return make_sample(clip_ids, texts, answer, facts, clips)
