"""GPUs by their data sheets."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """Memory in GiB, and dense (not sparse) peak rates in TFLOP/s.

    bf16: tensor cores with float32 accumulation. fp32: without tensor cores, torch's default for
    float32 (`torch.backends.cuda.matmul.allow_tf32` is off).
    """

    memory_gib: int
    bf16: float
    fp32: float


GPUS = {
    "A10": Gpu(24, 125.0, 31.2),
    "A40": Gpu(48, 149.7, 37.4),
    "A100-40": Gpu(40, 312.0, 19.5),
    "A100-80": Gpu(80, 312.0, 19.5),
    "A6000": Gpu(48, 154.8, 38.7),
    "B200": Gpu(180, 2250.0, 80.0),
    "H100": Gpu(80, 989.4, 66.9),
    "H100-PCIe": Gpu(80, 756.0, 51.2),
    "H200": Gpu(141, 989.4, 66.9),
    "L4": Gpu(24, 121.0, 30.3),
    "L40S": Gpu(48, 362.1, 91.6),
    "RTX-3090": Gpu(24, 71.0, 35.6),
    "RTX-4090": Gpu(24, 165.2, 82.6),
}
