"""Where the boxes and arrows of a layered drawing lie: few crossings, arrows that run straight.

The usual way (Sugiyama et al., 1981): an arrow past a layer goes through a narrow place of its own
there, the order within each layer follows the neighbours in the layers above and below, and every
place is drawn towards the middle of its neighbours. The same input gives the same drawing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

Arrow = tuple[str, str]

_SWEEPS, _PULLS = 24, 100


@dataclass(frozen=True)
class Layout:
    """Places of a drawing."""

    # Layer and middle of each box.
    row: Mapping[str, int]
    middle: Mapping[str, float]
    # Arrow to its middles in the layers from its start to its end, both with it.
    routes: Mapping[Arrow, tuple[float, ...]]


def lay_out(
    layers: Sequence[Sequence[str]], arrows: Iterable[Arrow], width: float, gap: float
) -> Layout:
    """Place boxes of one width, `gap` apart or more, by layers; arrows run down."""
    row = {name: number for number, layer in enumerate(layers) for name in layer}
    routes = {arrow: _route(arrow, row) for arrow in sorted(arrows)}
    rows = [list(layer) for layer in layers]
    for arrow, route in routes.items():
        for name in route[1:-1]:
            rows[row[arrow[0]] + route.index(name)].append(name)
    links = {link for route in routes.values() for link in pairwise(route)}
    rows = _order(rows, links)
    sizes = {name: width + gap if name in row else gap for layer in rows for name in layer}
    middle = _middles(rows, links, sizes)
    # Long arrows may run outside of the outermost boxes.
    left = min(middle[name] - (width / 2 if name in row else 0) for name in middle)
    return Layout(
        row,
        {name: middle[name] - left for name in row},
        {arrow: tuple(middle[name] - left for name in route) for arrow, route in routes.items()},
    )


def _route(arrow: Arrow, row: Mapping[str, int]) -> list[str]:
    start, end = arrow
    between = range(row[start] + 1, row[end])
    return [start, *(f"{start} > {end} @ {number}" for number in between), end]


def _order(rows: list[list[str]], links: set[Arrow]) -> list[list[str]]:
    """Sort each layer by the mean place of its neighbours, down and up; keep the best order."""
    above, below = _neighbours(links), _neighbours({(end, start) for start, end in links})
    best, least = rows, _crossings(rows, links)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        rows = [list(layer) for layer in rows]
        order = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for number in order:
            fixed = rows[number - 1 if down else number + 1]
            place = {name: index for index, name in enumerate(fixed)}
            near = above if down else below
            mine = {name: index for index, name in enumerate(rows[number])}
            scale = len(fixed) / len(mine)
            rows[number].sort(
                key=lambda name: _mean([place[n] for n in near.get(name, ())], mine[name] * scale)
            )
        if (crossings := _crossings(rows, links)) < least:
            best, least = rows, crossings
    return best


def _crossings(rows: list[list[str]], links: set[Arrow]) -> int:
    place = {name: index for layer in rows for index, name in enumerate(layer)}
    number = {name: index for index, layer in enumerate(rows) for name in layer}
    total = 0
    for index in range(len(rows) - 1):
        pairs = [(place[a], place[b]) for a, b in links if number[a] == index]
        total += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(pairs, 2))
    return total


def _middles(
    rows: list[list[str]], links: set[Arrow], sizes: Mapping[str, float]
) -> dict[str, float]:
    """Draw every place to the mean of its neighbours, as far as the sizes allow.

    A long arrow holds itself straight: its narrow places count more for one another than boxes do.
    """
    near = _neighbours(links | {(end, start) for start, end in links})
    boxes = max(sizes.values())
    near = {
        name: [n for n in names for _ in range(8 if max(sizes[name], sizes[n]) < boxes else 1)]
        for name, names in near.items()
    }
    middle: dict[str, float] = {}
    for layer in rows:
        middle |= dict(zip(layer, _apart([0.0] * len(layer), layer, sizes), strict=True))
    for _ in range(_PULLS):
        for layer in rows:
            wanted = [
                _mean([middle[n] for n in near.get(name, ())], middle[name]) for name in layer
            ]
            middle |= dict(zip(layer, _apart(wanted, layer, sizes), strict=True))
    return middle


def _apart(
    wanted: Sequence[float], layer: Sequence[str], sizes: Mapping[str, float]
) -> list[float]:
    """Places nearest to the wanted ones (least squares) that keep the order and the sizes.

    Without the sizes before them, places only have to rise: neighbours that fall are pooled to
    their mean.
    """
    offsets = [0.0]
    for one, other in pairwise(layer):
        offsets.append(offsets[-1] + (sizes[one] + sizes[other]) / 2)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        value, count = want - offset, 1
        while pools and pools[-1][0] > value:
            before, number = pools.pop()
            value = (value * count + before * number) / (count + number)
            count += number
        pools.append((value, count))
    risen = [value for value, count in pools for _ in range(count)]
    return [value + offset for value, offset in zip(risen, offsets, strict=True)]


def _neighbours(links: set[Arrow]) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {}
    for start, end in sorted(links):
        near.setdefault(end, []).append(start)
    return near


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
