"""A scene as SVG: within a page, in its colours and fonts, and as a file of its own.

There are no `style` attributes, scripts or identifiers, so that the strictest policy of a page lets all through and no
two drawings of a page can meet. The same scene gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from hrbench.report.scene import HALO, Artwork, Disc, Mark, Path, Scene, Told, Words, plain

_IN_PAGE = {"ink": "currentColor"}
"""Other names of colours are variables of the style sheet."""
ON_PAPER = {
    "ink": "#1d1c1a", "soft": "#67645d", "rule": "#dddddd", "paper": "#ffffff", "series-1": "#24638f",
    "series-2": "#c2572f", "series-3": "#4f8a6e", "series-4": "#85569c", "series-5": "#a87a17", "series-6": "#5f6b78",
}  # fmt: skip
"""Of files, which are for papers."""
_FONTS = "DejaVu Sans, Verdana, Geneva, sans-serif"


def inline(artwork: Artwork) -> str:
    """Both formats as `<svg>` elements, of which a page shows one by its width."""
    return "".join(
        _element(scene, f'class="{kind}" role="img" aria-label="{escape(scene.title)}"', {})
        for kind, scene in (("wide", artwork.wide), ("column", artwork.column))
    )


def file(scene: Scene) -> bytes:
    """A file for papers and slides: on white, its size in points, text as text."""
    size = f'xmlns="http://www.w3.org/2000/svg" width="{_n(scene.width)}pt" height="{_n(scene.height)}pt"'
    more = f'{size} font-family="{_FONTS}"'
    svg = _element(scene, more, ON_PAPER)
    start = svg.index(">") + 1
    title = f"<title>{escape(scene.title)}</title>"
    paper = f'<path fill="{ON_PAPER["paper"]}" d="M0 0H{_n(scene.width)}V{_n(scene.height)}H0Z"/>'
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}{svg[:start]}{title}{paper}{svg[start:]}\n".encode()


def _element(scene: Scene, attributes: str, colours: Mapping[str, str]) -> str:
    marks = "".join(_mark(mark, colours) for mark in scene.marks)
    size = f"0 0 {_n(scene.width)} {_n(scene.height)}"
    return f'<svg {attributes} viewBox="{size}" fill="none" stroke-linejoin="round">{marks}</svg>'


def _mark(mark: Mark, colours: Mapping[str, str]) -> str:
    if isinstance(mark, Told):
        told = escape("\n".join(map(plain, mark.tooltip.split("\n"))), quote=False)
        return f'<g class="point"><title>{told}</title>{"".join(_mark(one, colours) for one in mark.marks)}</g>'
    if isinstance(mark, Words):
        return _words(mark, colours)
    paint = _paint("fill", mark.fill, colours) + _paint("stroke", mark.stroke, colours)
    paint += f' stroke-width="{_n(mark.width)}"' if mark.stroke else ""
    paint += f' opacity="{_n(mark.opacity)}"' if mark.opacity < 1 else ""
    if isinstance(mark, Disc):
        return f'<circle cx="{_n(mark.at[0])}" cy="{_n(mark.at[1])}" r="{_n(mark.radius)}"{paint}/>'
    dash = f' stroke-dasharray="{mark.dash}"' if mark.dash else ""
    return f'<path d="{_steps(mark)}"{paint}{dash}/>'


def _steps(path: Path) -> str:
    lines = ("M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in line) for line in path.lines)
    return "".join(f"{line}Z" if path.closed else line for line in lines)


def _words(words: Words, colours: Mapping[str, str]) -> str:
    x, y = map(_n, words.at)
    more = "" if words.anchor == "start" else f' text-anchor="{words.anchor}"'
    more += f' opacity="{_n(words.opacity)}"' if words.opacity < 1 else ""
    more += f' transform="rotate(-90 {x} {y})"' if words.upright else ""
    if words.halo:
        more += f'{_paint("stroke", "paper", colours)} stroke-width="{HALO}" paint-order="stroke"'
    text, fill = escape(plain(words.text), quote=False), _paint("fill", words.colour, colours)
    return f'<text x="{x}" y="{y}" font-size="{_n(words.size)}"{fill}{more}>{text}</text>'


def _paint(what: str, colour: str, colours: Mapping[str, str]) -> str:
    return f' {what}="{colours.get(colour) or _IN_PAGE.get(colour) or f"var(--{colour})"}"' if colour else ""


def _n(number: float) -> str:
    """A hundredth of a point is enough.

    >>> _n(12.0), _n(0.456), _n(-0.001)
    ('12', '0.46', '0')
    """
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
