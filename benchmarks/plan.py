"""The plan's predictions against real training steps on this machine's CPU.

Run `python -m benchmarks.plan`: a table, and a JSON object in the last line. `eilev plan` divides
operations by a peak rate; here the peak is what a large float32 matrix product reaches on one
thread, and the share of it that real steps reach is the utilisation that has to be assumed.
"""

import gc
import io
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from eilev.config.params import load_params
from eilev.config.train import ModelConfig, Module, ScratchConfig, TransformerConfig
from eilev.model.build import new_text_config, scratch_config
from eilev.model.video_blip import VideoBlip
from eilev.planning.cost import Group, StepCost, step_cost
from eilev.planning.workload import VOCABULARY, estimate_workload, typical_batch
from eilev.training.episode_model import EpisodeModel

STEPS = 5
FREEZE: tuple[Module, ...] = ("vision_model", "language_model")


def part(width: int, num_layers: int) -> TransformerConfig:
    """A transformer of the usual proportions, heads of 64."""
    return TransformerConfig(
        hidden_size=width,
        num_hidden_layers=num_layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
    )


def scaled(width: int, num_layers: int) -> ModelConfig:
    """BLIP-2 at a fraction of its width and depth: 224 pixels, 32 query tokens, parts frozen."""
    scratch = ScratchConfig(
        image_size=224,
        patch_size=14,
        num_query_tokens=32,
        max_position_embeddings=512,
        initializer_range=0.02,
        vision=part(width, num_layers),
        qformer=part(width, num_layers),
        text=part(2 * width, num_layers),
        language_model=None,
    )
    return ModelConfig(pretrained=None, scratch=scratch, freeze=FREEZE)


def from_scratch(config: ScratchConfig) -> VideoBlip:
    """A model with new weights and the vocabulary that a plan takes."""
    return VideoBlip(scratch_config(config, new_text_config(config, VOCABULARY, pad_id=0)))


def step_inputs(model: VideoBlip, groups: Sequence[Group], num_frames: int) -> dict[str, Any]:
    """Inputs of EpisodeModel with the clips, lengths and labels of the groups.

    Decoder-only; the labels are the last tokens of each episode.
    """
    rows = [group for group in groups for _ in range(group.episodes)]
    shape = (len(rows), max(group.length for group in rows))
    ids = torch.zeros(shape, dtype=torch.long)
    mask, video, labels = torch.zeros_like(ids), torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, group in enumerate(rows):
        mask[row, : group.length] = 1
        video[row, : group.clips * model.config.num_query_tokens] = 1
        labels[row, group.length - group.labels : group.length] = 3
    num_clips = sum(group.clips for group in rows)
    vision: Any = model.config.vision_config
    size = vision.image_size
    return {
        "pixel_values": torch.randn(num_clips, 3, num_frames, size, size),
        "clip_index": torch.arange(num_clips),
        "input_ids": ids,
        "attention_mask": mask,
        "video_input_mask": video,
        "labels": labels,
    }


def measure_step(
    config: ModelConfig, groups: Sequence[Group], num_frames: int
) -> tuple[float, float]:
    """Seconds of a real step (median), and MiB that the process grew by at its peak."""
    torch.set_num_threads(1)
    assert config.scratch is not None  # noqa: S101  (so are all that are measured)
    model = from_scratch(config.scratch)
    model.freeze(config.freeze)
    module = EpisodeModel(model, torch.ones(VOCABULARY)).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    for parameter in trained:
        # The plan counts gradients apart; zeros would take no memory before they are written to.
        parameter.grad = torch.ones_like(parameter)
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    inputs = step_inputs(model, groups, num_frames)

    def step() -> None:
        module(**inputs)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    gc.collect()
    before = reset_peak()
    module(**inputs)["loss"].backward()
    grown = (read_status("VmHWM") - before) / 1024
    return statistics.median(timed(step) for _ in range(STEPS)), grown


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time of one call: other programs make no difference."""
    start = time.process_time()
    work()
    return time.process_time() - start


def reset_peak() -> int:
    """Forget the process' peak memory; returns KiB in use now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return read_status("VmRSS")


def read_status(key: str) -> int:
    """KiB from /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def matrix_rate(size: int = 1536) -> float:
    """Operations per second of a float32 matrix product, the best of several."""
    left, right = torch.randn(2, size, size)
    best = min(timed(lambda: left @ right) for _ in range(10))
    return 2 * size**3 / best


def decode_ms(size: int = 448) -> float:
    """Milliseconds to decode a JPEG of smooth noise at the profiles' quality."""
    coarse = np.random.default_rng(0).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling=0)
    decode = lambda: np.asarray(Image.open(io.BytesIO(buffer.getvalue())))  # noqa: E731
    return statistics.median(timed(decode) for _ in range(50)) * 1000


def compare(
    name: str, config: ModelConfig, groups: Sequence[Group], num_frames: int, rate: float
) -> dict[str, Any]:
    """Prediction and measurement of one model, printed as a row."""
    cost: StepCost = step_cost(config, VOCABULARY, tuple(groups), num_frames)
    # A fresh process has no freed memory to use again.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds, grown = pool.submit(measure_step, config, groups, num_frames).result()
    predicted, peak = cost.flops / rate, cost.peak_bytes / 2**20
    print(
        f"{name:<22} {cost.flops / 1e9:>9.1f} {predicted:>11.3f} {seconds:>10.3f}"
        f" {predicted / seconds:>11.2f} {peak:>13.0f} {grown:>11.0f}"
    )
    return {
        "gflop": cost.flops / 1e9,
        "predicted_s": predicted,
        "measured_s": seconds,
        "utilisation": predicted / seconds,
        "predicted_mib": peak,
        "measured_mib": grown,
    }


def main() -> None:
    """Compare the default model's step and two of BLIP-2's shape."""
    torch.set_num_threads(1)
    rate, decoding = matrix_rate(), decode_ms()
    print(f"matrix product {rate / 1e9:.1f} GFLOP/s, decoding a frame {decoding:.1f} ms\n")
    print(
        f"{'model':<22} {'GFLOP':>9} {'predicted s':>11} {'measured s':>10}"
        f" {'utilisation':>11} {'predicted MiB':>13} {'grown MiB':>11}"
    )
    params = load_params()
    last, size = params.episodes.train[-1], params.train.batch_size
    scratch = params.train.model.scratch
    assert scratch is not None  # noqa: S101  (the default is built from scratch)
    model = from_scratch(scratch)
    load = estimate_workload(params, episodes=None)
    batch = typical_batch(params, last, size, model, load)
    cases = [
        ("default, its batch", params.train.model, batch, params.clips.num_frames),
        ("width 256, 4 layers", scaled(256, 4), [Group(1, 5, 300, 12)], 4),
        ("width 512, 6 layers", scaled(512, 6), [Group(1, 3, 200, 12)], 4),
    ]
    results = {case[0]: compare(*case, rate) for case in cases}
    print(json.dumps({"gflop_per_s": rate / 1e9, "decode_ms": decoding, **results}))


if __name__ == "__main__":
    main()
