"""Where clips come from: the sections synthesize, ingest, split and clips."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eilev.config.section import Even, Positive, Section, Seed, Share, Source


class SynthesizeConfig(Section):
    """The procedural kitchen that stands in for Ego4D in the default run."""

    seed: Seed
    # Narrated actions in all, dealt out to the videos; each video has one narrator.
    num_actions: Positive
    num_videos: Positive
    num_verbs: Positive
    num_nouns: Positive
    num_narrators: Positive
    # The action of rank r occurs with a probability proportional to r ** -zipf_exponent.
    zipf_exponent: Annotated[float, Field(ge=0.0)]
    # Probabilities that a narrator calls a class by a synonym, or by a word of another class too.
    synonym_rate: Share
    homonym_rate: Share
    # Flaws of real annotations, as shares of the actions; `ingest` rejects the first three, the
    # fourth leaves the verb in Ego4D's catch-all class, the fifth leaves the noun without a class.
    rejected_rate: Share
    invalid_rate: Share
    other_person_rate: Share
    other_verb_rate: Share
    missing_noun_rate: Share
    # Pixels; even, as H.264 asks.
    width: Even
    height: Even
    fps: Positive
    action_s: Annotated[float, Field(gt=0.0)]
    processes: Positive


class IngestConfig(Section):
    """Where the annotations and the videos lie, and which adapter reads them."""

    source: Source
    # A file; for epic_kitchens and table also a folder of them.
    annotations: str
    videos: str
    # table only: file of classes and their words (eilev/data/synonyms.py); null makes every lemma a
    # class of its own. It lies in the folder `annotations`, which DVC watches for changes.
    synonyms: str | None

    @model_validator(mode="after")
    def _synonyms_are_watched(self) -> Self:
        if self.synonyms is None:
            return self
        if self.source != "table":
            raise ValueError("'synonyms' is for source: table")
        if Path(self.annotations) not in Path(self.synonyms).parents:
            raise ValueError("'synonyms' must lie in the folder that 'annotations' names")
        return self


class SplitConfig(Section):
    """Who is trained on (reference rules, design section 5)."""

    seed: Seed
    # "action": rare actions are held out as `novel`; "video": no action is held out.
    by: Literal["action", "video"]
    # Actions by falling frequency are common until they cover this share of the instances ...
    common_share: Share
    # ... or exactly this many actions are common, where a number is given.
    num_common_actions: Positive | None
    # Random videos fill train + val up to this share of the (common) instances, the rest is test.
    train_val_share: Share
    # Of train + val, the share that is train.
    train_share: Share


class ClipsConfig(Section):
    """Which frames of a video are kept for a narration (reference rules, design section 5)."""

    # Seconds of video centred on the narration time; the paper's is 8.
    window_s: Annotated[float, Field(gt=0.0)]
    # Frames taken uniformly from the window; the paper's is 8.
    num_frames: Positive
    # Pixels: stored frames are squares of this side, twice the vision size in the reference. (The
    # decoder gets some sizes wrong that 32 does not divide.)
    frame_size: Annotated[int, Field(ge=32, multiple_of=32)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    # Clips per Arrow shard.
    shard_size: Positive
    processes: Positive
