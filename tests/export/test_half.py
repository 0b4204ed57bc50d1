"""A bundle in fp16; it runs on a CPU, too, where onnxruntime casts what it has no kernels for."""

import numpy as np
import onnx
import pytest

from eilev.bundle.onnx_engine import OnnxEngine
from eilev.export.parity import torch_runner
from eilev.inputs.turns import Turn
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_model


@pytest.fixture(scope="module")
def half(half_bundle):
    return OnnxEngine.load(half_bundle[0], num_threads=1)


def test_keys_and_values_are_halves(half, engine):
    turns, clips = [Turn(PROMPT, None)], tiny_clips(1)
    rows, whole = (
        each.prefill(each.layout(turns), each.features(turns, clips))[0] for each in (half, engine)
    )
    assert 2 * rows.num_bytes == whole.num_bytes > 0


def test_answers_stay_close(half):
    turns, clips = [Turn(PROMPT, text) for text in NARRATIONS[:2]], tiny_clips(2)
    expected = torch_runner(tiny_model(), 4).logits(turns, clips)
    found = half.prefill_logits(turns, clips)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.02
    query = [turns[0], Turn(PROMPT, None)]
    assert len(half.generate([(query, clips)] * 2, 4)) == 2
    assert isinstance(half.generate([(query, clips)], 4, num_beams=2)[0], str)
    assert np.isfinite(half.score(query, clips, NARRATIONS)).all()


def test_the_q_former_stays_whole(half_bundle):
    graph = onnx.load(half_bundle[0] / "vision.onnx").graph
    types = {weight.name: weight.data_type for weight in graph.initializer}
    former = {kind for name, kind in types.items() if ".qformer." in name}
    tower = {kind for name, kind in types.items() if ".vision_model." in name}
    assert former == {onnx.TensorProto.FLOAT}
    assert tower == {onnx.TensorProto.FLOAT16}
