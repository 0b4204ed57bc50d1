"""The model card of a version: Markdown with the front matter of the Hugging Face Hub."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml
from huggingface_hub import EvalResult, ModelCardData

from eilev import paths
from eilev.config.conditions import CONDITIONS
from eilev.config.release import ReleaseConfig
from eilev.io import atomic_dir
from eilev.release.candidate import Candidate
from eilev.release.registry import ARTIFACT
from eilev.release.rules import Metrics, Verdict, find_metric
from eilev.report.charts import in_context_curves
from eilev.report.page import curve_table, headline, lacking, sight

# The last card that was written; the version's tag has it, too.
CARD = paths.DATA / "release"

_TASK = "video-text-to-text"


def model_card(
    version: str,
    candidate: Candidate,
    config: ReleaseConfig,
    verdicts: Sequence[Verdict],
    promoted: str | None,
) -> str:
    """The card of a version.

    Args:
        version: its name.
        candidate: what it is.
        config: the rules and the licences.
        verdicts: what the rules found.
        promoted: name of the version that it was compared with.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Markdown, and all values are the pipeline's own.
        autoescape=False,  # noqa: S701
    )
    metrics, manifest = candidate.metrics, candidate.manifest
    text = environment.get_template("card.md.j2").render(
        front=_front_matter(metrics, config),
        title="EILeV",
        artifact=ARTIFACT,
        version=version,
        promoted=promoted,
        headline=headline(metrics),
        sight=sight(metrics),
        table=curve_table(metrics),
        lacking=lacking(metrics),
        conditions=_conditions(metrics),
        corpus=_rounded(metrics["data"]["corpus"]),
        phases={
            name: _rounded(measured) for name, measured in metrics["data"]["train_episodes"].items()
        },
        verdicts=verdicts,
        manifest=manifest,
        chain=candidate.chain,
        config=config,
        params=yaml.safe_dump(manifest.params, sort_keys=False).rstrip(),
    )
    # Joined where the template breaks a line for its own sake.
    return text.replace("\\\n", "")


def write_card(text: str, metrics: Metrics, folder: Path = CARD) -> None:
    """Write the card as README.md, its figure beside it, in place of an earlier one."""
    with atomic_dir(folder) as temporary:
        (temporary / "README.md").write_text(text)
        (temporary / "in_context_curves.svg").write_text(in_context_curves(metrics))


def _front_matter(metrics: Metrics, config: ReleaseConfig) -> str:
    judged = [config.comparison.metric, *(one.metric for one in config.tolerances)]
    values = {path: find_metric(path, metrics) for path in judged}
    results = [
        EvalResult(
            task_type=_TASK,
            dataset_type="eilev",
            dataset_name="EILeV episodes",
            dataset_split=path.split(".")[0],
            metric_type=path.split(".")[-1],
            metric_name=path,
            metric_value=value,
        )
        for path, value in values.items()
    ]
    data = ModelCardData(
        language="en",
        license=config.license,
        library_name="onnx",
        pipeline_tag=_TASK,
        tags=["video", "in-context-learning", "onnx"],
        model_name=ARTIFACT,
        eval_results=results,
    )
    text: str = data.to_yaml()
    return text.rstrip()


def _conditions(metrics: Metrics) -> dict[str, Any]:
    asked = {name for split in metrics.values() if isinstance(split, Mapping) for name in split}
    return {name: entry for name, entry in CONDITIONS.items() if name in asked}


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in values.items()}
