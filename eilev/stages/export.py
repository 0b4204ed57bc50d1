"""export: the model as an ONNX bundle, released only if it says what the torch model says."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from eilev import paths, schema
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.store import ClipStore
from eilev.config.clips import ClipsConfig
from eilev.config.evaluate import EvaluateConfig
from eilev.config.export import ExportConfig
from eilev.config.section import load_section, read_params
from eilev.export.parity import Runner, compare, select_episodes, torch_runner
from eilev.export.write import BundleInfo, git_revision, write_bundle
from eilev.inputs.turns import Request
from eilev.io import atomic_dir, read_json, write_json
from eilev.model.checkpoint import load_model
from eilev.parquet import read_table
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/export/; on a parity failure the earlier bundle stays."""
    config = load_section("export", ExportConfig)
    clips = load_section("clips", ClipsConfig)
    asked = load_section("evaluate", EvaluateConfig)
    num_new = asked.max_new_tokens
    loaded = load_model(paths.MODEL)
    info = BundleInfo(
        num_frames=clips.num_frames,
        frame_size=clips.frame_size,
        prompt=asked.prompt,
        max_new_tokens=num_new,
        opset=config.opset,
        git_revision=git_revision(),
        params=_params(),
        metrics=read_json(paths.METRICS),
    )
    table = _evaluated_episodes()
    episodes = _requests(table, config.parity_episodes, asked.prompt)
    with atomic_dir(paths.BUNDLE) as folder:
        write_bundle(loaded, info, folder)
        engine = OnnxEngine.load(folder)
        exported = Runner(engine.prefill_logits, lambda batch: engine.generate(batch, num_new))
        reference = torch_runner(loaded, num_new)
        parity = compare(reference, exported, episodes, asked.batch_size)
        parity.check(config.max_logit_difference)
        size = sum(path.stat().st_size for path in folder.iterdir())
    unseen = {"unavailable": _unseen_kinds(table)}
    write_json(asdict(parity) | {"bundle_bytes": size} | unseen, paths.EXPORT_METRICS)


def _params() -> dict[str, Any]:
    """The parameters that the bundle depends on.

    All but those of the page that follows it, and where and how clips were decoded.
    """
    params = {name: section for name, section in read_params().items() if name != "report"}
    clips = {key: value for key, value in params["clips"].items() if key not in ClipsConfig.FREE}
    return params | {"clips": clips}


# The splits that parity is tried on.
_SPLITS: tuple[schema.Split, ...] = ("test", "novel")


def _evaluated_episodes() -> pd.DataFrame:
    """Novel episodes, and test episodes of the kinds that novel has none of."""
    test, novel = (
        read_table(paths.EPISODES / f"{split}.parquet", schema.EPISODES) for split in _SPLITS
    )
    others = test[~test["kind"].isin(novel["kind"])]
    # Appended to an empty table they would lose their types.
    return pd.concat([novel, others]) if len(novel) else others


def _unseen_kinds(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Kinds of episodes that neither split has, and why: parity was not tried on them."""
    summary = read_json(paths.EPISODES_SUMMARY)
    unseen = [kind for kind in summary["test"] if kind not in set(table["kind"])]
    return {
        kind: {"reason": "; ".join(_reason(summary, split, kind) for split in _SPLITS)}
        for kind in unseen
    }


def _reason(summary: Mapping[str, Any], split: str, kind: str) -> str:
    cells = summary[split][kind]
    return f"{split}: {cells[max(cells, key=int)]['reason']}"


def _requests(table: pd.DataFrame, count: int, prompt: str) -> list[Request]:
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    texts = dict(zip(narrations["narration_id"], narrations["narration"], strict=True))
    return select_episodes(table, texts, ClipStore(paths.CLIPS), prompt, count)


if __name__ == "__main__":
    main()
