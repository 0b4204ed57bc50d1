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

    def decode(self, embeds, mask, cache):
        """Logits of every new position and the cache, of a decoder-only model."""
        kept = np.arange(embeds.shape[1])
        inputs = {"inputs_embeds": embeds, "attention_mask": mask, "logits_to_keep": kept}
        return self.run("decoder", **inputs, **cache)

    def decode_across(self, ids, encoder_mask, cache, cross):
        """The same of a decoder that looks at an encoder."""
        num_past = cache["past_key_0"].shape[2]
        mask = np.ones((len(ids), num_past + ids.shape[1]), np.int64)
        masks = {"attention_mask": mask, "encoder_attention_mask": encoder_mask}
        return self.run("decoder", input_ids=ids, **masks, **cache, **cross)

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
