"""Write the ready examples of the server's page: clips of the default's kitchen, and their index.

    python -m tools.examples

No action of "Which of the four?" is in the default's training; each clip is a new rendering, larger
than the data's, for people to look at.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eilev.config.section import load_section
from eilev.config.synthesize import SynthesizeConfig
from eilev.io import write_json
from eilev.synthetic.fho import third_person
from eilev.synthetic.kitchen import World, build_world
from eilev.synthetic.render import background, encode_mp4, render_clip

FOLDER = Path("eilev/serving/examples")
INDEX = "index.json"
SIZE = 128  # pixels of a frame's side
SEED = 1


@dataclass(frozen=True)
class Shown:
    """A clip of an action, by the heads of its classes, and the words it is told in if not these.

    take: which of several clips of this action.
    """

    action: str
    words: str = ""
    take: int = 1

    @property
    def video(self) -> str:
        """File name."""
        return f"{self.action.replace(' ', '-')}-{self.take}.mp4"

    @property
    def narration(self) -> str:
        """The sentence."""
        verb, noun = (self.words or self.action).split()
        return f"The camera wearer {third_person(verb)} the {noun}."

    @property
    def entry(self) -> dict[str, str]:
        """Of the index."""
        return {"video": self.video, "narration": self.narration}


@dataclass(frozen=True)
class Set:
    """Examples with a query."""

    title: str
    about: str
    examples: tuple[Shown, ...]
    query: Shown

    @property
    def entry(self) -> dict[str, object]:
        """Of the index."""
        return {
            "title": self.title,
            "about": self.about,
            "examples": [shown.entry for shown in self.examples],
            "query": self.query.entry,
        }


SETS = (
    Set(
        "Which of the four?",
        "Four actions that no training has shown, and another clip of one of them.",
        (Shown("wash potato"), Shown("pull bag"), Shown("fill tea"), Shown("lower mushroom")),
        Shown("pull bag", take=2),
    ),
    Set(
        "The same, told otherwise",
        "The same clips with their narrations exchanged: the model should go by what you tell it.",
        (
            Shown("wash potato", "pull bag"),
            Shown("pull bag", "fill tea"),
            Shown("fill tea", "lower mushroom"),
            Shown("lower mushroom", "wash potato"),
        ),
        Shown("pull bag", "fill tea", take=2),
    ),
    Set(
        "Words that nobody knows",
        "Two clips show a verb, two a noun, in invented words; the last clip has both.",
        (
            Shown("wipe pan", "dax toma"),
            Shown("lift sink", "zib wug"),
            Shown("wipe potato", "dax kiki"),
            Shown("lower sink", "blick wug"),
        ),
        Shown("wipe sink", "dax wug"),
    ),
)


def main(folder: Path = FOLDER) -> None:
    """Write all clips and the index."""
    config = load_section("synthesize", SynthesizeConfig)
    # As the stage draws it, so that the things look as in its data.
    world_seed, _ = np.random.SeedSequence(config.seed).spawn(2)
    world = build_world(config, np.random.default_rng(world_seed))
    shown = {one.video: one for each in SETS for one in (*each.examples, each.query)}
    for number, one in enumerate(shown.values()):
        rng = np.random.default_rng([SEED, number])
        _write_clip(folder / one.video, one, world, config, rng)
    write_json({"sets": [each.entry for each in SETS]}, folder / INDEX)


def _write_clip(
    path: Path, shown: Shown, world: World, config: SynthesizeConfig, rng: np.random.Generator
) -> None:
    verb, noun = shown.action.split()
    motion = world.motions[[each.head for each in world.verbs].index(verb)]
    look = world.looks[[each.head for each in world.nouns].index(noun)]
    scene = background(rng, SIZE, SIZE)
    clip = render_clip(motion, look, scene, round(config.action_s * config.fps), rng)
    encode_mp4(clip.frames, config.fps, path)


if __name__ == "__main__":
    main()
