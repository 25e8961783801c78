"""What a figure is made of, before it is SVG or PDF: paths, discs and words in points, y downwards.

A figure is drawn twice, each time with letters of the size they have on paper: as wide as a page, and as wide as a
column of two, which is also what a telephone shows. Colours have names, so that a page follows light and dark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hrbench.core.shown_text import shown

SERIES = tuple(f"series-{number}" for number in range(1, 7))
"""Names of the colours of families; the others are ink, soft, rule and paper."""
SHAPES = ("disc", "square", "diamond", "triangle")
"""Of points: families beyond the sixth have the colours again, with another shape."""

HALO = 2.0
"""Width of the line along letters that makes their rim."""

Position = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Path:
    """Lines through points.

    lines: each a sequence of positions, drawn apart.
    stroke, fill: names of colours, "" for none.
    dash: lengths of strokes and gaps, "3 2"; "" for a solid line.
    closed: whether each line goes back to its begin.
    """

    lines: tuple[tuple[Position, ...], ...]
    stroke: str = "ink"
    width: float = 0.7
    fill: str = ""
    opacity: float = 1.0
    dash: str = ""
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Disc:
    """A circle. fill, stroke: names of colours, "" for none."""

    at: Position
    radius: float
    fill: str = ""
    stroke: str = ""
    width: float = 0.7
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text.

    at: where it begins, ends or has its middle, on its base line.
    anchor: "start", "middle" or "end".
    upright: whether it runs from bottom to top.
    halo: whether a rim in the colour of the paper parts it from what lies under it.
    """

    at: Position
    text: str
    size: float
    anchor: str = "start"
    colour: str = "ink"
    opacity: float = 1.0
    upright: bool = False
    halo: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Marks with a tooltip, one line a fact."""

    marks: tuple[Path | Disc | Words, ...]
    tooltip: str


Mark = Path | Disc | Words | Told


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawing: its size in points, its title for those who cannot see it, and its marks from back to front."""

    width: float
    height: float
    title: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """How large a figure is drawn, in points.

    name: "wide" or "column".
    height: without the legend above it.
    font, small: sizes of its letters: of axes, and of labels beside points.
    """

    name: str
    width: float
    height: float
    font: float
    small: float


WIDE = Format("wide", 504.0, 262.0, 8.0, 7.0)
COLUMN = Format("column", 252.0, 190.0, 7.5, 6.5)


@dataclass(frozen=True, slots=True)
class Artwork:
    """One figure in both formats. name: of its files, without an ending."""

    name: str
    wide: Scene
    column: Scene


def artwork(name: str, draw: Callable[[Format], Scene]) -> Artwork:
    """Draws a figure in both formats."""
    return Artwork(name, draw(WIDE), draw(COLUMN))


def looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and shape for each name, in the order of their first occurrence."""
    unique = enumerate(dict.fromkeys(names))
    return {name: (SERIES[at % len(SERIES)], SHAPES[at // len(SERIES) % len(SHAPES)]) for at, name in unique}


def shaped(shape: str, at: Position, radius: float, **style: str | float) -> Path | Disc:
    """A point of a shape, all of them of about the same area.

    shape: of `SHAPES`.
    style: of `Disc`.
    """
    x, y = at
    if shape == "disc":
        return Disc(at, radius, **style)  # pyright: ignore[reportArgumentType]
    r = radius * {"square": 0.88, "diamond": 1.25, "triangle": 1.2}[shape]
    corners = {
        "square": ((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)),
        "diamond": ((x, y - r), (x + r, y), (x, y + r), (x - r, y)),
        "triangle": ((x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)),
    }[shape]
    return Path((corners,), closed=True, **{"stroke": "", **style})  # pyright: ignore[reportArgumentType]


def cross(at: Position, radius: float, **style: str | float) -> Path:
    """A cross through a position. style: of `Path`."""
    (x, y), r = at, radius
    lines = (((x - r, y - r), (x + r, y + r)), ((x - r, y + r), (x + r, y - r)))
    return Path(lines, **style)  # pyright: ignore[reportArgumentType]


def plain(text: str) -> str:
    """One line without characters that cannot be printed, which XML forbids."""
    return " ".join("".join(c if c.isprintable() else " " for c in shown(text)).split())
