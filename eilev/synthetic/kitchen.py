"""The procedural kitchen: MP4 videos and an `fho_main.json` in Ego4D's schema.

A world is drawn once: what classes look like, how often each action occurs, which words each
narrator uses. Each video then has one narrator, one background and its own seed, so the result
does not depend on the number of processes.
"""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from eilev.config.synthesize import SynthesizeConfig
from eilev.io import atomic_dir
from eilev.synthetic.fho import SpokenAction, annotate_action, annotate_video
from eilev.synthetic.lexicon import NOUNS, VERBS, WordClass, narrator_words, word_classes
from eilev.synthetic.render import Look, Motion, background, encode_mp4, looks, motions, render_clip

VIDEOS = "videos"
ANNOTATIONS = "fho_main.json"
# Neighbouring ranks that are actions of the same noun.
VERBS_PER_ROUND = 3


@dataclass(frozen=True)
class World:
    """Everything the videos have in common; classes are indices into these lists."""

    verbs: list[WordClass]
    nouns: list[WordClass]
    motions: list[Motion]
    looks: list[Look]
    actions: NDArray[np.int64]  # actions x (verb, noun), most frequent first
    verb_words: list[list[str]]  # narrator -> verb class -> word
    noun_words: list[list[str]]


@dataclass(frozen=True)
class VideoPlan:
    """What one process needs to make one video."""

    uid: str
    narrator: int
    actions: NDArray[np.int64]  # (verb, noun) of each narrated action, in order
    seed: np.random.SeedSequence


def synthesize(config: SynthesizeConfig, out_dir: Path) -> None:
    """Write videos/*.mp4 and fho_main.json into `out_dir`; equal configs give equal bytes."""
    world_seed, videos_seed = np.random.SeedSequence(config.seed).spawn(2)
    rng = np.random.default_rng(world_seed)
    world = build_world(config, rng)
    plans = plan_videos(config, world, rng, videos_seed)
    with atomic_dir(out_dir) as folder:
        (folder / VIDEOS).mkdir()
        videos = _make_videos(config, world, plans, folder / VIDEOS)
        document = {
            "version": "1.0",
            "description": "Synthetic kitchen in the schema of Ego4D's fho_main.json",
            "videos": videos,
        }
        (folder / ANNOTATIONS).write_text(json.dumps(document, indent=1) + "\n")


def build_world(config: SynthesizeConfig, rng: np.random.Generator) -> World:
    """Draw the looks, the narrators' words and the ranking of the actions."""
    verbs = word_classes(VERBS, config.num_verbs)
    nouns = word_classes(NOUNS, config.num_nouns)
    rates = (config.synonym_rate, config.homonym_rate)
    return World(
        verbs=verbs,
        nouns=nouns,
        motions=motions()[: len(verbs)],
        looks=looks(rng)[: len(nouns)],
        actions=rank_actions(len(verbs), len(nouns), rng),
        verb_words=[narrator_words(verbs, *rates, rng) for _ in range(config.num_narrators)],
        noun_words=[narrator_words(nouns, *rates, rng) for _ in range(config.num_narrators)],
    )


def rank_actions(num_verbs: int, num_nouns: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Every (verb, noun) pair once, most frequent first.

    Ranks go by rounds; a round gives each noun, in random order, its next few verbs. So every noun
    has common actions (none occurs in held-out actions only), and these are about equally frequent:
    clips that share a noun rarely all share a verb too, which would hide what recurs in a context.
    """
    verbs = np.stack([rng.permutation(num_verbs) for _ in range(num_nouns)])
    return np.array(
        [
            (verb, noun)
            for first in range(0, num_verbs, VERBS_PER_ROUND)
            for noun in rng.permutation(num_nouns)
            for verb in verbs[noun, first : first + VERBS_PER_ROUND]
        ],
        np.int64,
    )


def zipf(num_ranks: int, exponent: float) -> NDArray[np.float64]:
    """Probability of each rank, proportional to 1 / rank ** exponent.

    >>> zipf(3, 1.0) * 11
    array([6., 3., 2.])
    """
    weights = np.arange(1, num_ranks + 1, dtype=np.float64) ** -exponent
    return np.asarray(weights / weights.sum())


def plan_videos(
    config: SynthesizeConfig,
    world: World,
    rng: np.random.Generator,
    seed: np.random.SeedSequence,
) -> list[VideoPlan]:
    """Deal `num_actions` independent draws from the Zipf law out to the videos."""
    probabilities = zipf(len(world.actions), config.zipf_exponent)
    drawn = world.actions[rng.choice(len(world.actions), config.num_actions, p=probabilities)]
    return [
        VideoPlan(f"kitchen-{index:05d}", int(rng.integers(config.num_narrators)), actions, child)
        for index, (actions, child) in enumerate(
            zip(
                np.array_split(drawn, config.num_videos), seed.spawn(config.num_videos), strict=True
            )
        )
    ]


def _make_videos(
    config: SynthesizeConfig, world: World, plans: list[VideoPlan], folder: Path
) -> list[dict[str, Any]]:
    """Make the videos in several processes; the annotations come back in the order of `plans`."""
    make = partial(make_video, config, world, folder)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(config.processes, mp_context=context) as pool:
        return list(tqdm(pool.map(make, plans), total=len(plans), desc="videos", unit="video"))


def make_video(
    config: SynthesizeConfig, world: World, folder: Path, plan: VideoPlan
) -> dict[str, Any]:
    """Render and encode one video; return its entry of fho_main.json."""
    rng = np.random.default_rng(plan.seed)
    scene = background(rng, config.height, config.width)
    num_frames = round(config.action_s * config.fps)
    clips, actions = [], []
    for index, (verb, noun) in enumerate(plan.actions):
        clip = render_clip(world.motions[verb], world.looks[noun], scene, num_frames, rng)
        spoken = SpokenAction(
            uid=f"{plan.uid}-{index:04d}",
            verb=world.verbs[verb],
            noun=world.nouns[noun],
            verb_word=world.verb_words[plan.narrator][verb],
            noun_word=world.noun_words[plan.narrator][noun],
            first_frame=index * num_frames,
        )
        actions.append(annotate_action(spoken, clip, config, rng))
        clips.append(clip.frames)
    frames = np.concatenate(clips)
    encode_mp4(frames, config.fps, folder / f"{plan.uid}.mp4")
    return annotate_video(plan.uid, actions, len(frames), config)
