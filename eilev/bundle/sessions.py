"""Graphs in onnxruntime, on the GPU where there is one."""

import ctypes.util
import os
from pathlib import Path
from typing import Any

import onnxruntime

from eilev.bundle.manifest import BundleError


def open_session(path: Path, num_threads: int | None = None) -> Any:
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
        return onnxruntime.InferenceSession(path, options, providers=_providers())
    except Exception as error:  # the library has a type of its own for every status code
        raise BundleError(f"{path}: onnxruntime can't load it: {error}") from error


def _providers() -> list[str]:
    """CUDA where there is a driver; asking for it elsewhere fills the log with errors."""
    cpu = "CPUExecutionProvider"
    cuda = "CUDAExecutionProvider"
    if cuda not in onnxruntime.get_available_providers() or not ctypes.util.find_library("cuda"):
        return [cpu]
    onnxruntime.preload_dlls()
    return [cuda, cpu]


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
