"""report: one static page out of every stage's figures."""

import numpy as np

from eilev import paths, schema
from eilev.config import load_params
from eilev.data.clips import ClipStore
from eilev.io import atomic_dir, read_json, read_table
from eilev.report import charts
from eilev.report.page import curve_table, data_charts, render_page, training_charts
from eilev.report.samples import choose_samples
from eilev.stages.runner import stage

LIVE_CURVES = paths.LIVE / "plots" / "metrics"


@stage
def main() -> None:
    """Read every stage's results and write data/report/."""
    config = load_params().report
    metrics = read_json(paths.METRICS)
    samples = choose_samples(
        read_table(paths.PREDICTIONS, schema.PREDICTIONS),
        read_table(paths.NARRATIONS, schema.NARRATIONS),
        ClipStore(paths.CLIPS),
        config.num_samples,
        np.random.default_rng(config.seed),
    )
    page = render_page(
        title=config.title,
        metrics=metrics,
        data_charts=data_charts(paths.VALIDATION_PLOTS, metrics["data"]),
        training_charts=training_charts(LIVE_CURVES),
        validation=read_json(paths.VALIDATION),
        export=read_json(paths.EXPORT_METRICS),
        samples=samples,
    )
    with atomic_dir(paths.REPORT) as folder:
        (folder / "index.html").write_text(page)
        (folder / "in_context_curves.svg").write_text(charts.in_context_curves(metrics))
    print(curve_table(metrics))  # noqa: T201


if __name__ == "__main__":
    main()
