"""A bundle's engine against the checkpoint in torch that it was exported from; no server.

    python -m benchmarks.engines --bundle data/export/bundle --checkpoint data/train/model

Both narrate the same query after the same examples, in turn, on one thread and from the first token
on: nothing is kept. The last line is JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from eilev.bundle.onnx_engine import OnnxEngine
from eilev.inputs.turns import Request, Turn
from eilev.model.torch_engine import open_checkpoint

NARRATION = "The camera wearer cuts the onion."
Generate = Callable[[list[Request], int], list[str]]


def episode(engine: OnnxEngine, shots: int, seed: int) -> Request:
    """Clips of noise in the model's size."""
    manifest = engine.manifest
    shape = (shots + 1, manifest.num_frames, manifest.frame_size, manifest.frame_size, 3)
    clips = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    turns = [Turn(manifest.prompt, NARRATION) for _ in range(shots)]
    return [*turns, Turn(manifest.prompt, None)], list(clips)


def measure(generate: Generate, request: Request, max_new_tokens: int) -> tuple[float, str]:
    """Milliseconds of CPU, and the narration."""
    start = time.process_time()
    (text,) = generate([request], max_new_tokens)
    return (time.process_time() - start) * 1000, text


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("data/export/bundle"))
    parser.add_argument("--checkpoint", default="data/train/model")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--requests", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    engine = OnnxEngine.load(given.bundle, num_threads=1)
    twins: dict[str, Generate] = {
        "onnx": engine.generate,
        "torch": open_checkpoint(given.checkpoint, "cpu", "float32").generate,
    }
    times: dict[str, list[float]] = {name: [] for name in twins}
    different = 0
    for number in range(given.requests + 1):
        request = episode(engine, given.shots, number)
        texts = set()
        for name, generate in twins.items():
            spent, text = measure(generate, request, engine.manifest.max_new_tokens)
            texts.add(text)
            if number:  # the first warms up
                times[name].append(spent)
        different += len(texts) > 1
    medians = {name: round(float(np.median(each)), 1) for name, each in times.items()}
    ratio = round(medians["torch"] / medians["onnx"], 2)
    print(json.dumps({"cpu_ms": medians, "torch_to_onnx": ratio, "different": different}))


if __name__ == "__main__":
    main()
