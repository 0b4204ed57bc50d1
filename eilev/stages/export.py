"""export: the model as ONNX bundles, released only if they say what the torch model says."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from eilev import paths, schema
from eilev.clips.store import ClipStore
from eilev.config.clips import ClipsConfig
from eilev.config.evaluate import EvaluateConfig
from eilev.config.export import ExportConfig, PrecisionBounds
from eilev.config.section import load_section, read_params
from eilev.evaluation.scores import WordFinder
from eilev.export.parity import Bounds, bundle_runner, compare, select_episodes, torch_runner
from eilev.export.quantization import quantize_bundle
from eilev.export.write import BundleInfo, git_revision, write_bundle
from eilev.inputs.turns import Request
from eilev.io import atomic_dir, read_json, write_json
from eilev.language.lexicon import Lexicon
from eilev.language.new_words import NEW_NOUNS, NEW_VERBS
from eilev.model.checkpoint import LoadedModel, load_model
from eilev.parquet import read_table
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/export/; on a parity failure the earlier bundles stay."""
    config = load_section("export", ExportConfig)
    asked = load_section("evaluate", EvaluateConfig)
    info = _info(config, asked)
    table = _evaluated_episodes()
    trial = _make_trial(table, config, asked)
    with atomic_dir(paths.BUNDLE) as bundle, atomic_dir(paths.PRECISIONS) as others:
        write_bundle(trial.loaded, info, bundle)
        exact = Bounds(config.max_logit_difference, identical=1.0)
        figures = trial.figures(bundle, "fp32", exact)
        further = {
            name: trial.figures(_write(name, info, bundle, others / name), name, _bounds(limits))
            for name, limits in (("fp16", config.fp16), ("int8", config.int8))
            if name in config.precisions
        }
    unseen = _unseen_kinds(table)
    write_json(figures | {"unavailable": unseen, "precisions": further}, paths.EXPORT_METRICS)


@dataclass(frozen=True)
class _Trial:
    """What bundles are compared with, and on what."""

    loaded: LoadedModel
    episodes: list[Request]
    asked: EvaluateConfig
    action_of: Callable[[str], object] | None

    def figures(self, folder: Path, precision: str, bounds: Bounds) -> dict[str, Any]:
        """Compare a bundle, note the figures in its manifest and return them with its size.

        Raises:
            ParityError: it does not keep within bounds.
        """
        num_new, batch_size = self.asked.max_new_tokens, self.asked.batch_size
        reference = torch_runner(self.loaded, num_new)
        exported = bundle_runner(folder, num_new)
        parity = compare(reference, exported, self.episodes, batch_size, self.action_of)
        parity.check(bounds, f"the {precision} bundle")
        parity.record(folder)
        size = sum(path.stat().st_size for path in folder.iterdir())
        return asdict(parity) | {"bundle_bytes": size}


def _make_trial(table: pd.DataFrame, config: ExportConfig, asked: EvaluateConfig) -> _Trial:
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    episodes = _requests(table, narrations, config.parity_episodes, asked.prompt)
    return _Trial(load_model(paths.MODEL), episodes, asked, _action_of(narrations))


def _info(config: ExportConfig, asked: EvaluateConfig) -> BundleInfo:
    clips = load_section("clips", ClipsConfig)
    return BundleInfo(
        num_frames=clips.num_frames,
        window_s=clips.window_s,
        frame_size=clips.frame_size,
        prompt=asked.prompt,
        max_new_tokens=asked.max_new_tokens,
        opset=config.opset,
        git_revision=git_revision(),
        params=_params(),
        metrics=read_json(paths.METRICS),
    )


def _write(precision: str, info: BundleInfo, bundle: Path, folder: Path) -> Path:
    folder.mkdir()
    if precision == "int8":
        quantize_bundle(bundle, folder)
    else:
        write_bundle(load_model(paths.MODEL, torch.float16), info, folder)
    return folder


def _bounds(limits: PrecisionBounds) -> Bounds:
    return Bounds(limits.max_logit_difference, same_action=limits.min_action_agreement)


def _action_of(narrations: pd.DataFrame) -> Callable[[str], object] | None:
    """The first verb and noun of a narration; None where the source names none."""
    lexicon = Lexicon.from_narrations(narrations)
    return WordFinder(lexicon, NEW_VERBS, NEW_NOUNS).find if lexicon.verb_words else None


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


def _requests(
    table: pd.DataFrame, narrations: pd.DataFrame, count: int, prompt: str
) -> list[Request]:
    texts = dict(zip(narrations["narration_id"], narrations["narration"], strict=True))
    return select_episodes(table, texts, ClipStore(paths.CLIPS), prompt, count)


if __name__ == "__main__":
    main()
