"""The section drift: how far requests and annotations may be from what was trained on."""

from eilev.config.section import Positive, Section
from eilev.config.validate import Bounds


class RequestBounds(Section):
    """What is expected of the requests that a server has answered.

    The reference is the last phase of the training, as far as it speaks the narrators' words. A
    distance of words is the share of them that would have to be others.
    """

    unknown_shots: Bounds
    """Share of the requests whose number of context clips no training episode has."""
    unknown_words: Bounds
    """Share of the words in contexts and answers that no training narration has."""
    unknown_actions: Bounds
    """Share of the answers whose pair of a verb and a noun no training narration has."""
    verb_distance: Bounds
    """Distance of the verbs in contexts and answers from those of the training episodes."""
    noun_distance: Bounds
    """Distance of the nouns, likewise."""
    burstiness_change: Bounds
    """Share of the context clips whose narration has a verb or noun of the answer, minus that of
    the training episodes with their queries."""
    feature_mean_distance: Bounds
    """Kolmogorov-Smirnov distance of the clips that are asked about from clips of the training, by
    the mean of what the model's eyes make of them."""
    feature_std_distance: Bounds
    """The same by its standard deviation."""
    confidence: Bounds
    """Mean confidence of the answers: the geometric mean of their tokens' probabilities."""


class AnnotationBounds(Section):
    """What is expected of new annotations, held against those that were ingested for the training.

    They must also fulfil what `validate` expects of narrations.
    """

    verb_distance: Bounds
    """Distance of the verb classes: the share of narrations that would have to be of others."""
    noun_distance: Bounds
    """The same of the noun classes."""
    zipf_exponent_change: Bounds
    """Skew: by how much the Zipf exponent of the actions has grown."""
    random_burstiness_change: Bounds
    """Burstiness: by how much the share of a random context with the query's verb or noun class has
    grown."""
    verb_synonymy_change: Bounds
    """Dynamic meaning: by how many bits H(word | class) of the verbs has grown."""
    noun_synonymy_change: Bounds
    """By how many bits that of the nouns has grown."""
    verb_homonymy_change: Bounds
    """By how many bits H(class | word) of the verbs has grown."""
    noun_homonymy_change: Bounds
    """By how many bits that of the nouns has grown."""


class DriftConfig(Section):
    """How far requests and annotations may be from what was trained on (`eilev drift`).

    No stage reads this. A property whose bounds are both null is not expected anything of.
    """

    min_requests: Positive
    """Fewer requests are not judged: small samples differ by chance."""
    min_narrations: Positive
    """Fewer new annotations are not judged."""
    num_clips: Positive
    """Training clips that the model looks at for the reference."""
    requests: RequestBounds
    """What is expected of requests."""
    annotations: AnnotationBounds
    """What is expected of annotations."""
