"""Drawings as inline SVG: text stays text, colours follow the page, marks have tooltips.

Matplotlib draws in placeholder colours, which are replaced by CSS variables, so that one drawing serves light and dark
mode. The same data give the same bytes: identifiers come from a fixed salt and no date is written.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from hrbench.core.shown_text import shown

INK, RULE, PAPER = "#010203", "#010204", "#010205"
SERIES = tuple(f"#0a0b0{index}" for index in range(1, 7))
_CSS = {INK: "currentColor", RULE: "var(--rule)", PAPER: "var(--paper)"} | {
    colour: f"var(--series-{index})" for index, colour in enumerate(SERIES, 1)
}
_WIDTH, _HEIGHT, _DPI = 7.4, 4.1, 72
FONT = 10.0
_KEYS_PER_LINE = 4  # of the legend, in a line


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, in the order of their first occurrence."""
    return {name: SERIES[index % len(SERIES)] for index, name in enumerate(dict.fromkeys(names))}


def drawn(name: str, title: str, keys: Callable[[], Sequence[Any]], draw: Callable[[Any], Mapping[str, str]]) -> str:
    """An inline `<svg>`.

    name: prefix of the identifiers, unique in a page.
    title: for those who cannot see it.
    keys: makes the artists of the legend.
    draw: draws on Matplotlib's axes; returns identifier of a group -> its tooltip, one line for each fact.
    """
    import matplotlib  # imported here: a report without a plot, and `hrbench --help`, do without it
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "font.size": FONT,
        "font.family": "sans-serif",
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The page sets the text in its own fonts: glyphs missing in Matplotlib's do not matter.
        warnings.filterwarnings("ignore", message="Glyph")
        shown = list(keys())
        lines = math.ceil(len(shown) / _KEYS_PER_LINE)  # of the legend, which stands above the axes, with room for one
        height = _HEIGHT + (lines - 1) * 1.7 * FONT / 72
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="none")
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.085, 0.125 * _HEIGHT / height, 0.905, 0.8 * _HEIGHT / height), facecolor="none")
        tooltips = draw(axes)
        _legend(axes, shown)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue(), name, tooltips, title)


def frame(axes: Any, x_label: str, y_label: str) -> None:
    """Grid, two spines and the labels of the axes, which are plain text."""
    from matplotlib.ticker import FuncFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(True, color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_linewidth(0.8)
    axes.tick_params(colors=INK, length=3, width=0.8)
    axes.set_xlabel(plain(x_label), color=INK, parse_math=False)
    axes.set_ylabel(plain(y_label), color=INK, parse_math=False)


def logarithmic(axes: Any, which: str, low: float, high: float) -> None:
    """Makes an axis ("x" or "y") logarithmic between two positive ends, with round numbers on it."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    getattr(axes, f"set_{which}scale")("log")
    getattr(axes, f"set_{which}lim")(low, high)
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(FixedLocator(ticks(low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, at most nine if possible."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    halves = tuple(1 + index / 2 for index in range(18))
    for steps in (
        halves,
        (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
        (1, 1.5, 2, 3, 4, 5, 6, 8),
        (1, 2, 3, 5, 7),
        (1, 2, 5),
        (1,),
    ):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= 9:
            break
    return ticks


def line(axes: Any, xs: Sequence[float], ys: Sequence[float], **style: Any) -> None:
    """As `axes.plot`, in a third of the time: colours are given, and the limits of the axes are set."""
    from matplotlib.lines import Line2D

    axes.add_artist(Line2D(xs, ys, **{"linestyle": "-" if len(xs) > 1 else "none", **style}))


def plain(text: str) -> str:
    """One line without what XML forbids; a leading underscore, which hides a legend entry, is led by a space."""
    text = " ".join("".join(c if c.isprintable() else " " for c in shown(text)).split())
    return f"\u200a{text}" if text.startswith("_") else text


def _legend(axes: Any, keys: list[Any]) -> None:
    legend = axes.legend(
        handles=keys, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=_KEYS_PER_LINE, frameon=False,
        labelcolor=INK, fontsize=FONT - 1, borderaxespad=0.2, columnspacing=1.4, handletextpad=0.4,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _tooltip(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))


def _attributes(style: re.Match[str]) -> str:
    """The declarations of a style attribute as attributes, without fonts, which are the page's."""
    declared = (one.partition(":") for one in style[1].split(";") if one.strip())
    named = ((name.strip(), value.strip()) for name, _, value in declared)
    return "".join(f' {name}="{value}"' for name, value in named if name != "font-family")


def _inline(svg: str, name: str, tooltips: Mapping[str, str], title: str) -> str:
    """The `<svg>` element only: scalable, with a label, unique identifiers, and CSS variables for colours.

    Its styles are attributes of their own: the page's Content-Security-Policy lets no `style` attribute or element in.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r' style="([^"]*)"', _attributes, svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*pt"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*pt"', r"\1", svg)
    label = f'role="img" aria-label="{escape(plain(title))}"'
    svg = svg.replace("<svg ", f'<svg {label} stroke-linejoin="round" stroke-linecap="butt" ', 1)

    def titled(group: re.Match[str]) -> str:
        text = tooltips.get(group[1])
        return group[0] if text is None else f'<g id="{group[1]}" class="point"><title>{escape(_tooltip(text))}</title>'

    svg = re.sub(r'<g id="([^"]*)">', titled, svg)
    prefix = re.escape(name)
    svg = re.sub(rf'\bid="(?!{prefix}-)', f'id="{name}-', svg)
    svg = re.sub(rf'(href="#|url\(#)(?!{prefix}-)', rf"\g<1>{name}-", svg)
    for colour, css in _CSS.items():
        svg = svg.replace(colour, css)
    return svg
