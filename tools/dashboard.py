"""Write the Grafana dashboard of the model servers.

python -m tools.dashboard
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueTextMode, DataSourceRef
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

FILE = Path("docker/grafana/dashboards/eilev.json")
# As docker/grafana/provisioning/datasources/prometheus.yml calls it.
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
QUANTILES = (0.5, 0.95, 0.99)
HEIGHT, STATE_HEIGHT = 8, 4  # in Grafana's rows


@dataclass(frozen=True)
class Panel:
    """A figure of Grafana.

    Attributes:
        title: its heading. about: what it says of itself. unit: by Grafana's name of it.
        queries: PromQL, by the legend of what it gives.
        width: of 24 columns.
        state: shows the latest value, or its legend, in place of a curve.
    """

    title: str
    about: str
    unit: str
    queries: dict[str, str]
    width: int = 8
    state: BigValueTextMode | None = None


def _rate(metric: str, by: str = "model_name") -> str:
    return f'sum by ({by}) (rate({metric}{{job="eilev"}}[$__rate_interval]))'


def _refused(status: str) -> str:
    """One number, also before anything was refused."""
    where = f'job="eilev",status=~"{status}"'
    return f"sum(rate(eilev_request_refused_total{{{where}}}[$__rate_interval])) or vector(0)"


def _quantiles(metric: str) -> dict[str, str]:
    buckets = _rate(f"{metric}_bucket", "model_name, le")
    return {
        f"{{{{model_name}}}} {100 * quantile:g} %": f"histogram_quantile({quantile}, {buckets})"
        for quantile in QUANTILES
    }


def _sum(metric: str, by: str = "model_name") -> str:
    return f'sum by ({by}) ({metric}{{job="eilev"}})'


_BY_CACHE = "model_name, cache"
_HITS = _rate("eilev_cache_hits_total", _BY_CACHE)
_LOOK_UPS = _rate("eilev_cache_queries_total", _BY_CACHE)

PANELS = (
    Panel(
        "Servers that answer",
        "Prometheus could read /metrics.",
        "short",
        {"": 'sum(up{job="eilev"})'},
        width=3,
        state=BigValueTextMode.VALUE,
    ),
    Panel(
        "Alerts",
        "Firing now, of docker/prometheus/alerts.yml.",
        "short",
        {"": 'count(ALERTS{alertstate="firing"}) or vector(0)'},
        width=3,
        state=BigValueTextMode.VALUE,
    ),
    Panel(
        "Models",
        "`eilev trace FINGERPRINT` leads back to data, parameters and code.",
        "short",
        {
            "{{model_name}}: {{fingerprint}} {{precision}}": "count by (model_name, fingerprint, "
            'precision) (eilev_model_info{job="eilev"})'
        },
        width=18,
        state=BigValueTextMode.NAME,
    ),
    Panel(
        "Requests",
        "Answered, by why the answer ended, and refused.",
        "reqps",
        {
            "{{finished_reason}}": _rate("eilev_request_success_total", "finished_reason"),
            "refused": _refused(".*"),
        },
    ),
    Panel(
        "Refused",
        "4xx are the clients', 5xx the server's; 429: all places taken.",
        "reqps",
        {
            "4xx": _refused("4.."),
            "429": _refused("429"),
            "5xx": _refused("5.."),
        },
    ),
    Panel(
        "Queue",
        "Requests whose answers are being written, and those whose prompt has not been run.",
        "short",
        {
            "{{model_name}} running": _sum("eilev_num_requests_running"),
            "{{model_name}} waiting": _sum("eilev_num_requests_waiting"),
        },
    ),
    Panel("Time to the last token", "", "s", _quantiles("eilev_e2e_request_latency_seconds")),
    Panel(
        "Time to the first token",
        "Of streamed answers.",
        "s",
        _quantiles("eilev_time_to_first_token_seconds"),
    ),
    Panel(
        "Time between tokens",
        "Of streamed answers.",
        "s",
        _quantiles("eilev_inter_token_latency_seconds"),
    ),
    Panel(
        "Tokens",
        "Prompts count with the tokens of their videos.",
        "short",
        {
            "{{model_name}} read per second": _rate("eilev_prompt_tokens_total"),
            "{{model_name}} written per second": _rate("eilev_generation_tokens_total"),
        },
    ),
    Panel(
        "Found in the cache",
        "Share of look-ups: features of videos, keys and values of contexts.",
        "percentunit",
        {"{{model_name}} {{cache}}": f"{_HITS} / {_LOOK_UPS}"},
    ),
    Panel(
        "Memory",
        "Of the server's process, and kept of earlier requests.",
        "bytes",
        {
            "{{instance}}": _sum("process_resident_memory_bytes", "instance"),
            "{{model_name}} {{cache}}": _sum("eilev_cache_bytes", _BY_CACHE),
        },
    ),
)


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    if panel.state is None:
        drawn: stat.Panel | timeseries.Panel = timeseries.Panel().min(0).height(HEIGHT)
    else:
        latest = common.ReduceDataOptions().calcs(["lastNotNull"])
        drawn = stat.Panel().text_mode(panel.state).reduce_options(latest).height(STATE_HEIGHT)
    drawn.title(panel.title).description(panel.about).unit(panel.unit).span(panel.width)
    drawn.datasource(PROMETHEUS)
    for index, (legend, expression) in enumerate(panel.queries.items()):
        query = prometheus.Dataquery().expr(expression).legend_format(legend)
        drawn.with_target(query.ref_id(chr(ord("A") + index)))
    return drawn


def render(panels: Sequence[Panel] = PANELS) -> str:
    """The dashboard as Grafana reads it."""
    builder = (
        dashboard.Dashboard("EILeV")
        .uid("eilev")
        .tags(["eilev"])
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
    )
    for panel in panels:
        builder.with_panel(_panel(panel))
    return json.dumps(builder.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write it."""
    FILE.write_text(render())


if __name__ == "__main__":
    main()
