"""report: one static page out of every stage's figures."""

import numpy as np

from eilev import paths, schema
from eilev.clips.store import ClipStore
from eilev.config.report import ReportConfig
from eilev.config.section import load_section
from eilev.io import atomic_dir, read_json
from eilev.parquet import read_table
from eilev.report import charts
from eilev.report.html import fill
from eilev.report.page import curve_table, data_charts, render_page, training_charts
from eilev.report.samples import choose_samples
from eilev.stages.runner import stage
from eilev.vocabulary import KINDS

LIVE_CURVES = paths.LIVE / "plots" / "metrics"


@stage
def main() -> None:
    """Read every stage's results and write data/report/."""
    config = load_section("report", ReportConfig)
    metrics = read_json(paths.METRICS)
    predictions = read_table(paths.PREDICTIONS, schema.PREDICTIONS)
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    clips = ClipStore(paths.CLIPS)
    rng = np.random.default_rng(config.seed)
    samples = {
        kind: choose_samples(predictions, narrations, clips, config.num_samples, rng, kind)
        for kind in KINDS
        if (predictions["condition"] == kind).any()
    }
    page = render_page(
        title=config.title,
        metrics=metrics,
        data_charts=data_charts(paths.VALIDATION_PLOTS, metrics["data"]),
        training_charts=training_charts(LIVE_CURVES),
        validation=read_json(paths.VALIDATION),
        export=read_json(paths.EXPORT_METRICS),
        samples=samples.get("bursty", []),
    )
    with atomic_dir(paths.REPORT) as folder:
        (folder / "index.html").write_text(page)
        (folder / "episodes.html").write_text(
            fill("episodes.html.j2", title="Episodes and answers", groups=samples)
        )
        (folder / "in_context_curves.svg").write_text(charts.in_context_curves(metrics))
    print(curve_table(metrics))  # noqa: T201


if __name__ == "__main__":
    main()
