"""The same tiny model as a checkpoint and as a bundle, and videos for them."""

import shutil
from pathlib import Path

from eilev.inputs.defaults import NarrationDefaults
from eilev.model.checkpoint import save_model
from tests.tiny import IMAGE_SIZE, NUM_FRAMES, PROMPT, tiny_model
from tests.videos import write_video

DEFAULTS = NarrationDefaults(
    num_frames=NUM_FRAMES, window_s=1.0, frame_size=2 * IMAGE_SIZE, prompt=PROMPT
)


def write_models(folder: Path, tiny_bundle: Path) -> dict[str, Path]:
    """As the train and the export stage leave them."""
    loaded = tiny_model()
    checkpoint, bundle = folder / "checkpoint", folder / "bundle"
    save_model(loaded.model, loaded.codec, loaded.preprocessing, checkpoint, DEFAULTS)
    shutil.copytree(tiny_bundle, bundle)
    return {"checkpoint": checkpoint, "bundle": bundle}


def write_videos(folder: Path) -> list[Path]:
    """Three videos of 4 s, all different."""
    sizes = [(64, 48), (48, 64), (96, 32)]
    return [
        write_video(folder / f"{name}.mp4", 40, fps=10, size=size)
        for name, size in zip("abc", sizes, strict=True)
    ]
