"""Where the weights of graphs lie: inside them or, of large models, in files beside them.

A graph is one protocol buffer, which ends at 2 GB. Beside `NAME.onnx` its weights are in
`NAME.onnx.data`; token embeddings are in that of embed.onnx alone, at which the other graphs point,
the output layer of a tied model among them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import torch

from eilev.bundle.manifest import EMBED

# The largest model whose weights lie inside its graphs, in bytes.
INLINE_BYTES = 1 << 30
# Weights up to so many bytes always do: shapes and the like, which checkers must see.
_SMALL_BYTES = 1024


def data_file(graph: str) -> str:
    """Name of the file beside a graph."""
    return f"{graph}.data"


def save_inside(model: ir.Model, path: Path) -> None:
    """Write a graph with its weights."""
    ir.save(model, path)


def save_outside(model: ir.Model, path: Path, embeddings: torch.Tensor) -> None:
    """Write a graph and the file of its weights.

    Args:
        model: the graph.
        path: of the graph; embed.onnx must be written before the others.
        embeddings: of the tokens (vocabulary, width), which are written once.
    """
    if path.name != EMBED:
        _point_at_embeddings(model.graph, path.parent, embeddings)
    large = [
        (value, tensor)
        for value in model.graph.initializers.values()
        if (tensor := _inside(value)) is not None and tensor.nbytes > _SMALL_BYTES
    ]
    written = ir.external_data.convert_tensors_to_external(
        [tensor for _, tensor in large], path.parent, data_file(path.name)
    )
    for (value, _), tensor in zip(large, written, strict=True):
        value.const_value = tensor
    ir.save(model, path)


def _inside(value: ir.Value) -> ir.TensorProtocol | None:
    """A weight that lies in no file yet."""
    return None if isinstance(value.const_value, ir.ExternalTensor) else value.const_value


def _point_at_embeddings(graph: ir.Graph, folder: Path, embeddings: torch.Tensor) -> None:
    """Let copies of the embeddings, turned or not, be those of embed.onnx."""
    table = embeddings.detach().cpu().numpy()
    for name, value in list(graph.initializers.items()):
        tensor = _inside(value)
        if tensor is None or len(tensor.shape) != 2:
            continue
        place = _embeddings(name, tensor.dtype, table, folder)
        if tuple(tensor.shape) == table.shape and np.array_equal(tensor.numpy(), table):
            value.const_value = place
        elif tuple(tensor.shape) == table.T.shape and np.array_equal(tensor.numpy(), table.T):
            _turn(graph, name, place)


def _turn(graph: ir.Graph, name: str, place: ir.ExternalTensor) -> None:
    """Replace the turned embeddings by a Transpose, which onnxruntime does once, at loading."""
    value, place.name = graph.initializers.pop(name), f"{name}_turned"
    source = ir.Value(
        name=place.name, shape=place.shape, type=ir.TensorType(place.dtype), const_value=place
    )
    node = ir.node("Transpose", [source], {"perm": [1, 0]})
    turned = node.outputs[0]
    value.replace_all_uses_with(turned)
    turned.name, turned.shape, turned.type = name, value.shape, source.type
    graph.initializers.add(source)
    graph.insert_before(graph[0], node)


def _embeddings(
    name: str, dtype: ir.DataType, table: npt.NDArray[Any], folder: Path
) -> ir.ExternalTensor:
    """The only weights of embed.onnx."""
    shape = ir.Shape(table.shape)
    file = data_file(EMBED)
    return ir.ExternalTensor(file, 0, table.nbytes, dtype, shape=shape, name=name, base_dir=folder)
