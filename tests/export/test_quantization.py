import numpy as np
import onnx
import pytest

from eilev.bundle.manifest import Manifest
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.export.quantization import quantize_bundle
from eilev.inputs.turns import Turn
from tests.tiny import NARRATIONS, PROMPT, tiny_clips


@pytest.fixture(scope="module", params=["tiny_bundle", "llama_bundle", "t5_bundle"])
def pair(request, tmp_path_factory):
    """A bundle and its int8 form; that of Llama has its weights beside the graphs."""
    source, folder = request.getfixturevalue(request.param), tmp_path_factory.mktemp("int8")
    quantize_bundle(source, folder)
    return source, folder


def test_large_weights_are_int8_and_the_manifest_says_so(pair):
    source, folder = pair
    manifest, whole = Manifest.load(folder), Manifest.load(source)
    assert manifest.precision == "int8"
    assert manifest.num_bytes < whole.num_bytes
    assert set(manifest.files) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert set(manifest.files) == set(whole.files)
    assert len({path.stat().st_mode for path in folder.glob("*.onnx*")}) == 1
    for name in ("vision.onnx", "embed.onnx", "decoder.onnx"):
        weights = onnx.load(folder / name).graph.initializer
        floats = [w for w in weights if w.data_type == onnx.TensorProto.FLOAT and len(w.dims) == 2]
        assert max((np.prod(weight.dims) for weight in floats), default=0) <= 64
        types = {weight.data_type for weight in weights if np.prod(weight.dims) > 256}
        assert types & {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}


def test_answers_stay_close(pair):
    turns = [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, NARRATIONS[1])]
    engines = [OnnxEngine.load(folder, num_threads=1) for folder in pair]
    expected, found = (engine.prefill_logits(turns, tiny_clips(2)) for engine in engines)
    spread = expected.std()
    assert 0 < np.abs(found - expected).mean() < 0.1 * spread
    query = [turns[0], Turn(PROMPT, None)]
    assert isinstance(engines[1].narrate(query, tiny_clips(2), 4), str)


def test_only_a_whole_bundle_is_quantized(pair, tmp_path):
    with pytest.raises(ValueError, match="is int8 already; quantize an fp32 bundle"):
        quantize_bundle(pair[1], tmp_path)
