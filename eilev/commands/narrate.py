"""`eilev narrate`: your own videos from the shell.

    eilev narrate a.mp4 "The camera wearer cuts the onion." b.mp4 "..." query.mp4

Videos and their narrations in turn, then the video to narrate; a text behind that one is the
prompt. `video.mp4@12.5` is the moment around second 12.5 of a longer video.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from eilev import paths
from eilev.clips.limits import Limits
from eilev.inputs.footage import Footage
from eilev.narrator import Narrator

_MOMENT = re.compile(r"(?P<path>.+)@(?P<seconds>\d+(\.\d+)?)")
_ORDER = "expected VIDEO NARRATION VIDEO NARRATION ... VIDEO [PROMPT]"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "narrate",
        help="narrate your own video, with narrated ones as examples",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("items", nargs="+", metavar="VIDEO_OR_TEXT", help=_ORDER)
    parser.add_argument(
        "--model",
        help="folder of a checkpoint or a bundle, or a hub name; by default "
        f"{paths.BUNDLE} where it exists, else {paths.MODEL}",
    )
    parser.add_argument("--prompt", help="asks for the narration; by default the model's own")
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--beams", type=int, default=1, help="1 is greedy")
    parser.add_argument("--length-penalty", type=float, default=1.0, help="of the beams")
    parser.add_argument(
        "--candidate",
        action="append",
        metavar="TEXT",
        help="instead of writing, score this narration; may be given again",
    )
    parser.add_argument("--device", help="of a checkpoint, such as cuda:1")
    parser.add_argument("--dtype", help="of a checkpoint: float32, bfloat16 or float16")
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=Limits.max_pixels,
        help="width x height of the largest frames that are decoded (%(default)s: 8K)",
    )
    parser.add_argument(
        "--max-seconds",
        type=float,
        default=Limits.max_duration_s,
        help="length of the longest file that is one clip (%(default)g)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the narration or, with --candidate, each candidate's score, the best one first.

    Raises:
        ValueError: arguments out of order, a video that is missing or can't be decoded, or a model
            that can't be loaded (DataError).
    """
    footage, texts = parse_items(options.items, options.prompt)
    name = options.model or (paths.BUNDLE if paths.BUNDLE.is_dir() else paths.MODEL)
    limits = Limits(max_pixels=options.max_pixels, max_duration_s=options.max_seconds)
    narrator = Narrator.from_pretrained(
        name, device=options.device, dtype=options.dtype, limits=limits
    )
    items = list(zip(footage, texts, strict=True))
    if options.candidate:
        scores = zip(narrator.score(items, options.candidate), options.candidate, strict=True)
        lines = [f"{score:8.4f}  {text}" for score, text in sorted(scores, reverse=True)]
        print("\n".join(lines))  # noqa: T201
        return
    narration = narrator.narrate(
        items,
        max_new_tokens=options.max_new_tokens,
        num_beams=options.beams,
        length_penalty=options.length_penalty,
    )
    print(narration)  # noqa: T201


def parse_items(items: Sequence[str], prompt: str | None) -> tuple[list[Footage], list[str | None]]:
    """Split the arguments into videos and their texts; the last text is the prompt or None.

    Raises:
        ValueError: a video is missing or a text is where a video should be, a narration is empty,
            or there are two prompts.
    """
    videos, texts = list(items[::2]), list(items[1::2])
    if len(texts) == len(videos) and prompt is not None:
        raise ValueError(f"two prompts: '{texts[-1]}' and --prompt '{prompt}'")
    footage = [_footage(item, 2 * place + 1) for place, item in enumerate(videos)]
    for place, text in enumerate(texts):
        # The last one is a prompt, which may be empty.
        is_empty = not text.strip() and place < len(videos) - 1
        if is_empty or Path(text).is_file():
            problem = "is empty" if is_empty else f"is the video '{text}'"
            raise ValueError(f"argument {2 * place + 2} {problem}, not a text; {_ORDER}")
    return footage, [*texts, prompt][: len(videos)]


def _footage(item: str, number: int) -> Footage:
    if Path(item).is_file():
        return Path(item)
    moment = _MOMENT.fullmatch(item)
    if moment and Path(moment["path"]).is_file():
        return Path(moment["path"]), float(moment["seconds"])
    raise ValueError(f"argument {number}, '{item}', is not a video file; {_ORDER}")
