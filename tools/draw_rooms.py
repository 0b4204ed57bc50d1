"""docs/images/architecture.svg: the rooms in their layers, and which imports which."""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

from tools import svg
from tools.layout import Arrow, Layout, lay_out
from tools.rooms import BY_NAME, Plan, Room, without_detours

_WIDTH, _HEIGHT, _GAP, _RISE = 146, 100, 14, 46
_MARGIN, _BAND = 20, 8
# Letters of 11 units that fit into a box, and lines of them above the library's name.
_COLUMNS, _LINES = 22, 4
_PLAIN, _TORCH, _GROUND = ("#e3f2ec", "#5b9a80"), ("#fdebd3", "#d08b2d"), ("#e8eaf6", "#7c88c4")
_LEGEND = (
    (_PLAIN, "does not import torch"),
    (_TORCH, "imports torch"),
    (_GROUND, "the ground: any room may import it, not drawn"),
)


def draw_rooms(plan: Plan) -> str:
    """The picture as SVG."""
    layers = [[room.module for room in layer] for layer in plan.layers]
    arrows = without_detours(plan.imports) | BY_NAME
    layout = lay_out(layers, arrows, _WIDTH, _GAP)
    passing = (x + _GAP for route in layout.routes.values() for x in route)
    width = max(*passing, max(layout.middle.values()) + _WIDTH / 2) + 2 * _MARGIN
    rows = len(layers) + 1
    pieces = [
        svg.rectangle((0, _y(row) - _BAND), (width, _HEIGHT + 2 * _BAND), svg.BAND)
        for row in range(rows)
    ]
    pieces += _arrows(layout)
    for room in (room for layer in plan.layers for room in layer):
        place = (_MARGIN + layout.middle[room.module], _y(layout.row[room.module]))
        pieces += _box(place, room, _TORCH if room.has_torch else _PLAIN)
    step = (width - 2 * _MARGIN) / len(plan.ground)
    for number, room in enumerate(plan.ground):
        pieces += _box((_MARGIN + (number + 0.5) * step, _y(rows - 1)), room, _GROUND)
    pieces += _legend(_y(rows) - 10)
    return svg.page(width, _y(rows) + 10, "The rooms of EILeV; arrows are imports", pieces)


def _y(row: int) -> float:
    return _MARGIN + row * (_HEIGHT + _RISE)


def _box(place: svg.Point, room: Room, colours: tuple[str, str]) -> list[str]:
    x, y = place
    fill, line = colours
    pieces = [
        svg.rectangle((x - _WIDTH / 2, y), (_WIDTH, _HEIGHT), fill, line, 6),
        svg.text((x, y + 19), room.name, 15, weight=600),
        *svg.lines((x, y + 35), room.summary, 11, _COLUMNS, _LINES),
    ]
    if room.library:
        pieces.append(svg.text((x, y + _HEIGHT - 8), room.library, 11, line, 600))
    return pieces


def _arrows(layout: Layout) -> list[str]:
    starts = _ports(layout, lambda arrow: (arrow[0], layout.routes[arrow][1]))
    ends = _ports(layout, lambda arrow: (arrow[1], layout.routes[arrow][-2]))
    return [
        _arrow(
            (starts[arrow], *(x + _MARGIN for x in route[1:-1]), ends[arrow]),
            layout.row[arrow[0]],
            dashed=arrow in BY_NAME,
        )
        for arrow, route in layout.routes.items()
    ]


def _ports(layout: Layout, side: Callable[[Arrow], tuple[str, float]]) -> Mapping[Arrow, float]:
    """Where arrows touch their box, side by side in the order of where they come from or go."""
    at: dict[str, list[tuple[float, Arrow]]] = {}
    for arrow in layout.routes:
        box, beyond = side(arrow)
        at.setdefault(box, []).append((beyond, arrow))
    places: dict[Arrow, float] = {}
    for box, touching in at.items():
        step = min(16.0, (_WIDTH - 24) / len(touching))
        first = _MARGIN + layout.middle[box] - step * (len(touching) - 1) / 2
        places |= {arrow: first + step * n for n, (_, arrow) in enumerate(sorted(touching))}
    return places


def _arrow(xs: tuple[float, ...], row: int, dashed: bool) -> str:
    """From the lower edge of a box to the upper one of another, straight past layers between."""
    steps = [f"M{xs[0]:.1f} {_y(row) + _HEIGHT:.1f}"]
    for number, (x, following) in enumerate(pairwise(xs)):
        above, below = _y(row + number) + _HEIGHT, _y(row + number + 1)
        middle = (above + below) / 2
        if number:
            steps.append(f"V{above:.1f}")
        steps.append(
            f"C{x:.1f} {middle:.1f} {following:.1f} {middle:.1f} {following:.1f} {below:.1f}"
        )
    return svg.path("".join(steps), dashed)


def _legend(y: float) -> Iterable[str]:
    x = float(_MARGIN)
    for (fill, line), words in _LEGEND:
        yield svg.rectangle((x, y), (20, 13), fill, line, 3)
        yield svg.text((x + 27, y + 11), words, 12, svg.SOFT, anchor="start")
        x += 50 + 6.4 * len(words)
    yield svg.path(f"M{x:.1f} {y + 7:.1f}h30", dashed=True)
    yield svg.text((x + 37, y + 11), "starts it without an import", 12, svg.SOFT, anchor="start")
    yield svg.text(
        (x + 210, y + 11), "bold: a library at home there only", 12, svg.SOFT, anchor="start"
    )
