"""Triton's own schema of config.pbtxt reads what is written; the server itself is not run here."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format

from eilev.bundle.manifest import BundleError
from eilev.bundle.sessions import open_graph
from eilev.export.triton import write_repository

TYPES = {
    "tensor(float)": "TYPE_FP32",
    "tensor(float16)": "TYPE_FP16",
    "tensor(int64)": "TYPE_INT64",
}


@pytest.fixture(scope="module")
def schema():
    """tritonclient's generated module; the package around it wants gRPC."""
    package = importlib.util.find_spec("tritonclient")
    assert package is not None
    file = Path(package.submodule_search_locations[0]) / "grpc/model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("bundle", "names"),
    [
        ("llama_bundle", ["decoder", "embed", "vision"]),
        ("t5_bundle", ["decoder", "embed", "encoder", "vision"]),
        ("half_bundle", ["decoder", "embed", "vision"]),
    ],
)
def test_a_model_for_each_graph_with_its_axes_and_types(bundle, names, schema, request, tmp_path):
    source = request.getfixturevalue(bundle)
    source = source[0] if isinstance(source, tuple) else source
    write_repository(source, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"eilev_{name}" for name in names]
    for folder in tmp_path.iterdir():
        text = (folder / "config.pbtxt").read_text()
        config = text_format.Parse(text, schema.ModelConfig())
        assert (config.name, config.backend) == (folder.name, "onnxruntime")
        assert config.max_batch_size == 0
        # Opened where Triton opens it, weights beside it included.
        session = open_graph(folder / "1" / "model.onnx", num_threads=1).session
        for stated, real in (
            (config.input, session.get_inputs()),
            (config.output, session.get_outputs()),
        ):
            assert [tensor.name for tensor in stated] == [node.name for node in real]
            for tensor, node in zip(stated, real, strict=True):
                sizes = [size if isinstance(size, int) else -1 for size in node.shape]
                assert list(tensor.dims) == sizes
                assert schema.DataType.Name(tensor.data_type) == TYPES[node.type]


def test_an_altered_bundle_is_not_laid_out(tiny_bundle, tmp_path):
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (bundle / "embed.onnx").write_bytes(b"else")
    with pytest.raises(BundleError, match=r"embed\.onnx: altered"):
        write_repository(bundle, tmp_path / "repository")
