"""Episodes of every split: which query, which context, which words.

Training and validation take a mixture of recipes, one episode per query and epoch; evaluation takes
every query under every kind at every shot count. Bursty and random contexts come from the training
clips only, contrastive ones from the query's own split.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from eilev.config.episodes import EpisodesConfig, EvaluationEpisodes, Kind
from eilev.episodes import sampler
from eilev.episodes.classes import Bools, Floats, Ints, action_numbers, encode_classes
from eilev.episodes.draws import row_uniforms
from eilev.episodes.kinds import SAMPLERS, ContextShape
from eilev.episodes.marginal import draw_marginal
from eilev.episodes.meaning import Rewriter, make_rewriter
from eilev.episodes.recipes import Recipe, mixture_recipes, round_shares
from eilev.episodes.rows import episode_rows
from eilev.parquet import text_array
from eilev.schema import SPLITS, Split
from eilev.vocabulary import KINDS

_LOG = logging.getLogger(__name__)

# Rows drawn at once: bounds the memory, does not change the result.
_CHUNK = 1 << 15

# What random numbers are for; with seed, split and epoch the key of their stream.
_PICK_QUERIES, _MIX, _DRAW = range(3)


@dataclass(frozen=True)
class Corpus:
    """The clips of one split, indexed; `clips` are positions in the table of all clips."""

    clips: Ints
    index: sampler.ContextIndex


@dataclass(frozen=True)
class Stock:
    """Everything that episodes are drawn from. Arrays are (num_clips,), in the table's order."""

    ids: "pa.Array[Any]"
    verbs: Ints
    nouns: Ints
    # Position of a clip within its split's corpus.
    places: Ints
    corpora: dict[Split, Corpus]
    rewriter: Rewriter
    verb_noun_ratio: float


@dataclass(frozen=True)
class Lot:
    """Episodes to draw together: one per query, each by one of the recipes."""

    split: Split
    epoch: int
    queries: Ints  # clips (num_episodes,)
    recipes: tuple[Recipe, ...]
    choice: Ints  # recipe of each query (num_episodes,)
    key: tuple[int, ...]


def build_episodes(
    narrations: pd.DataFrame,
    split: pd.DataFrame,
    decoded_ids: Collection[str],
    config: EpisodesConfig,
) -> dict[Split, Iterator[pa.Table]]:
    """Build the episodes of all splits; equal input and seed give equal tables.

    An episode depends on the seed, its split, epoch and row only. Where a contrastive context is
    impossible (too few other clips of the query's action) the episode is left out; the numbers are
    logged. Episodes are drawn as they are read, so that any number of them fits into memory.

    Args:
        narrations: rows of schema.NARRATIONS.
        split: rows of schema.SPLIT.
        decoded_ids: narration ids that have frames; the others take no part.
        config: kinds, meanings, shots and shares.

    Returns:
        For each split its rows of schema.EPISODES piece by piece, none for a split without clips.
        Reading raises ValueError where there are too few clips or words for a context.

    Raises:
        ValueError: no training clip is left.
    """
    stock = _make_stock(narrations, split, decoded_ids, config.verb_noun_ratio)
    return {name: _draw_split(stock, name, config) for name in SPLITS}


def _draw_split(stock: Stock, split: Split, config: EpisodesConfig) -> Iterator[pa.Table]:
    if split in ("train", "val"):
        yield from _draw_mixture(stock, split, config)
    else:
        for kind in config.evaluation.kinds:
            yield from _draw_evaluation(stock, split, kind, config.evaluation, config.seed)


def _make_stock(
    narrations: pd.DataFrame, split: pd.DataFrame, decoded_ids: Collection[str], ratio: float
) -> Stock:
    clips = narrations.merge(split, on="narration_id", validate="one_to_one")
    clips = clips[clips["narration_id"].isin(decoded_ids)].reset_index(drop=True)
    splits = clips["split"].to_numpy(dtype=object)
    if not (splits == "train").any():
        raise ValueError(
            f"no training clip with frames among {len(narrations)} narrations: nothing to draw"
            " contexts from; see data/clips/index.parquet for the reasons"
        )
    verbs, nouns = (encode_classes(clips[f"{kind}_class"])[0] for kind in ("verb", "noun"))
    corpora = {name: _make_corpus(verbs, nouns, splits == name) for name in SPLITS}
    places = np.empty_like(verbs)
    for corpus in corpora.values():
        places[corpus.clips] = np.arange(corpus.clips.size)
    ids = text_array(clips["narration_id"])
    rewriter = make_rewriter(clips, splits == "train")
    return Stock(ids, verbs, nouns, places, corpora, rewriter, ratio)


def _make_corpus(verbs: Ints, nouns: Ints, inside: Bools) -> Corpus:
    clips = np.flatnonzero(inside)
    return Corpus(clips, sampler.index_clips(verbs[clips], nouns[clips]))


