"""What Prometheus reads at /metrics: vLLM's names with our prefix, so that its dashboards serve."""

import time
from collections.abc import AsyncGenerator, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from eilev.serving.logs import LOG
from eilev.serving.models import Model, Models
from eilev.serving.service import Asked, Written

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_MODEL = ["model_name"]


class Metrics:
    """Counts of one server."""

    def __init__(self, models: Models):
        self._registry = CollectorRegistry()
        self._registry.register(_State(models))
        ProcessCollector(registry=self._registry)
        self._success = self._counter(
            "request_success", "Requests that were answered.", [*_MODEL, "finished_reason"]
        )
        self._refused = self._counter("request_refused", "Requests by status.", ["status"])
        self._prompt = self._counter("prompt_tokens", "Prompt tokens, those of videos included.")
        self._generation = self._counter("generation_tokens", "Tokens written.")
        self._videos = self._counter("videos", "Videos sent.")
        self._first = self._histogram("time_to_first_token_seconds", "Until the first token.")
        self._whole = self._histogram("e2e_request_latency_seconds", "Until the last token.")
        self._between = self._histogram("inter_token_latency_seconds", "Between two tokens.")

    def text(self) -> bytes:
        """In the text format, version 0.0.4."""
        return generate_latest(self._registry)

    def refused(self, status: int) -> None:
        """Count a request that was not answered."""
        self._refused.labels(str(status)).inc()

    async def watch(
        self, asked: Asked, answers: AsyncGenerator[Written]
    ) -> AsyncGenerator[Written]:
        """The same answers; they are counted and timed."""
        model = asked.model_id
        start = last = time.perf_counter()
        self._videos.labels(model).inc(len(asked.chat.videos))
        first, written = True, Written(asked, [])
        async for written in answers:
            now = time.perf_counter()
            if asked.streamed:
                (self._first if first else self._between).labels(model).observe(now - last)
            first, last = False, now
            yield written
        self._answered(written, last - start)

    def _answered(self, written: Written, seconds: float) -> None:
        asked, answers = written.asked, written.answers
        model, num_prompt = asked.model_id, len(asked.layout.input_ids)
        num_new = sum(answer.num_new_tokens for answer in answers)
        self._whole.labels(model).observe(seconds)
        self._prompt.labels(model).inc(num_prompt)
        self._generation.labels(model).inc(num_new)
        for answer in answers:
            self._success.labels(model, answer.finish_reason).inc()
        figures = {
            "model": model,
            "videos": len(asked.chat.videos),
            "prompt_tokens": num_prompt,
            "completion_tokens": num_new,
            "seconds": round(seconds, 4),
        }
        LOG.info("answered: %s", figures, extra=figures)

    def _counter(self, name: str, what: str, labels: list[str] | None = None) -> Counter:
        return Counter(f"eilev_{name}", what, labels or _MODEL, registry=self._registry)

    def _histogram(self, name: str, what: str) -> Histogram:
        return Histogram(f"eilev_{name}", what, _MODEL, registry=self._registry, buckets=_SECONDS)


class _State(Collector):
    """Read off the models when somebody asks."""

    def __init__(self, models: Models):
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """What answers as every model, its gauges and counters."""
        bundles = InfoMetricFamily("eilev_model", "The bundle that answers.", labels=_MODEL)
        running = _gauge("num_requests_running", "Requests whose answers are being written.")
        waiting = _gauge("num_requests_waiting", "Requests whose prompt has not been run.")
        kept = _gauge("cache_bytes", "Kept of earlier requests.", "cache")
        queries = _count("cache_queries", "Times that something was looked up.", "cache")
        hits = _count("cache_hits", "Times that it was there.", "cache")
        for name, model in self._models.loaded.items():
            bundles.add_metric([name], _bundle(model))
            running.add_metric([name], model.scheduler.num_running)
            waiting.add_metric([name], model.scheduler.num_waiting)
            for kind, cache in (("context", model.contexts), ("feature", model.features)):
                kept.add_metric([name, kind], cache.num_bytes)
                queries.add_metric([name, kind], cache.hits + cache.misses)
                hits.add_metric([name, kind], cache.hits)
        yield from (bundles, running, waiting, kept, queries, hits)


def _bundle(model: Model) -> dict[str, str]:
    manifest = model.engine.manifest
    return {
        "fingerprint": model.fingerprint,
        "precision": manifest.precision,
        "git_revision": manifest.git_revision or "",
    }


def _gauge(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"eilev_{name}", what, labels=[*_MODEL, *labels])


def _count(name: str, what: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"eilev_{name}", what, labels=[*_MODEL, *labels])
