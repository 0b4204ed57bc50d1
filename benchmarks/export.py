"""What precisions cost in accuracy, and bundles whose graphs are larger than 2 GB.

    python -m benchmarks.export accuracy data/export/bundle data/export/precisions/int8
    python -m benchmarks.export large --folder /tmp/large --precision int8

`accuracy` narrates evaluated episodes of the pipeline's data with each bundle and compares with the
first one. `large` exports a model of random weights with the widths of BLIP-2 OPT-2.7B, and fewer
layers; its bundle is compared with torch before it is kept, and run on one thread. The last line is
JSON.
"""

import argparse
import json
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, OPTConfig

from benchmarks.engines import episode
from eilev import paths, schema
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.store import ClipStore
from eilev.commands.export import describe
from eilev.evaluation.generation import Generated
from eilev.evaluation.judge import Judge
from eilev.evaluation.trials import Trial, build_trials
from eilev.export.checkpoint import export_checkpoint
from eilev.inputs.defaults import NarrationDefaults
from eilev.inputs.preprocess import Preprocessing
from eilev.inputs.tokenizer import train_word_codec
from eilev.inputs.turns import Request, Turn
from eilev.model.checkpoint import save_model, set_special_tokens
from eilev.model.video_blip import VideoBlip
from eilev.parquet import read_table

SPLITS: tuple[schema.Split, ...] = ("test", "novel")
KINDS = ("bursty", "contrastive")
IMAGE_SIZE = 224
# Question and narrations of the large model: its tokenizer knows only these words.
PROMPT = "Question: What is the camera wearer doing? Answer:"
SENTENCE = "The camera wearer cuts the onion, opens the drawer, washes the cup."


