"""The graphs of a folder in onnxruntime, with the names of the bundle's contract."""

import numpy as np
import onnxruntime


class Sessions:
    def __init__(self, folder):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.sessions = {
            path.stem: onnxruntime.InferenceSession(path, options) for path in folder.glob("*.onnx")
        }

    def run(self, name, **inputs):
        session = self.sessions[name]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(None, inputs), strict=True))

    def empty_cache(self, batch):
        return {
            item.name: np.zeros((batch, item.shape[1], 0, item.shape[3]), np.float32)
            for item in self.sessions["decoder"].get_inputs()
            if item.name.startswith("past_")
        }


def next_cache(outputs):
    return {
        name.replace("present_", "past_"): value
        for name, value in outputs.items()
        if name.startswith("present_")
    }
