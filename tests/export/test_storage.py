"""Weights beside their graphs; that such bundles answer as torch does, tests/bundle shows."""

import shutil

import onnx
import pytest

from eilev.bundle.manifest import BundleError, Manifest
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.export.storage import data_file


def places(folder, name):
    """Where each large weight of a graph lies: file, offset and length."""
    graph = onnx.load(folder / name, load_external_data=False).graph
    return {
        weight.name: {entry.key: entry.value for entry in weight.external_data}
        for weight in graph.initializer
        if weight.external_data
    }


def test_no_graph_has_large_weights_inside(llama_bundle):
    for name in ("vision.onnx", "embed.onnx", "decoder.onnx"):
        graph = onnx.load(llama_bundle / name, load_external_data=False).graph
        assert max((len(weight.raw_data) for weight in graph.initializer), default=0) <= 1024
        length = sum(
            int(place["length"])
            for place in places(llama_bundle, name).values()
            if place["location"] == data_file(name)
        )
        assert (llama_bundle / data_file(name)).stat().st_size == length > 0


def test_tied_embeddings_are_stored_once(llama_bundle):
    manifest = Manifest.load(llama_bundle)
    size = manifest.vocab_size * manifest.hidden_size * 4
    assert (llama_bundle / "embed.onnx.data").stat().st_size == size
    shared = [
        place
        for place in places(llama_bundle, "decoder.onnx").values()
        if place["location"] == "embed.onnx.data"
    ]
    assert [(place["offset"], place["length"]) for place in shared] == [("0", str(size))]
    own = (llama_bundle / "decoder.onnx.data").stat().st_size
    layers = 2 * (32 * 48 * 2 + 32 * 24 * 2 + 3 * 32 * 64)
    assert own - 4 * layers < size / 4


def test_an_altered_file_of_weights_is_named(llama_bundle, tmp_path):
    folder = shutil.copytree(llama_bundle, tmp_path / "bundle")
    file = folder / "decoder.onnx.data"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"decoder\.onnx\.data: altered"):
        OnnxEngine.load(folder, num_threads=1)
    file.unlink()
    with pytest.raises(BundleError, match=r"decoder\.onnx\.data: no such file"):
        OnnxEngine.load(folder, num_threads=1)
