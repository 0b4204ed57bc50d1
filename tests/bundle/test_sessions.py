import pytest

from eilev.bundle.manifest import BundleError
from eilev.bundle.sessions import open_graph


def test_threads_do_not_spin(tiny_bundle):
    graph = open_graph(tiny_bundle / "embed.onnx", num_threads=2)
    options = graph.session.get_session_options()
    assert options.intra_op_num_threads == 2
    for pool in ("intra_op", "inter_op"):
        assert options.get_session_config_entry(f"session.{pool}.allow_spinning") == "0"


def test_a_graph_that_cannot_be_loaded_is_named(tmp_path):
    (tmp_path / "vision.onnx").write_bytes(b"nonsense")
    with pytest.raises(BundleError, match=r"vision\.onnx"):
        open_graph(tmp_path / "vision.onnx")
