"""Weights of a bundle in 8 bits, by onnxruntime's dynamic quantization.

Matrix products and embeddings get int8 weights, with a scale for each column; what they are
multiplied with is quantized while the graph runs. Everything else stays float32, the convolution
of the patches among it: it is small, and the first to see the pixels.
"""

import shutil
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from eilev.bundle.manifest import GRAPHS, MANIFEST_FILE, Manifest
from eilev.export.quiet import quiet
from eilev.export.storage import data_file
from eilev.export.write import file_facts

# Gemm, too: the quantizer makes MatMul of it.
_OPERATORS = ["MatMul", "Gather"]


def quantize_bundle(source: Path, folder: Path) -> Manifest:
    """Write the int8 form of an fp32 bundle into an empty folder.

    Returns:
        The manifest as written.

    Raises:
        onnx.checker.ValidationError: a graph breaks ONNX's rules.
        ValueError: the source is no fp32 bundle (BundleError where it is none at all).
    """
    manifest = Manifest.load(source)
    if manifest.precision != "fp32":
        raise ValueError(f"{source}: is {manifest.precision} already; quantize an fp32 bundle")
    graphs = GRAPHS[manifest.family]
    for name in graphs:
        _quantize(source / name, folder / name, outside=data_file(name) in manifest.files)
    weights = {MANIFEST_FILE, *graphs, *map(data_file, graphs)}
    for path in source.iterdir():
        if path.name not in weights:
            shutil.copy(path, folder)
    changes = {"precision": "int8", "parity": None, **file_facts(folder)}
    quantized = manifest.model_copy(update=changes)
    quantized.write(folder)
    return quantized


def _quantize(source: Path, target: Path, *, outside: bool) -> None:
    graph = onnx.load(source)
    # The exporter notes shapes of weights, too, which are wrong once the quantizer turns them.
    del graph.graph.value_info[:]
    _turn_embeddings(graph.graph)
    with quiet():
        quantize_dynamic(
            graph,
            target,
            op_types_to_quantize=_OPERATORS,
            per_channel=True,
            # 7 of the 8 bits: products of whole ones overflow on CPUs without VNNI.
            reduce_range=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=outside,
        )
    small = onnx.load(target, load_external_data=False)
    del small.graph.value_info[:]
    onnx.save(small, target)
    if outside:
        # onnx makes it readable for its owner alone.
        shutil.copymode(target, target.with_name(data_file(target.name)))
    onnx.checker.check_model(target, full_check=True)


def _turn_embeddings(graph: onnx.GraphProto) -> None:
    """Put what `storage` writes as a Transpose of the embeddings back as weights of its own."""
    weights = {weight.name: weight for weight in graph.initializer}
    turned = [n for n in graph.node if n.op_type == "Transpose" and n.input[0] in weights]
    for node in turned:
        array = onnx.numpy_helper.to_array(weights[node.input[0]]).T.copy()
        graph.initializer.append(onnx.numpy_helper.from_array(array, node.output[0]))
        graph.node.remove(node)
