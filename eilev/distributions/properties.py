"""The three properties of a corpus that in-context learning on videos emerges from, as numbers.

Definitions after the paper (arXiv 2311.17041, section 3): burstiness, a skewed marginal, dynamic
meaning. Classes are integer codes; a negative code is no class (missing, or a catch-all that says
nothing about the action, such as Ego4D's `[other]`) and is shared with nobody.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eilev.episodes.classes import Floats, Ints, pair_keys, shares_class


@dataclass(frozen=True)
class Burstiness:
    """Shares of context items, each in [0, 1]."""

    # Items with the query's verb class or its noun class.
    either: float
    verb: float
    noun: float


def burstiness(
    query_verbs: Ints, query_nouns: Ints, context_verbs: Ints, context_nouns: Ints
) -> Burstiness:
    """Share of context items that share the query's verb class, noun class, or either.

    Arrays broadcast: queries (num_episodes, 1) against contexts (num_episodes, shots), or flat
    arrays of one row per context item.

    Raises:
        ValueError: there is no context item.

    Examples:
        The query is cut onion; the context cut bread, wash onion, wash plate, peel onion:
        one of four shares the verb, two share the noun.

        >>> cut, wash, peel = 0, 1, 2
        >>> onion, bread, plate = 0, 1, 2
        >>> burstiness(
        ...     np.array([[cut]]),
        ...     np.array([[onion]]),
        ...     np.array([[cut, wash, wash, peel]]),
        ...     np.array([[bread, onion, plate, onion]]),
        ... )
        Burstiness(either=0.75, verb=0.25, noun=0.5)
    """
    verb = shares_class(query_verbs, context_verbs)
    noun = shares_class(query_nouns, context_nouns)
    if not verb.size:
        raise ValueError("burstiness needs at least one context item")
    return Burstiness(float((verb | noun).mean()), float(verb.mean()), float(noun.mean()))


def random_shares(
    query_verbs: Ints, query_nouns: Ints, corpus_verbs: Ints, corpus_nouns: Ints
) -> tuple[Floats, Floats]:
    """Verb and noun share that each query could expect of a random context.

    Exact, not simulated: of the clips whose action is not the query's (the rule of every bursty and
    random context), the share that has the query's verb class, and its noun class.

    Args:
        query_verbs: verb class of each query (num_queries,).
        query_nouns: noun class of each query (num_queries,).
        corpus_verbs: verb class of each clip that contexts are drawn from (num_clips,).
        corpus_nouns: noun class of each such clip (num_clips,).

    Returns:
        Verb shares and noun shares (num_queries,). No clip shares both, so their sum is the
        burstiness expected under random contexts.

    Raises:
        ValueError: every clip has a query's action.

    Examples:
        The corpus is cut onion (the query, twice), cut bread, wash onion, wash plate, peel plate.
        Without the query's action four clips are left: one shares the verb, one the noun.

        >>> cut, wash, peel = 0, 1, 2
        >>> onion, bread, plate = 0, 1, 2
        >>> verb, noun = random_shares(
        ...     np.array([cut]),
        ...     np.array([onion]),
        ...     np.array([cut, cut, cut, wash, wash, peel]),
        ...     np.array([onion, onion, bread, onion, plate, plate]),
        ... )
        >>> verb.tolist(), noun.tolist()
        ([0.25], [0.25])
    """
    same_verb = _counts(corpus_verbs, query_verbs)
    same_noun = _counts(corpus_nouns, query_nouns)
    same_action = _counts(
        pair_keys(corpus_verbs, corpus_nouns), pair_keys(query_verbs, query_nouns)
    )
    others = corpus_verbs.size - same_action
    if not others.all():
        raise ValueError("the level of random contexts needs clips of at least two actions")
    verb: Floats = np.where(query_verbs < 0, 0, same_verb - same_action) / others
    noun: Floats = np.where(query_nouns < 0, 0, same_noun - same_action) / others
    return verb, noun


def _counts(values: Ints, wanted: Ints) -> Ints:
    """How often each of `wanted` occurs in `values`."""
    known, counts = np.unique(values, return_counts=True)
    if not known.size:
        return np.zeros(wanted.shape, np.int64)
    where = np.searchsorted(known, wanted).clip(max=known.size - 1)
    return np.where(known[where] == wanted, counts[where], 0)


def zipf_exponent(counts: ArrayLike) -> float:
    """Maximum-likelihood exponent s of p(rank) ~ rank^-s over the observed ranks 1..K.

    The classes are ranked by their own counts (zeros are dropped); s solves E_s[log rank] = the
    observed mean of log rank. 0 is uniform, 1 is Zipf's law; natural action frequencies lie near 1
    and higher (paper, section 3). The likelihood's slope falls in s, so bisection finds the root.

    Raises:
        ValueError: fewer than two classes occur.

    Examples:
        Counts that follow 1/rank exactly, and counts that are equal:

        >>> round(zipf_exponent([600, 300, 200, 150, 120, 100]), 6)
        1.0
        >>> round(zipf_exponent([5, 5, 5, 5]), 6)
        0.0
    """
    ranked = _occurring(counts)
    if ranked.size < 2:
        raise ValueError("the Zipf exponent needs at least two classes")
    log_rank = np.log(np.arange(1, ranked.size + 1))
    observed = float(ranked @ log_rank / ranked.sum())

    def expected(exponent: float) -> float:
        weights = np.exp(-exponent * log_rank)
        return float(weights @ log_rank / weights.sum())

    low, high = 0.0, 1.0
    while expected(high) > observed:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) > observed else (low, middle)
    return (low + high) / 2


def top_share(counts: ArrayLike, k: int) -> float:
    """Share of the instances that belong to the k most frequent classes.

    Examples:
        >>> top_share([50, 30, 15, 5], k=2)
        0.8
    """
    ranked = _occurring(counts)
    return float(ranked[:k].sum() / ranked.sum())


def normalised_entropy(counts: ArrayLike) -> float:
    """Entropy of the class frequencies over that of a uniform law: 1 is uniform, 0 a single class.

    Examples:
        >>> normalised_entropy([10, 10, 10, 10])
        1.0
        >>> round(normalised_entropy([14, 1, 1]), 3)
        0.422
    """
    ranked = _occurring(counts)
    if ranked.size < 2:
        return 0.0
    return _entropy(ranked) / float(np.log2(ranked.size))


def synonymy(classes: ArrayLike, words: ArrayLike, counts: ArrayLike | None = None) -> float:
    """H(word | class) in bits: how uncertain the word is once the class is known.

    0 when every class has one word. `classes` and `words` are parallel, one entry per use, or per
    `counts` uses.

    Examples:
        Class 0 is called "cut" and "slice" equally often (1 bit), class 1 always "wash" (0 bits).

        >>> synonymy([0, 0, 1, 1], ["cut", "slice", "wash", "wash"])
        0.5
        >>> synonymy([0, 0, 1], ["cut", "slice", "wash"], [1, 1, 2])
        0.5
    """
    class_codes, word_codes = (
        np.unique(np.asarray(values), return_inverse=True)[1] for values in (classes, words)
    )
    if not class_codes.size or class_codes.size != word_codes.size:
        raise ValueError("classes and words must be parallel and not empty")
    pair_codes = class_codes * (word_codes.max() + 1) + word_codes
    # max: the difference of two equal entropies may round to just below zero.
    return max(_entropy(_sums(pair_codes, counts)) - _entropy(_sums(class_codes, counts)), 0.0)


def homonymy(classes: ArrayLike, words: ArrayLike, counts: ArrayLike | None = None) -> float:
    """H(class | word) in bits: how uncertain the class is once the word is known.

    0 when no word serves two classes.

    Examples:
        "dish" is a plate as often as a bowl (1 bit, half of the uses); "pan" is always a pan.

        >>> homonymy(["plate", "bowl", "pan", "pan"], ["dish", "dish", "pan", "pan"])
        0.5
    """
    return synonymy(words, classes, counts)


def entropy_of_sizes(sizes: Ints, times: Ints) -> float:
    """Entropy in bits of a law over groups, given how many groups there are of each size.

    Examples:
        Two groups of one and one of two: shares of 1/4, 1/4 and 1/2.

        >>> entropy_of_sizes(np.array([1, 2]), np.array([2, 1]))
        1.5
    """
    shares = sizes / (sizes @ times)
    return float(-(times * shares @ np.log2(shares))) + 0.0


def _occurring(counts: ArrayLike) -> Floats:
    """Counts above zero as floats, most frequent first.

    Raises:
        ValueError: a count is negative or none is above zero.
    """
    values = np.asarray(counts, dtype=np.float64)
    if not values.size or values.min() < 0 or not values.any():
        raise ValueError("counts must not be negative, and at least one class must occur")
    ranked: Floats = -np.sort(-values[values > 0])
    return ranked


def _entropy(counts: Floats) -> float:
    shares = counts / counts.sum()
    # + 0.0: a single class gives 0.0 rather than -0.0.
    return float(-(shares @ np.log2(shares))) + 0.0


def _sums(codes: Ints, counts: ArrayLike | None) -> Floats:
    """How often each code occurs, in the order of the codes; an entry counts `counts` times."""
    found = np.unique(codes, return_inverse=True)[1]
    weights = None if counts is None else np.asarray(counts)
    return np.bincount(found, weights).astype(np.float64)
