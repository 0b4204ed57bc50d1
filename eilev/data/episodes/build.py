"""Episodes of every split: which query, which context, which words.

Training and validation take a mixture of recipes, one episode per query and epoch; evaluation takes
every query under every kind at every shot count. Bursty and random contexts come from the training
clips only, contrastive ones from the query's own split.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eilev.config import EpisodesConfig, EvaluationEpisodes, Kind
from eilev.data.actions import encode_classes
from eilev.data.distributions import Bools, Floats, Ints, action_numbers
from eilev.data.episodes import contrastive, sampler
from eilev.data.episodes.draws import row_uniforms
from eilev.data.episodes.marginal import draw_marginal
from eilev.data.episodes.meaning import Rewriter, make_rewriter, write_canonical, write_permuted
from eilev.data.episodes.recipes import Recipe, mixture_recipes, round_shares
from eilev.schema import EPISODES, SPLITS, Split

_LOG = logging.getLogger(__name__)

# Rows drawn at once: bounds the memory, does not change the result.
_CHUNK = 1 << 15

# What random numbers are for; with seed, split and epoch the key of their stream.
_PICK_QUERIES, _MIX, _DRAW = range(3)

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Corpus:
    """The clips of one split, indexed; `clips` are positions in the table of all clips."""

    clips: Ints
    index: sampler.ContextIndex


@dataclass(frozen=True)
class World:
    """Everything that episodes are drawn from. Arrays are (num_clips,), in the table's order."""

    ids: NDArray[np.object_]
    verbs: Ints
    nouns: Ints
    # Position of a clip within its split's corpus.
    places: Ints
    corpora: dict[Split, Corpus]
    rewriter: Rewriter
    verb_noun_ratio: float


@dataclass(frozen=True)
class Plan:
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
) -> dict[Split, pd.DataFrame]:
    """Build the episodes of all splits; equal input and seed give equal tables.

    An episode depends on the seed, its split, epoch and row only. Where a contrastive context is
    impossible (too few other clips of the query's action) the episode is left out; the numbers are
    logged.

    Args:
        narrations: rows of schema.NARRATIONS.
        split: rows of schema.SPLIT.
        decoded_ids: narration ids that have frames; the others take no part.
        config: kinds, meanings, shots and shares.

    Returns:
        A table (schema.EPISODES) per split, empty for a split without clips.

    Raises:
        ValueError: no training clip is left, or there are too few clips or words for a context.
    """
    world = _make_world(narrations, split, decoded_ids, config.verb_noun_ratio)
    tables = {}
    for name in SPLITS:
        if name in ("train", "val"):
            pieces = _draw_mixture(world, name, config)
        else:
            pieces = [
                table
                for kind in config.evaluation.kinds
                for table in _draw_evaluation(world, name, kind, config.evaluation, config.seed)
            ]
        tables[name] = pd.concat([_empty(), *pieces], ignore_index=True).astype(_empty().dtypes)
    return tables


def _make_world(
    narrations: pd.DataFrame, split: pd.DataFrame, decoded_ids: Collection[str], ratio: float
) -> World:
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
    ids = clips["narration_id"].to_numpy(dtype=object)
    rewriter = make_rewriter(clips, splits == "train")
    return World(ids, verbs, nouns, places, corpora, rewriter, ratio)


def _make_corpus(verbs: Ints, nouns: Ints, inside: Bools) -> Corpus:
    clips = np.flatnonzero(inside)
    return Corpus(clips, sampler.index_clips(verbs[clips], nouns[clips]))


def _draw_mixture(world: World, split: Split, config: EpisodesConfig) -> list[pd.DataFrame]:
    """A table per epoch: every query gets one recipe at random, in the configured shares."""
    mixture = config.train if split == "train" else config.val
    recipes, shares = mixture_recipes(mixture)
    drawn = []
    for epoch in range(config.epochs if split == "train" else 1):
        clips = world.corpora[split].clips
        key = _key(config.seed, split, epoch, _PICK_QUERIES)
        if mixture.marginal is not None:
            actions = action_numbers(world.verbs[clips], world.nouns[clips])
            clips = clips[draw_marginal(actions, mixture.marginal, np.random.default_rng(key))]
        queries = _pick(clips, mixture.max_queries, key)
        choice = np.repeat(np.arange(len(recipes)), round_shares(shares, queries.size))
        rng = np.random.default_rng(_key(config.seed, split, epoch, _MIX))
        key = _key(config.seed, split, epoch, _DRAW)
        drawn.append(
            _draw(world, Plan(split, epoch, queries, recipes, rng.permutation(choice), key))
        )
    _report_skipped(split, np.concatenate([kept for _, kept in drawn]))
    return [table for table, _ in drawn]


