"""Annotations of the synthetic kitchen in the schema of Ego4D's fho_main.json.

Real annotations have flaws, which `ingest` rejects with a reason; the same flaws occur here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from lemminflect import getInflection
from numpy.typing import NDArray

from eilev.config.synthesize import SynthesizeConfig
from eilev.schema import OTHER_VERB
from eilev.synthetic.lexicon import WordClass
from eilev.synthetic.render import RenderedClip

# The frames of an action that have boxes, as shares of its length (pnr: the point of no return).
CRITICAL_FRAMES = {"pre_frame": 0.0, "pnr_frame": 0.5, "post_frame": 1.0}


@dataclass(frozen=True)
class SpokenAction:
    """One action as its narrator tells it."""

    uid: str
    verb: WordClass
    noun: WordClass
    verb_word: str
    noun_word: str
    first_frame: int


def third_person(verb: str) -> str:
    """The verb's third person singular.

    >>> third_person("wash")
    'washes'
    """
    return str(getInflection(verb, "VBZ")[0])


def annotate_action(
    action: SpokenAction, clip: RenderedClip, config: SynthesizeConfig, rng: np.random.Generator
) -> dict[str, Any]:
    """One narrated action, with flaws at the config's rates."""
    rejected, invalid, other_person, other_verb, missing_noun, no_frames = rng.random(6) < (
        config.rejected_rate,
        config.invalid_rate,
        config.other_person_rate,
        config.other_verb_rate,
        config.missing_noun_rate,
        0.5,  # of the missing nouns, the share without any annotated frame
    )
    start_s = action.first_frame / config.fps
    subject = "#O person X" if other_person else "#C C"
    frames = _annotate_frames(action, clip, with_object=not missing_noun)
    return {
        "uid": action.uid,
        "start_sec": start_s,
        "end_sec": start_s + len(clip.frames) / config.fps,
        "start_frame": action.first_frame,
        "end_frame": action.first_frame + len(clip.frames),
        "clip_uid": None,
        "narration_text": f"{subject} {third_person(action.verb_word)} the {action.noun_word}",
        "narration_timestamp_sec": start_s + len(clip.frames) / config.fps / 2,
        "structured_verb": OTHER_VERB if other_verb else action.verb.label,
        "freeform_verb": action.verb_word if other_verb else None,
        "is_rejected": bool(rejected),
        "is_valid_action": not invalid,
        "frames": None if missing_noun and no_frames else frames,
    }


def annotate_video(
    uid: str, actions: list[dict[str, Any]], num_frames: int, config: SynthesizeConfig
) -> dict[str, Any]:
    """A video's entry: its metadata and one annotated interval that spans it."""
    duration_s = num_frames / config.fps
    return {
        "video_uid": uid,
        "video_metadata": {
            "fps": config.fps,
            "num_frames": num_frames,
            "width": config.width,
            "height": config.height,
            "video_codec": "h264",
            "duration_sec": duration_s,
        },
        "annotated_intervals": [
            {"start_sec": 0.0, "end_sec": duration_s, "narrated_actions": actions}
        ],
    }


def _annotate_frames(
    action: SpokenAction, clip: RenderedClip, with_object: bool
) -> list[dict[str, Any]]:
    """The critical frames with the boxes of the hands and, unless missing, of the object."""
    frames = []
    for frame_type, share in CRITICAL_FRAMES.items():
        index = round(share * (len(clip.frames) - 1))
        boxes = [
            _annotate_box(f"{side}_hand", None, hand[index])
            for side, hand in zip(("left", "right"), clip.hand_boxes, strict=False)
        ]
        if with_object:
            boxes.append(
                _annotate_box("object_of_change", action.noun.label, clip.object_boxes[index])
            )
        frames.append(
            {
                "frame_type": frame_type,
                "video_frame": action.first_frame + index,
                "boxes": boxes,
            }
        )
    return frames


def _annotate_box(
    object_type: str, structured_noun: str | None, box: NDArray[np.float32]
) -> dict[str, Any]:
    """One box; `box` is x, y, width, height in pixels."""
    x, y, width, height = (round(float(side), 1) for side in box)
    return {
        "object_type": object_type,
        "structured_noun": structured_noun,
        "bbox": {"x": x, "y": y, "width": width, "height": height},
    }
