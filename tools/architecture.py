"""Write docs/architecture.md's pictures and its paragraphs about the rooms, from the code.

python -m tools.architecture
"""

from collections.abc import Mapping
from pathlib import Path

from tools.draw_flow import draw_flow, read_flow
from tools.draw_rooms import draw_rooms
from tools.markers import between
from tools.rooms import Plan, read_plan

PAGE = Path("docs/architecture.md")
ROOMS = Path("docs/images/architecture.svg")
FLOW = Path("docs/images/data_flow.svg")


def main() -> None:
    """Write them."""
    for path, text in render(Path()).items():
        path.write_text(text)


def render(root: Path) -> Mapping[Path, str]:
    """Text of each file, by its path from the root."""
    plan = read_plan(root)
    return {
        ROOMS: draw_rooms(plan),
        FLOW: draw_flow(*read_flow(root)),
        PAGE: between((root / PAGE).read_text(), "rooms", paragraphs(plan)),
    }


def paragraphs(plan: Plan) -> str:
    """What each room says of itself, from the top of the picture to its ground."""
    return "\n\n".join(f"**[{room.path}](../{room.path})**: {room.text}" for room in plan.rooms)


if __name__ == "__main__":
    main()