def _draw_mixture(stock: Stock, split: Split, config: EpisodesConfig) -> Iterator[pa.Table]:
    """Epoch after epoch, every query gets one recipe at random, in the configured shares."""
    mixture = config.train if split == "train" else config.val
    recipes, shares = mixture_recipes(mixture)
    kept = []
    for epoch in range(config.epochs if split == "train" else 1):
        clips = stock.corpora[split].clips
        key = _key(config.seed, split, epoch, _PICK_QUERIES)
        if mixture.marginal is not None:
            actions = action_numbers(stock.verbs[clips], stock.nouns[clips])
            clips = clips[draw_marginal(actions, mixture.marginal, np.random.default_rng(key))]
        queries = _pick(clips, mixture.max_queries, key)
        choice = np.repeat(np.arange(len(recipes)), round_shares(shares, queries.size))
        rng = np.random.default_rng(_key(config.seed, split, epoch, _MIX))
        key = _key(config.seed, split, epoch, _DRAW)
        for table, possible in _draw(
            stock, Lot(split, epoch, queries, recipes, rng.permutation(choice), key)
        ):
            kept.append(possible)
            yield table
    _report_skipped(split, kept)


def _draw_evaluation(
    stock: Stock, split: Split, kind: Kind, config: EvaluationEpisodes, seed: int
) -> Iterator[pa.Table]:
    """One number of shots after another, all about the same queries.

    Queries need a verb and a noun class: an answer to the others could never be called right.
    Contrastive ones also need a context at the largest shot count.
    """
    ways = config.ways if KINDS[kind].in_ways else 1
    all_shots = sorted({shots for shots in config.shots if shots % ways == 0})

    def draw(queries: Ints, shots: int) -> Iterator[tuple[pa.Table, Bools]]:
        recipe = Recipe(kind, config.meaning, shots, ways)
        key = _key(seed, split, 0, _DRAW, shots, kind)
        return _draw(stock, Lot(split, 0, queries, (recipe,), np.zeros_like(queries), key))

    clips = stock.corpora[split].clips
    clips = clips[(stock.verbs[clips] >= 0) & (stock.nouns[clips] >= 0)]
    if KINDS[kind].in_ways:
        kept = [possible for _, possible in draw(clips, all_shots[-1])]
        _report_skipped(split, kept)
        clips = clips[np.concatenate([np.empty(0, np.bool_), *kept])]
    queries = _pick(clips, config.max_queries, _key(seed, split, 0, _PICK_QUERIES))
    for shots in all_shots:
        yield from (table for table, _ in draw(queries, shots))


def _report_skipped(split: Split, kept: Sequence[Bools]) -> None:
    total = sum(part.size for part in kept)
    skipped = total - sum(int(part.sum()) for part in kept)
    if skipped:
        _LOG.warning(
            "%s: %d of %d episodes are left out: a contrastive context needs more clips of the"
            " query's action, or of actions that share no class with it",
            *(split, skipped, total),
        )


def _key(
    seed: int, split: Split, epoch: int, purpose: int, shots: int = 0, kind: Kind = "bursty"
) -> tuple[int, ...]:
    """Key of a stream of random numbers; of fixed length, as trailing zeros would not count."""
    return (seed, SPLITS.index(split), epoch, purpose, shots, KINDS[kind].key)


def _pick(clips: Ints, most: int | None, key: tuple[int, ...]) -> Ints:
    """At most `most` of the clips at random, in the table's order."""
    if most is None or clips.size <= most:
        return clips
    return np.sort(np.random.default_rng(key).choice(clips, most, replace=False))


def _draw(stock: Stock, lot: Lot) -> Iterator[tuple[pa.Table, Bools]]:
    """Lot the episodes of a draw chunk by chunk, in the order of the queries.

    Yields:
        The rows of a chunk, and which of its queries have an episode.
    """
    width = max(recipe.draws for recipe in lot.recipes)
    for start in range(0, lot.queries.size, _CHUNK):
        choice = lot.choice[start : start + _CHUNK]
        uniforms = row_uniforms(lot.key, start, choice.size, width)
        kept = np.ones(choice.size, dtype=np.bool_)
        rows, pieces = [], []
        for number, recipe in enumerate(lot.recipes):
            mine = np.flatnonzero(choice == number)
            queries = lot.queries[start + mine]
            contexts, possible = _draw_contexts(stock, lot.split, queries, recipe, uniforms[mine])
            kept[mine] = possible
            rows.append(mine[possible])
            items = np.column_stack([contexts, queries[possible]])
            numbers = uniforms[rows[-1]]
            pieces.append(
                episode_rows(stock.ids, stock.rewriter, lot.epoch, recipe, items, numbers)
            )
        order = np.argsort(np.concatenate(rows), kind="stable")
        yield pa.concat_tables(pieces).take(order), kept


def _draw_contexts(
    stock: Stock, split: Split, queries: Ints, recipe: Recipe, uniforms: Floats
) -> tuple[Ints, Bools]:
    """Contexts as clips (num_possible, shots), and for which queries one is possible."""
    home: Split = split if KINDS[recipe.kind].from_own_split else "train"
    corpus = stock.corpora[home]
    rows = stock.places[queries] if home == split else np.full_like(queries, -1)
    asked = sampler.Queries(stock.verbs[queries], stock.nouns[queries], rows)
    if recipe.shots == 0:
        return np.empty((queries.size, 0), np.int64), np.ones(queries.size, dtype=np.bool_)
    shape = ContextShape(recipe.shots, recipe.ways, stock.verb_noun_ratio)
    drawn, possible = SAMPLERS[recipe.kind].draw(corpus.index, asked, shape, uniforms)
    return corpus.clips[drawn], possible