def _draw_evaluation(
    world: World, split: Split, kind: Kind, config: EvaluationEpisodes, seed: int
) -> list[pd.DataFrame]:
    """A table per shot count, all about the same queries.

    Queries need a verb and a noun class: an answer to the others could never be called right.
    Contrastive ones also need a context at the largest shot count.
    """
    ways = config.ways if kind == "contrastive" else 1
    all_shots = sorted({shots for shots in config.shots if shots % ways == 0})

    def draw(queries: Ints, shots: int) -> tuple[pd.DataFrame, Bools]:
        recipe = Recipe(kind, config.meaning, shots, ways)
        key = _key(seed, split, 0, _DRAW, shots, kind)
        return _draw(world, Plan(split, 0, queries, (recipe,), np.zeros_like(queries), key))

    clips = world.corpora[split].clips
    clips = clips[(world.verbs[clips] >= 0) & (world.nouns[clips] >= 0)]
    if kind == "contrastive":
        kept = draw(clips, all_shots[-1])[1]
        _report_skipped(split, kept)
        clips = clips[kept]
    queries = _pick(clips, config.max_queries, _key(seed, split, 0, _PICK_QUERIES))
    return [draw(queries, shots)[0] for shots in all_shots]


def _report_skipped(split: Split, kept: Bools) -> None:
    skipped = np.count_nonzero(~kept)
    if skipped:
        _LOG.warning(
            "%s: %d of %d episodes are left out: a contrastive context needs more clips of the"
            " query's action, or of actions that share no class with it",
            *(split, skipped, kept.size),
        )


def _key(
    seed: int, split: Split, epoch: int, purpose: int, shots: int = 0, kind: Kind = "bursty"
) -> tuple[int, ...]:
    """Key of a stream of random numbers; of fixed length, as trailing zeros would not count."""
    return (seed, SPLITS.index(split), epoch, purpose, shots, KINDS.index(kind))


def _pick(clips: Ints, most: int | None, key: tuple[int, ...]) -> Ints:
    """At most `most` of the clips at random, in the table's order."""
    if most is None or clips.size <= most:
        return clips
    return np.sort(np.random.default_rng(key).choice(clips, most, replace=False))


def _draw(world: World, plan: Plan) -> tuple[pd.DataFrame, Bools]:
    """Draw the episodes of a plan.

    Returns:
        The table in the order of the queries, and which queries have an episode.
    """
    kept = np.ones(plan.queries.size, dtype=np.bool_)
    pieces = [_empty()]
    width = max(recipe.draws for recipe in plan.recipes)
    for start in range(0, plan.queries.size, _CHUNK):
        choice = plan.choice[start : start + _CHUNK]
        uniforms = row_uniforms(plan.key, start, choice.size, width)
        for number, recipe in enumerate(plan.recipes):
            mine = np.flatnonzero(choice == number)
            queries = plan.queries[start + mine]
            contexts, possible = _draw_contexts(world, plan.split, queries, recipe, uniforms[mine])
            kept[start + mine] = possible
            items = np.column_stack([contexts, queries[possible]])
            table = _table(world, plan.epoch, recipe, items, uniforms[mine[possible]])
            pieces.append(table.set_axis(start + mine[possible]))
    return pd.concat(pieces).sort_index(kind="stable"), kept


def _draw_contexts(
    world: World, split: Split, queries: Ints, recipe: Recipe, uniforms: Floats
) -> tuple[Ints, Bools]:
    """Contexts as clips (num_possible, shots), and for which queries one is possible."""
    home: Split = split if recipe.kind == "contrastive" else "train"
    corpus = world.corpora[home]
    rows = world.places[queries] if home == split else np.full_like(queries, -1)
    asked = sampler.Queries(world.verbs[queries], world.nouns[queries], rows)
    possible = np.ones(queries.size, dtype=np.bool_)
    if recipe.shots == 0:
        return np.empty((queries.size, 0), np.int64), possible
    if recipe.kind == "bursty":
        ratio = world.verb_noun_ratio
        drawn = sampler.draw_bursty(corpus.index, asked, recipe.shots, ratio, uniforms)
    elif recipe.kind == "random":
        drawn = sampler.draw_random(corpus.index, asked, recipe.shots, uniforms)
    else:
        drawn, possible = contrastive.draw_contrastive(
            corpus.index, asked, recipe.shots, recipe.ways, uniforms
        )
    return corpus.clips[drawn], possible


def _table(world: World, epoch: int, recipe: Recipe, items: Ints, uniforms: Floats) -> pd.DataFrame:
    """Rows of schema.EPISODES for items (num_episodes, shots + 1): context, then query."""
    narrations: list[list[str]] | list[None]
    if recipe.meaning == "natural":
        narrations = [None] * len(items)
    elif recipe.meaning == "canonical":
        narrations = write_canonical(world.rewriter, items)
    else:
        own = uniforms[:, recipe.context_draws : recipe.draws]
        narrations = write_permuted(world.rewriter, items, own)
    return pd.DataFrame(
        {
            "query": world.ids[items[:, -1]],
            "context": list(world.ids[items[:, :-1]]),
            "shots": np.int32(recipe.shots),
            "epoch": np.int32(epoch),
            "kind": recipe.kind,
            "meaning": recipe.meaning,
            "narrations": pd.Series(narrations, dtype=object),
        }
    )


def _empty() -> pd.DataFrame:
    return EPISODES.empty_table().to_pandas()
