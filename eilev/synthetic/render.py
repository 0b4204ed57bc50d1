"""Pixels of the synthetic kitchen: what every verb and noun class looks like.

Nouns are seen by appearance (shape and two colours), verbs by how the object moves and where the
hands are. A verb stays recognisable when its frames are unordered, because one Q-Former pass over
the tokens of all frames knows no order: the side of the hands and the spread of positions or sizes
tell the verbs apart, never the direction of time.
"""

from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

SKIN = np.array([236, 188, 150], np.float32)
PALETTE = np.array(
    [
        [214, 40, 40],
        [38, 92, 214],
        [44, 160, 60],
        [246, 210, 50],
        [240, 240, 240],
        [28, 28, 32],
        [130, 50, 170],
        [40, 200, 210],
        [246, 120, 190],
        [120, 70, 24],
    ],
    np.float32,
)
SHAPES = ("disc", "square", "diamond", "triangle", "cross")
OBJECT_RADIUS = 0.18  # of the frame's height, before a clip's own jitter
ACCENT_RADIUS = 0.55  # of the object's
HAND_RADIUS = 0.085
HAND_DISTANCE = 0.25  # of the hand's centre from the object's
TRAVEL = 0.17  # half the way an object travels
NOISE = 5.0  # standard deviation of the sensor noise, in grey levels


@dataclass(frozen=True)
class Motion:
    """How a verb moves its object. Angles in turns, 0 = right, 0.25 = down (image axes)."""

    hands: tuple[float, ...]  # side of the object where each hand is
    axis: float | None = None  # the object travels to and fro along this angle
    orbit: bool = False  # the object travels on a circle
    zoom: float = 0.0  # relative change of size over the clip
    squash: float = 0.0  # relative change of width against height


@dataclass(frozen=True)
class Look:
    """How a noun class looks; colours are indices."""

    shape: str
    body: int
    accent: int


@dataclass(frozen=True)
class RenderedClip:
    """Pixels of one action, and the boxes in it as x, y, width, height in pixels."""

    frames: NDArray[np.uint8]  # frames x height x width x RGB
    object_boxes: Pixels  # frames x 4
    hand_boxes: Pixels  # hands x frames x 4


def motions() -> list[Motion]:
    """The motion of every verb class, most distinct first."""
    slides = [
        Motion((side,), axis=axis) for axis, side in product((0.0, 0.25), (0.0, 0.5, 0.25, 0.75))
    ]
    stills = [Motion((side,)) for side in (0.0, 0.5, 0.25, 0.75)]
    both = [
        Motion((0.0, 0.5), squash=0.5),
        Motion((0.25, 0.75), squash=-0.5),
        Motion((0.125, 0.625), orbit=True),
        Motion((0.375, 0.875), orbit=True),
    ]
    zooms = [Motion((side,), zoom=0.9) for side in (0.125, 0.375, 0.625, 0.875)]
    return slides + both + zooms + stills


def looks(rng: np.random.Generator) -> list[Look]:
    """A different pair of colours for every noun class, in random order; shapes repeat."""
    pairs = rng.permutation(list(permutations(range(len(PALETTE)), 2)))
    return [
        Look(SHAPES[i % len(SHAPES)], int(body), int(accent))
        for i, (body, accent) in enumerate(pairs)
    ]


