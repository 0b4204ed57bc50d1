"""Pieces of SVG as text: the same input gives the same bytes on every machine."""

from collections.abc import Sequence
from html import escape
from textwrap import wrap

INK, SOFT, LINE, PAPER, BAND = "#1f2933", "#52606d", "#7b8794", "#ffffff", "#f3f5f7"
_FONT = "font-family: 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_MARKER = (
    '<marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    f' orient="auto"><path d="M0 0.5L8 4L0 7.5z" fill="{LINE}"/></marker>'
)

Point = tuple[float, float]


def page(width: float, height: float, title: str, pieces: Sequence[str]) -> str:
    """A drawing on white paper, legible on a dark page as well."""
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" style="{_FONT}">',
            f"<title>{escape(title)}</title>",
            f"<defs>{_MARKER}</defs>",
            rectangle((0, 0), (width, height), PAPER),
            *pieces,
            "</svg>\n",
        ]
    )


def rectangle(corner: Point, size: Point, fill: str, line: str = "none", radius: float = 0) -> str:
    """A box, by its upper left corner."""
    (x, y), (width, height) = corner, size
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f' rx="{radius:g}" fill="{fill}" stroke="{line}"/>'
    )


def text(
    place: Point,
    words: str,
    size: float,
    fill: str = INK,
    weight: int = 400,
    anchor: str = "middle",
) -> str:
    """One line; `place` is on its base line."""
    x, y = place
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}"'
        f' fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def lines(
    place: Point, words: str, size: float, columns: int, most: int, fill: str = SOFT
) -> list[str]:
    """Words in several lines, centred under one another; what is over `most` is left out."""
    x, y = place
    rows = wrap(words, columns, max_lines=most, placeholder=" …")
    return [text((x, y + 1.25 * size * n), row, size, fill) for n, row in enumerate(rows)]


def path(steps: str, dashed: bool = False) -> str:
    """A line with an arrow's head at its end."""
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<path d="{steps}" fill="none" stroke="{LINE}" stroke-width="1.2"{dashes}'
        ' marker-end="url(#end)"/>'
    )


def line(start: Point, end: Point) -> str:
    """A straight line."""
    (x, y), (other_x, other_y) = start, end
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{other_x:.1f}" y2="{other_y:.1f}"'
        f' stroke="{LINE}" stroke-width="1.2"/>'
    )


def dot(place: Point, radius: float, fill: str, ring: str) -> str:
    """A circle."""
    x, y = place
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" stroke="{ring}"'
        ' stroke-width="2.2"/>'
    )
