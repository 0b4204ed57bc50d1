"""Requests as a server notes them, and the training distribution that they are held against.

The server writes one and reads the other's vocabulary; `eilev drift` reads both. No tables here, as
a server does without pandas.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from eilev.config.section import Positive, Section, Share
from eilev.io import DataError

# Exit status of `eilev drift` where a bound is left; 1 is a failure, 2 a wrong command line.
DRIFTED = 3
# The file that is written to; earlier ones have .1, .2, ... behind their names.
LOG_FILE = "requests.jsonl"
# Stands for a word that no training narration has.
UNKNOWN = "_"

Count = Annotated[int, Field(ge=0)]
Features = NDArray[np.float32]

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


class LoggedRequest(Section):
    """What is noted of a request that was answered; a line of JSON.

    time: of its answer, seconds since 1970. model: its id. fingerprint: of the bundle. shots:
    narrated clips of the context. context: their narrations, and answer: the model's, with UNKNOWN
    in place of every word that training has not. confidence: geometric mean of the answer's tokens'
    probabilities. feature_mean, feature_std: of the features of the clip that is asked about; null
    where they were kept no longer. prompt_tokens, completion_tokens: lengths. seconds: until the
    last token.
    """

    time: float
    model: str
    fingerprint: str
    shots: Count
    context: tuple[str, ...]
    answer: str
    confidence: Share
    feature_mean: float | None
    feature_std: float | None
    prompt_tokens: Count
    completion_tokens: Count
    seconds: float


class Corpus(Section):
    """Annotations as they were trained on: narrations by class, and figures of them."""

    verbs: dict[str, Positive]
    nouns: dict[str, Positive]
    figures: dict[str, float | None]


class Reference(Section):
    """What a model was trained on, as far as requests and annotations are compared with it.

    fingerprint: of the bundle whose eyes made the features. vocabulary: all words of the training
    narrations. actions: their pairs of a verb and a noun. verbs, nouns: words of the training
    episodes' narrations, by how often they occur. shots: numbers of context clips of the training
    episodes. burstiness: share of their contexts with the query's verb or noun. feature_mean,
    feature_std: of training clips. corpus: all annotations.
    """

    fingerprint: str
    vocabulary: tuple[str, ...]
    actions: tuple[tuple[str, str], ...]
    verbs: dict[str, Positive]
    nouns: dict[str, Positive]
    shots: tuple[Count, ...]
    burstiness: float | None
    feature_mean: tuple[float, ...]
    feature_std: tuple[float, ...]
    corpus: Corpus


_Record = TypeVar("_Record", LoggedRequest, Reference)


def read_reference(path: Path) -> Reference:
    """Read what `eilev drift --write-reference` wrote.

    Raises:
        DataError: the file is missing or of another form.
    """
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; eilev drift --write-reference makes it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: can't be read: {error}") from error
    return parse(Reference, text, str(path))


def parse(kind: type[_Record], text: str, origin: str) -> _Record:
    """A record from its JSON.

    Raises:
        DataError: it is another one; `origin` and the first bad field are named.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise DataError(f"{origin}: {field + ': ' if field else ''}{first['msg']}") from error


def words_of(sentence: str) -> list[str]:
    """Words in lower case.

    >>> words_of("The camera wearer cuts John's onion.")
    ['the', 'camera', 'wearer', 'cuts', "john's", 'onion']
    """
    return _WORD.findall(sentence.lower())


def mask(sentence: str, vocabulary: Collection[str]) -> str:
    """A sentence with its known words only.

    >>> mask("The camera wearer cuts John's onion.", {"the", "camera", "wearer", "cuts", "onion"})
    'the camera wearer cuts _ onion'
    """
    return " ".join(word if word in vocabulary else UNKNOWN for word in words_of(sentence))


def summarize(features: Features) -> tuple[float, float]:
    """Mean and standard deviation of a clip's features.

    >>> summarize(np.array([[0.0, 2.0]], np.float32))
    (1.0, 1.0)
    """
    return float(features.mean(dtype=np.float64)), float(features.std(dtype=np.float64))
