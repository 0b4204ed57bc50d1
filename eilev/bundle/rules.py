"""Rules of the inputs that a bundle was made for; an engine that does not know one refuses it.

They are names of what code does (`clips/frame_choice.py`, `inputs/preprocess.py` and
`inputs/interleave.py`). Whoever changes that gives the rule another name, so that no model is fed
by rules that it was not trained with.
"""

from typing import Literal

Family = Literal["decoder_only", "encoder_decoder"]

# Frames: of those that start in a window around a time, which is moved inside the video, the ones
# at linspace(0, n - 1, num_frames), truncated.
FRAME_CHOICE = "window_linspace_truncated"
# Pixels: bicubic to the model's square, then (x / 255 - mean) / std.
PIXELS = "bicubic_mean_std"

# Order of tokens: VIDEO is num_query_tokens placeholders, ANSWER a space and the narration; what
# the model writes stands behind the arrow.
_CONTEXT = "((VIDEO NEWLINE)* PROMPT ANSWER NEWLINE)* (VIDEO NEWLINE)* PROMPT"
LAYOUTS: dict[Family, str] = {
    "decoder_only": f"BOS? {_CONTEXT} -> ANSWER NEWLINE EOS",
    "encoder_decoder": f"{_CONTEXT} EOS -> NARRATION EOS",
}
