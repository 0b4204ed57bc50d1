"""`eilev describe`: the distribution properties of a corpus or of episodes, with intervals."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd

from eilev import paths, schema
from eilev.config.section import Source
from eilev.distributions import measures
from eilev.distributions.intervals import Figures, Interval, bootstrap_intervals
from eilev.distributions.items import lay_out
from eilev.distributions.properties import zipf_exponent
from eilev.episodes.classes import Ints, action_numbers
from eilev.episodes.facts import gather_facts
from eilev.io import atomic_file, write_json
from eilev.parquet import read_table
from eilev.report.charts import action_frequencies
from eilev.sources.adapters import read_source

Described = tuple[Figures, dict[str, Interval | None], Ints]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("describe", help="measure a corpus or episodes")
    parser.add_argument("--source", choices=get_args(Source), help="measure annotations")
    parser.add_argument("--annotations", type=Path)
    parser.add_argument("--videos", type=Path, help="leave out what has no video here")
    parser.add_argument("--synonyms", type=Path, help="groups words into classes (source table)")
    parser.add_argument("--episodes", type=Path, help="measure episodes; needs the next three")
    parser.add_argument("--narrations", type=Path, default=paths.NARRATIONS)
    parser.add_argument("--split", type=Path, default=paths.SPLIT)
    parser.add_argument("--clips", type=Path, default=paths.CLIPS / "index.parquet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--out", type=Path, help="folder for properties.json and a plot")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print a table of figures with 95 % intervals and, with --out, write it.

    Raises:
        ValueError: neither --source nor --episodes is given, or input is bad (DataError).
    """
    rng = np.random.default_rng(options.seed)
    if (options.source is None) == (options.episodes is None):
        raise ValueError("give exactly one of --source (with --annotations) and --episodes")
    if options.source and options.annotations is None:
        raise ValueError("--source needs --annotations, a file or folder")
    if options.source:
        source = read_source(options.source, options.annotations, options.videos, options.synonyms)
        described = describe_corpus(source.narrations, options.resamples, rng)
    else:
        described = _read_episodes(options, rng)
    figures, intervals, counts = described
    print(format_table(figures, intervals))  # noqa: T201
    if options.out:
        rows = {
            name: {"value": value, "interval": intervals.get(name)}
            for name, value in figures.items()
        }
        write_json(rows, options.out / "properties.json")
        exponent = zipf_exponent(counts) if counts.size > 1 else 0.0
        with atomic_file(options.out / "action_frequencies.svg") as temporary:
            temporary.write_text(action_frequencies(counts.tolist(), exponent))


def describe_corpus(
    narrations: pd.DataFrame, resamples: int, rng: np.random.Generator
) -> Described:
    """Skew and dynamic meaning of rows of schema.NARRATIONS, resampled by video.

    Returns:
        Figures, their intervals (none for counts), and instances per action.
    """
    ids = narrations["narration_id"]
    facts = gather_facts(
        narrations, pd.DataFrame({"narration_id": ids, "split": "train"}), set(ids)
    )

    def measure(rows: Ints) -> Figures:
        return measures.corpus_properties(replace(facts, traits=facts.traits[rows]))

    figures = measure(np.arange(len(narrations)))
    intervals = bootstrap_intervals(narrations["video_id"], measure, resamples, rng)
    counts = measures.action_counts(action_numbers(facts.verbs, facts.nouns)[facts.traits])
    return figures, _without_counts(intervals), counts


def _read_episodes(options: argparse.Namespace, rng: np.random.Generator) -> Described:
    clips = read_table(options.clips, schema.CLIPS_INDEX)
    facts = gather_facts(
        read_table(options.narrations, schema.NARRATIONS),
        read_table(options.split, schema.SPLIT),
        set(clips.loc[clips["shard"].notna(), "narration_id"]),
    )
    episodes = read_table(options.episodes, schema.EPISODES)
    items = lay_out(episodes, facts)
    table = measures.episode_columns(episodes, items, facts)

    return describe_episodes(table, measures.item_columns(items), options.resamples, rng)


def describe_episodes(
    table: pd.DataFrame, items: pd.DataFrame, resamples: int, rng: np.random.Generator
) -> Described:
    """All properties of episodes (measures.episode_columns, item_columns), resampled by query.

    Returns:
        Figures, their intervals (none for counts), and queries per action.
    """
    first = np.searchsorted(items["episode"], np.arange(len(table) + 1))

    def measure(rows: Ints) -> Figures:
        sizes = first[rows + 1] - first[rows]
        # An episode drawn twice counts as two.
        number = np.repeat(np.arange(rows.size), sizes)
        place = np.arange(number.size) - np.repeat(sizes.cumsum() - sizes, sizes)
        shown = items.iloc[np.repeat(first[rows], sizes) + place].assign(episode=number)
        return measures.episode_properties(table.iloc[rows], shown)

    figures = measure(np.arange(len(table)))
    intervals = bootstrap_intervals(table["query"], measure, resamples, rng)
    counts = measures.action_counts(table["action"].to_numpy("int64"))
    return figures, _without_counts(intervals), counts


def _without_counts(intervals: dict[str, Interval | None]) -> dict[str, Interval | None]:
    return {name: ends for name, ends in intervals.items() if not name.startswith("num_")}


def format_table(figures: Figures, intervals: dict[str, Interval | None]) -> str:
    """One aligned line per figure: name, value, 95 % interval where there is one."""
    width = max(map(len, figures))
    lines = [f"{'property':<{width}}  {'value':>8}  95 % interval"]
    for name, value in figures.items():
        ends = intervals.get(name)
        text = "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
        lines.append(
            f"{name:<{width}}  {text:>8}  " + (f"{ends[0]:.4f} to {ends[1]:.4f}" if ends else "")
        )
    return "\n".join(line.rstrip() for line in lines)
