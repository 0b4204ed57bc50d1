"""The section synthesize: the rendered kitchen."""

from typing import Annotated

from pydantic import Field

from eilev.config.section import Even, Positive, Section, Seed, Share


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
