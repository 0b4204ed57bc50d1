"""Graphs in onnxruntime, on the GPU where there is one."""

import ctypes.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from eilev.bundle.manifest import BundleError

# A tensor of onnxruntime where the graphs run; `.numpy()` is a view on a CPU, a copy elsewhere.
Value = Any
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@dataclass(frozen=True)
class Graph:
    """A loaded graph. Any number of threads may run it."""

    session: Any
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]

    @property
    def device(self) -> str:
        """Where it runs: "cuda" or "cpu"."""
        return "cuda" if CUDA in self.session.get_providers() else "cpu"

    @property
    def float_type(self) -> type[np.floating[Any]]:
        """Of its floating point inputs, keys and values among them."""
        return np.float16 if "tensor(float16)" in self.inputs.values() else np.float32

    def shape(self, name: str) -> tuple[int | str, ...] | None:
        """Of an input or output; axes without a fixed size have names. None: there is none."""
        nodes = [*self.session.get_inputs(), *self.session.get_outputs()]
        return next((tuple(node.shape) for node in nodes if node.name == name), None)

    def run(self, inputs: Mapping[str, Value | npt.NDArray[Any]]) -> dict[str, Value]:
        """Outputs by name; they stay on the device, where the next run takes them from."""
        binding = self.session.io_binding()
        for name, value in inputs.items():
            if isinstance(value, np.ndarray):
                value = self.value(value)
            binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            binding.bind_output(name, self.device)
        self.session.run_with_iobinding(binding)
        return dict(zip(self.outputs, binding.get_outputs(), strict=True))

    def value(self, array: npt.NDArray[Any]) -> Value:
        """An array where this graph runs."""
        array = np.ascontiguousarray(array)
        return onnxruntime.OrtValue.ortvalue_from_numpy(array, self.device, 0)


def open_graph(path: Path, num_threads: int | None = None) -> Graph:
    """Load a graph.

    Args:
        path: the graph.
        num_threads: CPU threads of one operator; all that this process may use if None.

    Raises:
        BundleError: onnxruntime can't load it.
    """
    options = onnxruntime.SessionOptions()
    # Left alone, onnxruntime takes every core of the machine, not of the container.
    options.intra_op_num_threads = num_threads or _num_cores()
    # Threads that spin while they wait take the cores that another process needs.
    for pool in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=_providers())
    except Exception as error:  # the library has a type of its own for every status code
        raise BundleError(f"{path}: onnxruntime can't load it: {error}") from error
    inputs = {item.name: item.type for item in session.get_inputs()}
    return Graph(session, inputs, tuple(item.name for item in session.get_outputs()))


def _providers() -> list[str]:
    """CUDA where there is a driver; asking for it elsewhere fills the log with errors."""
    if CUDA not in onnxruntime.get_available_providers() or not ctypes.util.find_library("cuda"):
        return [CPU]
    onnxruntime.preload_dlls()
    return [CUDA, CPU]


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
