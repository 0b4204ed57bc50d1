"""A bundle as a model repository of Triton Inference Server: one model for each graph.

    FOLDER/eilev_decoder/config.pbtxt
    FOLDER/eilev_decoder/1/model.onnx         and the files of weights that it points at

What is no graph (tokens, pixels, the splice of the features, the loop over tokens) is the
client's, or a Python model's that calls these: docs/export.md.
"""

import os
import shutil
from pathlib import Path

import onnx

from eilev.bundle.manifest import GRAPHS, Manifest

CONFIG_FILE, MODEL_FILE, VERSION = "config.pbtxt", "model.onnx", "1"
_TYPES: dict[int, str] = {
    onnx.TensorProto.FLOAT: "TYPE_FP32",
    onnx.TensorProto.FLOAT16: "TYPE_FP16",
    onnx.TensorProto.INT64: "TYPE_INT64",
}


def model_name(graph: str) -> str:
    """Triton's name of a graph.

    >>> model_name("decoder.onnx")
    'eilev_decoder'
    """
    return f"eilev_{Path(graph).stem}"


def write_repository(bundle: Path, folder: Path) -> None:
    """Lay the graphs of a bundle out in an empty folder; weights are linked where that is possible.

    Raises:
        BundleError: there is no bundle, or a file of it is missing or altered.
    """
    manifest = Manifest.load(bundle)
    manifest.verify(bundle)
    for name in GRAPHS[manifest.family]:
        graph = onnx.load(bundle / name, load_external_data=False).graph
        version = folder / model_name(name) / VERSION
        version.mkdir(parents=True)
        _link(bundle / name, version / MODEL_FILE)
        for file in _weight_files(graph):
            _link(bundle / file, version / file)
        (version.parent / CONFIG_FILE).write_text(config(model_name(name), graph))


def config(name: str, graph: onnx.GraphProto) -> str:
    """The config.pbtxt of a graph; batches are an axis like others, as prompts differ in length."""
    lines = [f'name: "{name}"', 'backend: "onnxruntime"', "max_batch_size: 0"]
    for kind, tensors in (("input", graph.input), ("output", graph.output)):
        lines += [f"{kind} [", ",\n".join(map(_tensor, tensors)), "]"]
    return "\n".join(lines) + "\n"


def _tensor(tensor: onnx.ValueInfoProto) -> str:
    form = tensor.type.tensor_type
    sizes = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in form.shape.dim]
    dims = ", ".join(map(str, sizes))
    return f'  {{ name: "{tensor.name}" data_type: {_TYPES[form.elem_type]} dims: [ {dims} ] }}'


def _weight_files(graph: onnx.GraphProto) -> list[str]:
    """Files beside a graph that it reads."""
    entries = (entry for weight in graph.initializer for entry in weight.external_data)
    return sorted({entry.value for entry in entries if entry.key == "location"})


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
