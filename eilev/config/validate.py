"""The section validate: what the data must look like."""

from eilev.config.section import Section


class Bounds(Section):
    """A closed interval; null leaves a side open."""

    min: float | None
    max: float | None


class ValidateConfig(Section):
    """What the data must look like before anything is trained on it."""

    # Narrations kept by `ingest`, and share of them whose frames could be decoded.
    num_narrations: Bounds
    decoded_share: Bounds
    # Training episodes, contrastive ones apart: share of context items with the query's verb or
    # noun class, and by how much it exceeds the level that random contexts would have.
    burstiness: Bounds
    burstiness_above_random: Bounds
    # Maximum-likelihood Zipf exponent of the training action frequencies.
    zipf_exponent: Bounds
    # Whether no training query may be asked twice in an epoch under the same kind and shots; a
    # reshaped marginal repeats the clips of rare actions.
    unique_queries: bool
    # Bits: H(word | class) and H(class | word) over the narrations of the training episodes.
    verb_synonymy: Bounds
    noun_synonymy: Bounds
    verb_homonymy: Bounds
    noun_homonymy: Bounds
