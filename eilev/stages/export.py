"""export: the model as an ONNX bundle, released only if it says what the torch model says."""

from dataclasses import asdict

from eilev import paths, schema
from eilev.config import Params, load_params
from eilev.data.clips import ClipStore
from eilev.export.bundle import BundleInfo, git_revision, write_bundle
from eilev.export.parity import Runner, compare, select_episodes, torch_runner
from eilev.io import atomic_dir, read_json, read_table, write_json
from eilev.model.batch import Episode
from eilev.model.checkpoint import load_model
from eilev.serving.engine import Engine
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/export/; on a parity failure the earlier bundle stays."""
    params = load_params()
    num_new = params.evaluate.max_new_tokens
    loaded = load_model(paths.MODEL)
    info = BundleInfo(
        num_frames=params.clips.num_frames,
        frame_size=params.clips.frame_size,
        prompt=params.evaluate.prompt,
        max_new_tokens=num_new,
        opset=params.export.opset,
        git_revision=git_revision(),
        params=params.model_dump(mode="json", by_alias=True),
        metrics=read_json(paths.METRICS),
    )
    episodes = _episodes(params)
    with atomic_dir(paths.BUNDLE) as folder:
        write_bundle(loaded, info, folder)
        engine = Engine.load(folder)
        exported = Runner(engine.prefill_logits, lambda batch: engine.generate(batch, num_new))
        reference = torch_runner(loaded, num_new)
        parity = compare(reference, exported, episodes, params.evaluate.batch_size)
        parity.check(params.export.max_logit_difference)
        size = sum(path.stat().st_size for path in folder.iterdir())
    write_json(asdict(parity) | {"bundle_bytes": size}, paths.EXPORT_METRICS)


def _episodes(params: Params) -> list[Episode]:
    table = read_table(paths.EPISODES / "novel.parquet", schema.EPISODES)
    if table.empty:  # split by video, there are no novel actions
        table = read_table(paths.EPISODES / "test.parquet", schema.EPISODES)
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    texts = dict(zip(narrations["narration_id"], narrations["narration"], strict=True))
    count, prompt = params.export.parity_episodes, params.evaluate.prompt
    return select_episodes(table, texts, ClipStore(paths.CLIPS), prompt, count)


if __name__ == "__main__":
    main()
