"""Processor time of drawing one 16-shot context, by the number of narrations.

Run `python -m benchmarks.sampler`: a table, and a JSON object in the last line. Making the
random numbers is part of the time; sorting the clips, once per table, is a column of its own.
"""

import json
import time
from collections.abc import Callable

import numpy as np

from eilev.episodes import contrastive, sampler
from eilev.episodes.classes import Ints
from eilev.episodes.draws import row_uniforms

# EPIC-KITCHENS-100's validation and training annotations, and Ego4D's size.
SIZES = (9_668, 67_676, 290_040, 1_000_000)
NUM_VERBS, NUM_NOUNS, ZIPF_EXPONENT = 97, 300, 0.8
SHOTS, WAYS = 16, 4
CHUNK = 1 << 15
EPISODES = 1 << 17


def make_actions(num_clips: int) -> tuple[Ints, Ints]:
    """Verb and noun codes of Zipf-distributed actions (num_clips,)."""
    rng = np.random.default_rng(0)
    weights = np.arange(1, NUM_VERBS * NUM_NOUNS + 1) ** -ZIPF_EXPONENT
    ranks = rng.choice(weights.size, num_clips, p=weights / weights.sum())
    actions = rng.permutation(weights.size)[ranks]
    return actions // NUM_NOUNS, actions % NUM_NOUNS


def microseconds_per_episode(draw: Callable[[int, Ints], object], num_clips: int) -> float:
    """Mean over EPISODES episodes, drawn chunk by chunk; queries are the clips in turn."""
    start = time.process_time()
    for first in range(0, EPISODES, CHUNK):
        draw(first, np.arange(first, first + CHUNK) % num_clips)
    return (time.process_time() - start) / EPISODES * 1e6


def measure(num_clips: int) -> dict[str, float]:
    """Times for one table of clips."""
    verbs, nouns = make_actions(num_clips)
    start = time.process_time()
    index = sampler.index_clips(verbs, nouns)
    indexing = time.process_time() - start

    def queries(rows: Ints) -> sampler.Queries:
        return sampler.Queries(verbs[rows], nouns[rows], rows)

    def bursty(first: int, rows: Ints) -> Ints:
        uniforms = row_uniforms((0,), first, rows.size, 2 * SHOTS)
        return sampler.draw_bursty(index, queries(rows), SHOTS, 0.5, uniforms)

    def random(first: int, rows: Ints) -> Ints:
        uniforms = row_uniforms((0,), first, rows.size, 2 * SHOTS)
        return sampler.draw_random(index, queries(rows), SHOTS, uniforms)

    def ways(first: int, rows: Ints) -> Ints:
        uniforms = row_uniforms((0,), first, rows.size, contrastive.num_draws(SHOTS, WAYS))
        return contrastive.draw_contrastive(index, queries(rows), SHOTS, WAYS, uniforms)[0]

    draws = {"bursty": bursty, "random": random, "contrastive": ways}
    times = {name: microseconds_per_episode(draw, num_clips) for name, draw in draws.items()}
    return {"index_s": indexing, **times}


def main() -> None:
    """Measure every size."""
    print(
        f"{'narrations':>10} {'index s':>9} {'bursty':>8} {'random':>8} {'contrastive':>12}  (us)"
    )
    results = {}
    for size in SIZES:
        times = results[size] = measure(size)
        print(
            f"{size:>10} {times['index_s']:>9.3f} {times['bursty']:>8.2f}"
            f" {times['random']:>8.2f} {times['contrastive']:>12.2f}"
        )
    print(json.dumps({"shots": SHOTS, "microseconds_per_episode": results}))


if __name__ == "__main__":
    main()
