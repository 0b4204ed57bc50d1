"""How alike a narration and its reference are by pretrained models of language.

Three metrics of the published evaluation: the cosine of two sentence embeddings (bi-encoder), one
model that reads both sentences (cross-encoder), and BERTScore, which matches their tokens. Their
libraries are an extra (`text-metrics`), their models are named in params.yaml. A model that cannot
be had makes its metric unavailable, with the reason; it never makes it zero.
"""

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import AutoConfig

from eilev.config.evaluate import TextMetricsConfig

_LOG = logging.getLogger(__name__)

# A pair that a model is tried on before it is counted on.
_TRIAL_PAIR = ("The camera wearer cuts the onion.", "The camera wearer slices an onion.")

# Scores of pairs (reference, generated), one each.
_Score = Callable[[Sequence[str], Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class TextMetric:
    """A metric ready to score, the model behind it, and what else its figures depend on."""

    model: str
    score: _Score
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TextMetrics:
    """What was asked for: metrics by name, and why others cannot be had."""

    available: Mapping[str, TextMetric] = field(default_factory=dict)
    # Metric to its model and the reason.
    unavailable: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def about(self) -> dict[str, Any]:
        """Describe the metrics for metrics.json."""
        available = {
            name: {"model": metric.model, **metric.settings}
            for name, metric in self.available.items()
        }
        return {"available": available, "unavailable": {**self.unavailable}}


NO_TEXT_METRICS = TextMetrics()


def load_text_metrics(
    config: TextMetricsConfig, batch_size: int, device: torch.device
) -> TextMetrics:
    """Load the scoring models that are asked for; log what cannot be had.

    Args:
        config: Names of the models.
        batch_size: Sentences at a time.
        device: Where to compute.
    """
    available: dict[str, TextMetric] = {}
    unavailable: dict[str, dict[str, str]] = {}
    for name, load in _LOADERS.items():
        model: str | None = getattr(config, name)
        if model is None:
            continue
        try:
            metric = load(model, batch_size, device)
            metric.score(_TRIAL_PAIR[:1], _TRIAL_PAIR[1:])
        # Whatever somebody's model fails with: it is known now, not after hours of generation.
        except Exception as error:
            unavailable[name] = {"model": model, "reason": _reason(error)}
            _LOG.warning("%s is unavailable: '%s': %s", name, model, _reason(error))
        else:
            available[name] = metric
    return TextMetrics(available, unavailable)


def add_scores(predictions: pd.DataFrame, metrics: TextMetrics) -> pd.DataFrame:
    """Add a column per metric that was asked for: the score of each row.

    Pairs that occur again and again are scored once. The column of an unavailable metric is empty.

    Args:
        predictions: columns narration (the reference) and generated.
        metrics: `load_text_metrics`.

    Raises:
        ValueError: a model gives a score that is no number.
    """
    columns: dict[str, Any] = dict.fromkeys(metrics.unavailable)
    pairs = predictions[["narration", "generated"]].drop_duplicates()
    place_of = {pair: place for place, pair in enumerate(pairs.itertuples(index=False, name=None))}
    keys = zip(predictions["narration"], predictions["generated"], strict=True)
    places = [place_of[key] for key in keys]
    for name, metric in metrics.available.items():
        scored = metric.score(pairs["narration"].tolist(), pairs["generated"].tolist())
        scores = np.asarray(scored, dtype=np.float64)
        if not np.isfinite(scores).all():
            raise ValueError(
                f"evaluate.text_metrics.{name}: '{metric.model}' scores are not finite"
            )
        columns[name] = scores[places]
    return predictions.assign(**columns)


def mean_scores(cell: pd.DataFrame) -> dict[str, float | None]:
    """Mean of each metric over predictions with its column; None for an unavailable one."""
    asked = [name for name in _LOADERS if name in cell.columns]
    return {name: None if cell[name].isna().any() else float(cell[name].mean()) for name in asked}


def _load_bi_encoder(name: str, batch_size: int, device: torch.device) -> TextMetric:
    """Cosine of two sentence embeddings (Reimers and Gurevych, arXiv 1908.10084)."""
    library = _import("sentence_transformers")
    encoder = library.SentenceTransformer(name, device=str(device))

    def score(references: Sequence[str], generated: Sequence[str]) -> Sequence[float]:
        sentences = sorted({*references, *generated})
        embeddings = encoder.encode(sentences, batch_size=batch_size, normalize_embeddings=True)
        row_of = {sentence: row for row, sentence in enumerate(sentences)}
        first = embeddings[[row_of[sentence] for sentence in references]]
        second = embeddings[[row_of[sentence] for sentence in generated]]
        cosines: Sequence[float] = (first * second).sum(axis=1)
        return cosines

    return TextMetric(name, score)


def _load_cross_encoder(name: str, batch_size: int, device: torch.device) -> TextMetric:
    """Read both sentences at once and say how alike they are, by the checkpoint's own activation.

    That is a sigmoid, so from 0 to 1, unless its configuration names another one.

    Raises:
        ValueError: the model has another number of outputs than one.
    """
    library = _import("sentence_transformers")
    encoder = library.CrossEncoder(name, device=str(device))
    if encoder.num_labels != 1:
        raise ValueError(f"a cross-encoder of similarity has 1 output, not {encoder.num_labels}")

    def score(references: Sequence[str], generated: Sequence[str]) -> Sequence[float]:
        pairs = list(zip(references, generated, strict=True))
        scores: Sequence[float] = encoder.predict(pairs, batch_size=batch_size)
        return scores

    return TextMetric(name, score)


def _load_bert_score(name: str, batch_size: int, device: torch.device) -> TextMetric:
    """F1 of BERTScore (Zhang et al., arXiv 1904.09675), without idf weights.

    The layer is the one that its authors chose for a model of this name, else the last. Scores are
    rescaled with their baseline for this model where there is one, as in the published evaluation.
    """
    library = _import("bert_score")
    published = _published_name(name, library.utils.model2layers)
    layer = library.utils.model2layers.get(published) or _num_layers(name)
    baseline = Path(library.__file__).parent / "rescale_baseline" / "en" / f"{published}.tsv"
    rescaled = baseline.is_file()
    scorer = library.BERTScorer(
        model_type=name,
        num_layers=layer,
        batch_size=batch_size,
        device=str(device),
        lang="en",
        rescale_with_baseline=rescaled,
        baseline_path=str(baseline) if rescaled else None,
    )

    def score(references: Sequence[str], generated: Sequence[str]) -> Sequence[float]:
        scores = np.zeros(len(references))
        # An empty sentence has no token to match: 0. (The library would rescale a raw 0 to far
        # below every score that sentences have.)
        pairs = zip(references, generated, strict=True)
        told = [place for place, pair in enumerate(pairs) if all(text.strip() for text in pair)]
        if told:
            candidates = [generated[place] for place in told]
            _, _, f1 = scorer.score(candidates, [references[place] for place in told])
            scores[told] = f1.numpy()
        return scores.tolist()

    return TextMetric(name, score, {"layer": layer, "rescaled": rescaled})


_LOADERS: Mapping[str, Callable[[str, int, torch.device], TextMetric]] = {
    "bert_score": _load_bert_score,
    "bi_encoder": _load_bi_encoder,
    "cross_encoder": _load_cross_encoder,
}


def _published_name(name: str, known: Mapping[str, int]) -> str:
    """Name under which BERTScore's authors know a model, for a local folder its last part."""
    return name if name in known else Path(name).name


def _num_layers(name: str) -> int:
    layers: int = AutoConfig.from_pretrained(name).num_hidden_layers
    return layers


def _import(library: str) -> Any:
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise ImportError(f"pip install 'eilev[text-metrics]' ({error})") from error


def _reason(error: Exception) -> str:
    """Kind of an error and the first line of its message."""
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])
