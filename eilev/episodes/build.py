"""Episodes of every split: which query, which context, which words.

Training and validation take a mixture of recipes, one episode per query and epoch; evaluation takes
every query under every kind at every shot count. Bursty and random contexts come from the training
clips only, contrastive ones from the query's own split.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eilev.config.episodes import EpisodeMixture, EpisodesConfig, Kind
from eilev.episodes import account, contrastive, sampler
from eilev.episodes.account import Account
from eilev.episodes.classes import Bools, Floats, Ints, action_numbers
from eilev.episodes.draws import row_uniforms
from eilev.episodes.facts import ClipFacts
from eilev.episodes.kinds import SAMPLERS, ContextShape
from eilev.episodes.marginal import draw_marginal
from eilev.episodes.recipes import Recipe, mixture_recipes, round_shares
from eilev.episodes.rows import episode_rows
from eilev.episodes.stock import Stock, make_stock
from eilev.schema import SPLITS, Split
from eilev.vocabulary import KINDS

# Rows drawn at once: bounds the memory, does not change the result.
_CHUNK = 1 << 15

# What random numbers are for; with seed, split and epoch the key of their stream.
_PICK_QUERIES, _MIX, _DRAW = range(3)

# Reason to the number of queries that have no episode for it.
_LeftOut = Counter[str]


@dataclass(frozen=True)
class Lot:
    """Episodes to draw together: one per query, each by one of the recipes."""

    split: Split
    # Of the curriculum; None outside of train.
    phase: str | None
    epoch: int
    queries: Ints  # clips (num_episodes,)
    recipes: tuple[Recipe, ...]
    choice: NDArray[np.int16]  # recipe of each query (num_episodes,)
    key: tuple[int, ...]


def build_episodes(
    facts: ClipFacts, config: EpisodesConfig, counts: Account
) -> dict[Split, Iterator[pa.Table]]:
    """Build the episodes of all splits; equal input and seed give equal tables.

    An episode depends on the seed, its split, epoch and row only. Where a context is impossible in
    evaluation, or a contrastive one anywhere, the episode is left out. Episodes are drawn as they
    are read, so that any number of them fits into memory.

    Args:
        facts: what is known of the narrations; those without frames take no part.
        config: kinds, meanings, shots and shares.
        counts: is told, as the tables are read, how many episodes there are and what is left out.

    Returns:
        For each split its rows of schema.EPISODES piece by piece, none for a split without clips.
        Reading raises ValueError where there are too few clips or words for a context.

    Raises:
        ValueError: no training clip is left.
    """
    stock = make_stock(facts, config.verb_noun_ratio)
    return {name: _draw_split(stock, name, config, counts) for name in SPLITS}


def _draw_split(
    stock: Stock, split: Split, config: EpisodesConfig, counts: Account
) -> Iterator[pa.Table]:
    section = split if split in ("train", "val") else "evaluation"
    try:
        if section != "evaluation":
            yield from _draw_mixture(stock, split, config, counts)
            return
        for kind in config.evaluation.kinds:
            yield from _draw_evaluation(stock, split, kind, config, counts)
    except ValueError as error:
        raise ValueError(f"params.yaml: episodes.{section}: {split} episodes: {error}") from error


def _draw_mixture(
    stock: Stock, split: Split, config: EpisodesConfig, counts: Account
) -> Iterator[pa.Table]:
    """Epoch after epoch, every query gets one recipe at random, in the configured shares."""
    for epoch, (phase, mixture) in enumerate(_epochs(split, config)):
        recipes, shares = mixture_recipes(mixture)
        clips = stock.corpora[split].clips
        key = _key(config.seed, split, epoch, _PICK_QUERIES)
        if mixture.marginal is not None:
            actions = action_numbers(*stock.classes(clips))
            clips = clips[draw_marginal(actions, mixture.marginal, np.random.default_rng(key))]
        queries = _pick(clips, mixture.max_queries, key)
        choice = np.repeat(
            np.arange(len(recipes), dtype=np.int16), round_shares(shares, queries.size)
        )
        rng = np.random.default_rng(_key(config.seed, split, epoch, _MIX))
        key = _key(config.seed, split, epoch, _DRAW)
        lot = Lot(split, phase, epoch, queries, recipes, rng.permutation(choice), key)
        nothing = Counter({} if queries.size else {stock.why_empty(split): 0})
        yield from _draw_counted(stock, lot, counts, nothing)


def _epochs(split: Split, config: EpisodesConfig) -> list[tuple[str | None, EpisodeMixture]]:
    """Phase and mixture of each epoch, through all phases of the curriculum."""
    if split != "train":
        return [(None, config.val)]
    return [(phase.name, phase) for phase in config.train for _ in range(phase.epochs)]


def _draw_evaluation(
    stock: Stock, split: Split, kind: Kind, config: EpisodesConfig, counts: Account
) -> Iterator[pa.Table]:
    """One number of shots after another, all about the same queries.

    Queries need a verb and a noun class: an answer to the others could never be called right. They
    also need a context at the most shots, of those at which any query has one.
    """
    asked = config.evaluation
    ways = asked.ways if KINDS[kind].in_ways else 1
    all_shots = sorted({shots for shots in asked.shots if shots % ways == 0})
    for shots in {*asked.shots} - {*all_shots}:
        counts.add(split, kind, shots, 0, Counter({account.NO_MULTIPLE: 0}))

    def make_lot(queries: Ints, shots: int) -> Lot:
        recipe = Recipe(kind, asked.meaning, shots, ways)
        key = _key(config.seed, split, 0, _DRAW, shots, kind)
        return Lot(split, None, 0, queries, (recipe,), np.zeros(queries.size, np.int16), key)

    clips, unjudged = _judged_clips(stock, split)
    for most in reversed(all_shots):
        possible, reasons = _possible(stock, make_lot(clips, most))
        left_out = _sum(unjudged, reasons)
        if possible.any():
            break
        counts.add(split, kind, most, 0, left_out)
    else:
        return
    key = _key(config.seed, split, 0, _PICK_QUERIES)
    queries = _pick(clips[possible], asked.max_queries, key)
    for shots in all_shots:
        if shots <= most:
            yield from _draw_counted(stock, make_lot(queries, shots), counts, left_out)


def _judged_clips(stock: Stock, split: Split) -> tuple[Ints, _LeftOut]:
    """Clips of a split with a verb and a noun class, and why there are no others."""
    clips = stock.corpora[split].clips
    if not clips.size:
        return clips, Counter({stock.why_empty(split): 0})
    verbs, nouns = stock.classes(clips)
    judged = clips[(verbs >= 0) & (nouns >= 0)]
    unjudged = clips.size - judged.size
    return judged, Counter({account.NOT_JUDGED: unjudged} if unjudged else {})


def _possible(stock: Stock, lot: Lot) -> tuple[Bools, _LeftOut]:
    """Which queries of a lot of one recipe have a context, and why others have none."""
    (recipe,) = lot.recipes
    if KINDS[recipe.kind].in_ways:
        if not recipe.shots:  # without a context nothing is contrastive
            why = {account.NO_CONTEXT: 0} if lot.queries.size else {}
            return np.zeros(lot.queries.size, np.bool_), Counter(why)
        kept = [possible for _, possible in _draw(stock, lot)]
        possible = np.concatenate([np.empty(0, np.bool_), *kept])
    else:
        index = stock.corpora["train"].index
        possible = sampler.num_others(index, _asked(stock, lot.queries)) >= recipe.shots
    return possible, _reasons(stock, lot.split, recipe, lot.queries[~possible])


def _reasons(stock: Stock, split: Split, recipe: Recipe, queries: Ints) -> _LeftOut:
    """Why queries (clips) have no context."""
    if not queries.size:
        return Counter()
    if not KINDS[recipe.kind].in_ways:
        return Counter({account.few_others(recipe.shots): queries.size})
    each = recipe.shots // recipe.ways
    asked = _asked(stock, queries, inside=True)
    lacking = int(contrastive.lacks_clips(stock.corpora[split].index, asked, each).sum())
    found = {
        account.few_of_the_action(each, split): lacking,
        account.few_actions(recipe.ways - 1, each, split): queries.size - lacking,
    }
    return Counter({text: count for text, count in found.items() if count})


def _sum(first: _LeftOut, second: _LeftOut) -> _LeftOut:
    """Both counts; what counts nothing is kept."""
    total = first.copy()
    total.update(second)
    return total


def _draw_counted(
    stock: Stock, lot: Lot, counts: Account, left_out: _LeftOut
) -> Iterator[pa.Table]:
    """Lot, and count what is drawn and what is not, beside what was `left_out` before."""
    kept = [np.empty(0, np.bool_)]
    for table, possible in _draw(stock, lot):
        kept.append(possible)
        yield table
    possible = np.concatenate(kept)
    for number, recipe in enumerate(lot.recipes):
        mine = lot.choice == number
        impossible = _reasons(stock, lot.split, recipe, lot.queries[mine & ~possible])
        num_drawn = int(possible[mine].sum())
        counts.add(lot.split, recipe.kind, recipe.shots, num_drawn, _sum(left_out, impossible))


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
    """Draw the episodes of a lot chunk by chunk, in the order of the queries.

    Yields:
        The rows of a chunk, and which of its queries have an episode.
    """
    width = max(recipe.draws for recipe in lot.recipes)
    for start in range(0, lot.queries.size, _CHUNK):
        # In a function of its own, so that nothing of a chunk is left when the next one is drawn.
        yield _draw_chunk(stock, lot, start, width)


def _draw_chunk(stock: Stock, lot: Lot, start: int, width: int) -> tuple[pa.Table, Bools]:
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
            episode_rows(stock.ids, stock.rewriter, lot.phase, lot.epoch, recipe, items, numbers)
        )
    order = np.argsort(np.concatenate(rows), kind="stable")
    return pa.concat_tables(pieces).take(order), kept


def _draw_contexts(
    stock: Stock, split: Split, queries: Ints, recipe: Recipe, uniforms: Floats
) -> tuple[Ints, Bools]:
    """Contexts as clips (num_possible, shots), and for which queries one is possible."""
    home: Split = split if KINDS[recipe.kind].from_own_split else "train"
    corpus = stock.corpora[home]
    asked = _asked(stock, queries, inside=home == split)
    if recipe.shots == 0:
        return np.empty((queries.size, 0), np.int64), np.ones(queries.size, dtype=np.bool_)
    shape = ContextShape(recipe.shots, recipe.ways, stock.verb_noun_ratio)
    drawn, possible = SAMPLERS[recipe.kind].draw(corpus.index, asked, shape, uniforms)
    return corpus.clips[drawn], possible


def _asked(stock: Stock, queries: Ints, *, inside: bool = False) -> sampler.Queries:
    """Queries as an index takes them; `inside`: the index is that of their own split."""
    rows = stock.places[queries].astype(np.int64) if inside else np.full_like(queries, -1)
    return sampler.Queries(*stock.classes(queries), rows)
