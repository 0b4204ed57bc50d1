"""What a run leaves in Prefect for who looks at it: progress, stages, results, pictures.

Everything is read from what the stages print and write; nothing here changes a result.
"""

import base64
import os
import re
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect.artifacts import (
    Artifact,
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import State

from eilev.io import read_json
from eilev.lineage.locks import read_lock
from eilev.paths import METRICS, REPORT, VALIDATION
from flows.commands import PROGRESS_S

CURVES = REPORT / "in_context_curves.svg"
PAGE = REPORT / "index.html"
# Environment variable with the address at which browsers find the report.
REPORT_URL = "EILEV_REPORT_URL"
# "train:  12%|#2  | 12/100 [00:10<01:15,  1.17step/s, loss=0.7]", as tqdm prints it
BAR = re.compile(
    r"(?P<what>.*?):? +(?P<percent>\d+)%\|.*\| *(?P<done>\S+)/(?P<total>\S+) "
    r"\[\S+<(?P<left>[^,]+), *(?P<rate>[^,\]]+)(?:, (?P<figures>.*))?\]"
)


def key(name: str) -> str:
    """Prefect's form of a name: lowercase letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def progress_of(line: str) -> tuple[float, str] | None:
    """Percentage and description of a line that is a progress bar."""
    bar = BAR.match(line.strip())
    if bar is None:
        return None
    told = f"{bar['what']}: {bar['done']} of {bar['total']}, {bar['rate']}, {bar['left']} left"
    return float(bar["percent"]), f"{told}, {bar['figures']}" if bar["figures"] else told


def watching(stage: str, log: Callable[[str], None]) -> Callable[[str], None]:
    """Log a stage's lines and keep a progress artifact of the bars among them.

    It is refreshed every `PROGRESS_S` seconds and at the end of a bar.
    """
    artifact: UUID | None = None
    refreshed = -float("inf")

    def take(line: str) -> None:
        nonlocal artifact, refreshed
        log(line)
        bar = progress_of(line)
        if bar is None or (bar[0] < 100 and time.monotonic() - refreshed < PROGRESS_S):
            return
        refreshed = time.monotonic()
        if artifact is None:
            created = create_progress_artifact(bar[0], f"progress-{key(stage)}", bar[1])
            artifact = cast("UUID", created)  # a coroutine in asynchronous flows only
        else:
            update_progress_artifact(artifact, *bar)

    return take


def outputs(stage: str) -> dict[str, str]:
    """What a stage's outputs hashed to when it last ran, by path, from its dvc.lock."""
    file, _, name = stage.rpartition(":")
    lock = Path(file or "dvc.yaml").with_name("dvc.lock")
    steps = _steps(lock.read_text(), str(lock)) if lock.exists() else {}
    return {out.path: out.digest for out in steps[name].outs} if name in steps else {}


# A run asks for each stage, and most change nothing.
_steps = lru_cache(maxsize=2)(read_lock)


def stage_row(
    stage: str, state: State[Any], seconds: float, outs: dict[str, str]
) -> dict[str, Any]:
    """A line of the table of stages."""
    became = "failed" if state.is_failed() else "cached" if state.name == "Cached" else "ran"
    hashes = ", ".join(f"{path} {md5[:8]}" for path, md5 in outs.items())
    return {"stage": stage, "became": became, "seconds": round(seconds, 1), "outputs": hashes}


def show_stages(rows: list[dict[str, Any]]) -> None:
    """The table of a run's stages: what became of each, and what its outputs are."""
    create_table_artifact(rows, "stages", "Stages, seconds and outputs (hashes of dvc.lock)")


def show_report() -> None:
    """A link to the report that lies here, where somebody shows it (flows.local, compose.yaml)."""
    if (url := os.environ.get(REPORT_URL)) and PAGE.exists():
        create_link_artifact(url, "The report", "report", "Of the newest results, not of each run")


def new() -> bool:
    """Whether the server was never shown any results."""
    return Artifact.get("metrics") is None


def show_results() -> None:
    """Validation, accuracy and curves of the results that lie here."""
    if VALIDATION.exists():
        create_markdown_artifact(
            validation_summary(read_json(VALIDATION)), "validation", "What was expected of the data"
        )
    if METRICS.exists():
        table = accuracy_table(read_json(METRICS))
        create_table_artifact(table, "metrics", "Action accuracy by shots")
    if CURVES.exists():
        create_image_artifact(data_url(CURVES), "curves", "Action accuracy against shots")


def validation_summary(validation: dict[str, Any]) -> str:
    """Markdown: how many expectations hold, and each that does not."""
    expectations = validation["expectations"]
    failed = [one for one in expectations if not one["success"]]
    lines = [f"**{len(expectations) - len(failed)} of {len(expectations)} expectations hold.**", ""]
    if failed:
        lines += ["| table | expectation | observed |", "|---|---|---|"]
        lines += [
            f"| {one['table']} | {one['description']} | {one['observed']} |" for one in failed
        ]
    return "\n".join(lines)


def accuracy_table(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per split and condition of metrics.json, one column per number of shots."""
    from eilev.schema import SPLITS  # with pyarrow, which a run that shows nothing does without

    return [
        {"split": split, "condition": condition}
        | {shots: scores.get("action_accuracy") for shots, scores in curve["shots"].items()}
        for split in SPLITS
        for condition, curve in metrics.get(split, {}).items()
    ]


def data_url(svg: Path) -> str:
    """A picture as a URL that carries it: Prefect keeps addresses only, and no folder is served."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.read_bytes()).decode()}"