def background(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """One kitchen's worktop, height x width x 3: a dull colour, tiles or planks, uneven light."""
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    base = rng.uniform(110, 170) + rng.normal(0, 8, 3)
    period, angle = rng.uniform(0.15, 0.4), rng.uniform(0, 2 * np.pi)
    stripes = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    light = 1 + rng.uniform(-0.15, 0.15) * (x - 0.5) + rng.uniform(-0.15, 0.15) * (y - 0.5)
    grey = light * (1 + rng.uniform(0.02, 0.06) * stripes)
    return np.asarray(grey[..., None] * base, np.float32)


def render_clip(
    motion: Motion, look: Look, scene: Pixels, num_frames: int, rng: np.random.Generator
) -> RenderedClip:
    """Render one action on a kitchen's background (height x width x 3)."""
    centres, sizes = _trajectory(motion, num_frames, rng)
    frames = np.repeat(scene[None], num_frames, 0)
    height, width = scene.shape[:2]
    grid = _grid(height, width)
    _paint_object(frames, grid, look, centres, sizes, rng)
    hands = _hand_centres(motion, centres, rng)
    for hand in hands:
        _paint_hand(frames, grid, hand, rng)
    frames *= rng.uniform(0.88, 1.12)
    frames += NOISE * rng.standard_normal(frames.shape, np.float32)
    hand_sizes = np.full((num_frames, 2), HAND_RADIUS, np.float32)
    return RenderedClip(
        frames.clip(0, 255).astype(np.uint8),
        _boxes(centres, sizes, height, width),
        np.stack([_boxes(hand, hand_sizes, height, width) for hand in hands]),
    )


def _grid(height: int, width: int) -> Pixels:
    """Coordinates of the pixels, height x width x (x, y): origin in the middle, height 1."""
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    return np.stack([(x - width / 2) / height, (y - height / 2) / height], -1)


def _trajectory(motion: Motion, num_frames: int, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The object's centre and half its width and height, each frames x 2, in frame heights."""
    time = np.linspace(0, 1, num_frames) + rng.uniform(-0.04, 0.04)
    sweep = 2 * time - 1
    centres = np.tile(rng.normal(0, 0.03, 2), (num_frames, 1))
    reach = TRAVEL * rng.uniform(0.85, 1.15)
    if motion.axis is not None:
        angle = 2 * np.pi * (motion.axis + rng.normal(0, 0.02))
        centres += reach * sweep[:, None] * [np.cos(angle), np.sin(angle)]
    if motion.orbit:
        turn = 2 * np.pi * (0.8 * time + rng.uniform())
        centres += reach * np.stack([np.cos(turn), np.sin(turn)], -1)
    scale = OBJECT_RADIUS * rng.uniform(0.9, 1.1) * (1 + motion.zoom * (time - 0.5))
    stretch = 1 + motion.squash * (time - 0.5)
    sizes = np.stack([scale / stretch, scale * stretch], -1)
    return centres.astype(np.float32), sizes.astype(np.float32)


def _inside(shape: str, u: Pixels) -> NDArray[np.bool_]:
    """Whether points (... x 2, the object spans -1 to 1) are inside a shape."""
    x, y = np.abs(u[..., 0]), np.abs(u[..., 1])
    match shape:
        case "disc":
            inside = x**2 + y**2 < 1
        case "square":
            inside = np.maximum(x, y) < 0.9
        case "diamond":
            inside = x + y < 1.2
        case "triangle":
            inside = (x < 0.55 * (u[..., 1] + 1)) & (y < 1)
        case _:  # cross
            inside = (np.minimum(x, y) < 0.5) & (np.maximum(x, y) < 1)
    return np.asarray(inside)


def _paint_object(
    frames: Pixels,
    grid: Pixels,
    look: Look,
    centres: Pixels,
    sizes: Pixels,
    rng: np.random.Generator,
) -> None:
    """Paint the object on every frame in place: its body, and its accent in the middle."""
    u = (grid - centres[:, None, None]) / sizes[:, None, None]
    tint = rng.normal(0, 6, (2, 3))
    frames[_inside(look.shape, u)] = PALETTE[look.body] + tint[0]
    frames[_inside("disc", u / ACCENT_RADIUS)] = PALETTE[look.accent] + tint[1]


def _hand_centres(motion: Motion, centres: Pixels, rng: np.random.Generator) -> list[Pixels]:
    """Centre of each hand (frames x 2): beside the object, with a little tremor."""
    hands = []
    for side in motion.hands:
        angle = 2 * np.pi * (side + rng.normal(0, 0.02))
        offset = HAND_DISTANCE * rng.uniform(0.95, 1.05) * np.array([np.cos(angle), np.sin(angle)])
        hands.append((centres + offset + rng.normal(0, 0.01, centres.shape)).astype(np.float32))
    return hands


def _paint_hand(frames: Pixels, grid: Pixels, centres: Pixels, rng: np.random.Generator) -> None:
    """Paint one hand on every frame in place."""
    u = (grid - centres[:, None, None]) / HAND_RADIUS
    frames[_inside("disc", u)] = SKIN * rng.uniform(0.9, 1.05)


def _boxes(centres: Pixels, sizes: Pixels, height: int, width: int) -> Pixels:
    """Boxes (frames x (x, y, width, height), pixels) of things in frame heights, cut to it."""
    middle = np.array([width / 2, height / 2], np.float32)
    limit = np.array([width, height], np.float32)
    low = np.clip((centres - sizes) * height + middle, 0, limit)
    high = np.clip((centres + sizes) * height + middle, 0, limit)
    return np.concatenate([low, high - low], -1).astype(np.float32)


def encode_mp4(frames: NDArray[np.uint8], fps: int, path: Path) -> None:
    """Write frames (time x height x width x RGB) as H.264 in MP4; equal frames give equal bytes.

    One thread, no B-frames and a keyframe every second: deterministic, and cheap to seek in. x264's
    lookahead is off: about one in a hundred videos came out otherwise with it.
    """
    with av.open(path, "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {
            "preset": "veryfast",
            "crf": "23",
            "g": str(fps),
            "bf": "0",
            "threads": "1",
            "x264-params": "mbtree=0:rc-lookahead=0",
        }
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