def trials(shots: int, number: int, narrations: pd.DataFrame) -> list[Trial]:
    """Episodes of every split and kind in equal parts, evenly spaced over their tables."""
    chosen: list[Trial] = []
    for split in SPLITS:
        table = read_table(paths.EPISODES / f"{split}.parquet", schema.EPISODES)
        for kind in KINDS:
            rows = table[(table["shots"] == shots) & (table["kind"] == kind)]
            count = min(len(rows), number // (len(SPLITS) * len(KINDS)))
            rows = rows.iloc[np.linspace(0, len(rows) - 1, count).astype(int)]
            built = build_trials(rows, narrations, [kind], np.random.default_rng(0))
            chosen += [trial for trial in built if trial.condition == kind]
    return chosen


def accuracy(bundles: Sequence[Path], shots: int, number: int) -> list[dict[str, Any]]:
    """Figures of each bundle; agreement is with the first one."""
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    judge, clips = Judge(narrations), ClipStore(paths.CLIPS)
    chosen = trials(shots, number, narrations)
    first, rows = pd.DataFrame(), []
    for folder in bundles:
        engine = OnnxEngine.load(folder, num_threads=1)
        prompt = engine.manifest.prompt
        requests = [request_of(trial, prompt, clips) for trial in chosen]
        start, texts = time.process_time(), list[str]()
        for at in range(0, len(requests), 20):
            texts += engine.generate(requests[at : at + 20], engine.manifest.max_new_tokens)
        seconds = time.process_time() - start
        table = judge.table("test", chosen, [Generated(text, 1.0) for text in texts])
        first = table if first.empty else first
        right = (table["verb_correct"] & table["noun_correct"])[table["scored"]]
        said = (table["verb_said"] == first["verb_said"]) & (
            table["noun_said"] == first["noun_said"]
        )
        rows.append(
            {
                "bundle": str(folder),
                "precision": engine.manifest.precision,
                "megabytes": round(engine.manifest.num_bytes / 1e6, 3),
                "queries": len(chosen),
                "action_accuracy": round(float(right.mean()), 4),
                "same_action": round(float(said.mean()), 4),
                "same_text": int((table["generated"] == first["generated"]).sum()),
                "cpu_s": round(seconds, 1),
            }
        )
        print(rows[-1], flush=True)
    return rows


def request_of(trial: Trial, prompt: str, clips: ClipStore) -> Request:
    """What an engine is asked for a trial."""
    turns = [*(Turn(prompt, text) for text in trial.texts[:-1]), Turn(prompt, None)]
    return turns, [clips[clip_id] for clip_id in trial.videos]


def write_large(folder: Path, layers: int, other_layers: int) -> None:
    """A checkpoint with OPT-2.7B's, ViT-g's and the Q-Former's widths."""
    torch.manual_seed(0)
    config = Blip2Config(
        vision_config=Blip2VisionConfig(num_hidden_layers=other_layers, image_size=IMAGE_SIZE),
        qformer_config=Blip2QFormerConfig(num_hidden_layers=other_layers),
        text_config=OPTConfig(
            vocab_size=50272,
            hidden_size=2560,
            num_hidden_layers=layers,
            num_attention_heads=32,
            ffn_dim=10240,
            max_position_embeddings=2048,
            word_embed_proj_dim=2560,
        ),
        num_query_tokens=32,
    )
    model, codec = VideoBlip(config), train_word_codec([PROMPT, SENTENCE])
    # Zero, to be overwritten by a checkpoint.
    torch.nn.init.normal_(model.query_tokens, std=0.02)
    set_special_tokens(model, codec)
    preprocessing = Preprocessing(IMAGE_SIZE)
    model.train(mode=False)
    save_model(model, codec, preprocessing, folder, NarrationDefaults(prompt=PROMPT))


def large(folder: Path, precision: Any, layers: int, other_layers: int) -> dict[str, Any]:
    """Write the checkpoint if it is not there, export it, and return the figures."""
    checkpoint, bundle = folder / f"checkpoint-{layers}-{other_layers}", folder / precision
    if not checkpoint.exists():
        write_large(checkpoint, layers, other_layers)
    shutil.rmtree(bundle, ignore_errors=True)
    bundle.mkdir(parents=True)
    start, clock = time.process_time(), time.monotonic()
    export_checkpoint(str(checkpoint), bundle, precision, 18, 4, 2)
    figures = {
        "precision": precision,
        "layers": layers,
        "megabytes": {
            path.name: round(path.stat().st_size / 1e6, 1) for path in sorted(bundle.iterdir())
        },
        "cpu_s": round(time.process_time() - start, 1),
        "wall_s": round(time.monotonic() - clock, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }
    engine = OnnxEngine.load(bundle, num_threads=1)
    parity = engine.manifest.parity
    print(describe(bundle))
    return figures | {"parity": parity and parity.model_dump(), "cpu_ms": speeds(engine, 8)}


def speeds(engine: OnnxEngine, shots: int) -> dict[str, float]:
    """CPU of a clip, of a prompt whose clips are encoded, and of one more token after it."""
    turns, clips = episode(engine, shots, seed=0)
    layout, features = engine.layout(turns), engine.encode(clips)
    rows, logits = engine.prefill(layout, features)
    token = np.array([[int(logits[0, -1].argmax())]])
    return {
        "clip": _median_ms(lambda: engine.encode(clips[:1])),
        "prompt": _median_ms(lambda: engine.prefill(layout, features)),
        "positions": len(layout.input_ids),
        "token": _median_ms(lambda: engine.step(rows, token)),
    }


def _median_ms(work: Callable[[], object], times: int = 5) -> float:
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append((time.process_time() - start) * 1000)
    return round(float(np.median(spent)), 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(required=True, dest="part")
    first = parts.add_parser("accuracy")
    first.add_argument("bundles", nargs="+", type=Path)
    first.add_argument("--shots", type=int, default=8)
    first.add_argument("--queries", type=int, default=200)
    second = parts.add_parser("large")
    second.add_argument("--folder", type=Path, required=True)
    second.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32")
    second.add_argument("--layers", type=int, default=6)
    second.add_argument("--other-layers", type=int, default=1)
    options = parser.parse_args()
    if options.part == "accuracy":
        print(json.dumps(accuracy(options.bundles, options.shots, options.queries)))
    else:
        sizes = (options.layers, options.other_layers)
        print(json.dumps(large(options.folder, options.precision, *sizes)))


if __name__ == "__main__":
    main()
