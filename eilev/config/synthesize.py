"""The section synthesize: the rendered kitchen."""

from typing import Annotated

from pydantic import Field

from eilev.config.section import Even, Positive, Section, Seed, Share


class SynthesizeConfig(Section):
    """The procedural kitchen that stands in for Ego4D in the default run."""

    seed: Seed
    """Seed of all that is drawn: looks, words, the ranking of the actions, every video. Equal
    parameters give equal bytes."""
    num_actions: Positive
    """Narrated actions in all, dealt out to the videos. 6,000 leave some 5,800 narrations, enough
    for learning in context to emerge, and few enough for minutes on two cores."""
    num_videos: Positive
    """Videos, each with one narrator and one background. 150 of 40 actions, 40 seconds each: the
    split goes by whole videos, and few of them could not meet its shares."""
    num_verbs: Positive
    """Verb classes, the first of the lexicon's 20 (eilev/synthetic/lexicon.py), each a motion of
    hands and object that is told without the order of the frames."""
    num_nouns: Positive
    """Noun classes, the first of the lexicon's; each is a shape in two colours. All verbs with all
    nouns are 960 actions, 873 of which occur among the default's narrations."""
    num_narrators: Positive
    """Narrators, who choose one word for each class and keep to it. Several of them make the
    synonyms and homonyms of the corpus."""
    zipf_exponent: Annotated[float, Field(ge=0.0)]
    """Skew: the action of rank r occurs with a probability proportional to r ** -zipf_exponent; 0
    is uniform. 0.8 measures as EPIC-KITCHENS-100 does (0.81 and 0.82, docs/distributions.md)."""
    synonym_rate: Share
    """Probability that a narrator calls a class by a word of this class only, in place of its head
    word. 0.3 gives as many bits of synonymy as the real annotations have."""
    homonym_rate: Share
    """Probability that a narrator calls a class by a word that another class has too, where there
    is one ("dish" is a plate or a bowl). 0.3 brings homonymy near the real one; with 0.1 and
    fewer shared words it was eight to eleven times too low (docs/distributions.md)."""
    rejected_rate: Share
    """Flaw of real annotations, as a share of the actions: marked as rejected. `ingest` leaves them
    out with this reason. 0.01 lets each flaw occur some 60 times."""
    invalid_rate: Share
    """The same for actions that are marked as invalid; `ingest` leaves them out."""
    other_person_rate: Share
    """The same for actions of somebody else than the camera wearer ("#O person X"); `ingest` leaves
    them out."""
    other_verb_rate: Share
    """The same for actions whose verb is in Ego4D's catch-all class `[other]`; kept, but without a
    verb to share."""
    missing_noun_rate: Share
    """The same for actions whose object is not annotated; kept, but without a noun class."""
    width: Even
    """Pixels; even, as H.264 asks. 64 is what `clips.frame_size` stores and twice what the small
    model sees."""
    height: Even
    """Pixels; even, as H.264 asks."""
    fps: Positive
    """Frames a second. Eight frames of an action are twice what its clip keeps."""
    action_s: Annotated[float, Field(gt=0.0)]
    """Seconds that an action lasts, one after the other without a gap: the window of a clip."""
    processes: Positive
    """Processes that render, each whole videos. The result does not depend on it; 2 suits a
    laptop."""
