"""Plots of accuracy against cost as inline SVG: text stays text, colours follow the page, points have tooltips.

Matplotlib draws in placeholder colours, which are replaced by CSS variables, so that one plot serves light and dark
mode. The same points give the same bytes: identifiers come from a fixed salt and no date is written.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

INK, RULE, PAPER = "#010203", "#010204", "#010205"
SERIES = tuple(f"#0a0b0{index}" for index in range(1, 7))
_CSS = {INK: "currentColor", RULE: "var(--rule)", PAPER: "var(--paper)"} | {
    colour: f"var(--series-{index})" for index, colour in enumerate(SERIES, 1)
}
_WIDTH, _HEIGHT, _DPI = 7.4, 4.1, 72
_FONT = 10.0
_KEYS_PER_LINE = 4  # of the legend, in a line
_LABEL_LENGTH = 44  # characters of a label beside a point, less than half the width; the tooltip has them all
MOST_LABELS = 60  # beside points: more cannot be read, and tooltips have all
_LOG_SPAN = 2.5  # costs that span more than this factor lie on a logarithmic axis


@dataclass(frozen=True, slots=True)
class Point:
    """One network in a plot, in the units of the axes.

    label: shown beside the point.
    family: points that share it have one colour.
    line: points that share it are connected.
    x, y: cost, and measured accuracy if there is one.
    low, high: ends of the 95 % interval.
    published: published accuracy.
    tooltip: one line for each fact.
    unstable: whether the machine disturbed the measurement of its cost; it is then a grey cross, and no line joins it.
    """

    label: str
    family: str
    line: str
    x: float
    y: float | None
    low: float | None = None
    high: float | None = None
    published: float | None = None
    tooltip: str = ""
    unstable: bool = False


def accuracy_against_cost(points: Sequence[Point], name: str, x_label: str, y_label: str) -> str:
    """An inline `<svg>`: measured points filled with their interval, published ones hollow, families in colours.

    points: at least one.
    name: prefix of the identifiers, unique in a page.
    x_label, y_label: of the axes.
    """
    import matplotlib  # imported here: a report without a plot, and `hrbench --help`, do without it
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    families = list(dict.fromkeys(point.family for point in points))
    colours = {family: SERIES[index % len(SERIES)] for index, family in enumerate(families)}
    settings: dict[Any, Any] = {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "font.size": _FONT,
        "font.family": "sans-serif",
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The page sets the text in its own fonts: glyphs missing in Matplotlib's do not matter.
        warnings.filterwarnings("ignore", message="Glyph")
        keys = _keys(points, colours)
        lines = math.ceil(
            len(keys) / _KEYS_PER_LINE
        )  # of the legend, which stands above the axes; there is room for one
        height = _HEIGHT + (lines - 1) * 1.7 * _FONT / 72
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="none")
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.085, 0.125 * _HEIGHT / height, 0.905, 0.8 * _HEIGHT / height), facecolor="none")
        _frame(axes, points, x_label, y_label)
        tooltips = _marks(axes, points, colours, name)
        _names(axes, points)
        _legend(axes, keys)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(
        out.getvalue(), name, tooltips, f"{_plain(y_label)} against {_plain(x_label)} for {len(points)} networks"
    )


def _frame(axes: Any, points: Sequence[Point], x_label: str, y_label: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    xs = [point.x for point in points]
    low, high = min(xs), max(xs)
    if high > _LOG_SPAN * low:
        pad = (high / low) ** 0.1
        axes.set_xscale("log")
        axes.set_xlim(low / pad, high * pad * 1.1)
        axes.xaxis.set_major_locator(FixedLocator(_ticks(low / pad, high * pad * 1.1)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        pad = max(high - low, 0.2 * high)
        axes.set_xlim(low - 0.25 * pad, high + 0.5 * pad)  # room for labels, most of which stand on the right
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ys = [y for point in points for y in (point.y, point.low, point.high, point.published) if y is not None]
    margin = max(0.08 * (max(ys) - min(ys)), 0.5)
    axes.set_ylim(min(ys) - margin, max(ys) + margin)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.grid(True, color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_linewidth(0.8)
    axes.tick_params(colors=INK, length=3, width=0.8)
    axes.set_xlabel(_plain(x_label), color=INK, parse_math=False)
    axes.set_ylabel(_plain(y_label), color=INK, parse_math=False)


def _ticks(low: float, high: float) -> list[float]:
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


def _marks(axes: Any, points: Sequence[Point], colours: dict[str, str], name: str) -> dict[str, str]:
    """Draws lines, intervals and points; group identifier -> tooltip."""
    tooltips = {}
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for point in points:
        if point.y is not None and not point.unstable:
            lines.setdefault(point.line, []).append((point.x, point.y, point.family))
    for joined in lines.values():
        if len(joined) > 1:
            xs, ys, families = zip(*sorted(joined), strict=True)
            axes.plot(xs, ys, color=colours[families[0]], linewidth=1.0, alpha=0.45, zorder=2)
    for index, point in enumerate(points):
        colour = colours[point.family]
        if point.published is not None:
            gid = f"{name}-published-{index}"
            _line(
                axes, [point.x], [point.published], marker="o", ms=7, mfc=PAPER, mec=colour, mew=1.3, zorder=3, gid=gid
            )
            tooltips[gid] = f"{point.label}, published: {point.published:g}"
        if point.y is None:
            continue
        if point.unstable:
            gid = f"{name}-unstable-{index}"
            _line(axes, [point.x], [point.y], marker="x", ms=6, mec=INK, mew=1.2, alpha=0.45, zorder=4, gid=gid)
            tooltips[gid] = point.tooltip or point.label
            continue
        if point.low is not None and point.high is not None:
            _line(axes, [point.x] * 2, [point.low, point.high], color=colour, linewidth=1.4, zorder=4, alpha=0.8)
        gid = f"{name}-measured-{index}"
        _line(axes, [point.x], [point.y], marker="o", ms=5.5, mfc=colour, mec=PAPER, mew=0.7, zorder=5, gid=gid)
        tooltips[gid] = point.tooltip or point.label
    return tooltips


def _line(axes: Any, xs: Sequence[float], ys: Sequence[float], **style: Any) -> None:
    """As `axes.plot`, in a third of the time: colours are given, and the limits of the axes are set."""
    from matplotlib.lines import Line2D

    axes.add_artist(Line2D(xs, ys, **{"linestyle": "-" if len(xs) > 1 else "none", **style}))


def _names(axes: Any, points: Sequence[Point]) -> None:
    """A label beside each point, at the offset with the least overlap with labels and points.

    Of more than `MOST_LABELS` points only those have one that no other point beats in both accuracy and cost.
    """
    places = []
    for point in points:
        heights = [y for y in (point.y, point.published) if y is not None]
        places += [axes.transData.transform((point.x, y)) for y in heights]
    boxes = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    for point in points:
        if point.low is not None and point.high is not None:
            (x, low), (_, high) = axes.transData.transform([(point.x, point.low), (point.x, point.high)])
            boxes.append((x - 1.5, low, x + 1.5, high))
    area = axes.get_window_extent().extents
    size = _FONT - 1.5
    for point in points if len(points) <= MOST_LABELS else _best(points)[:MOST_LABELS]:
        y = point.y if point.y is not None else point.published
        if y is None:
            continue
        x0, y0 = axes.transData.transform((point.x, y))
        label = _shortened(_plain(point.label))
        width, height = 0.53 * size * len(label), size
        offsets = [(7, 0), (-7, 0), (7, 9), (7, -9), (-7, 9), (-7, -9), (0, 13), (0, -13), (7, 18), (7, -18)]
        scored = []
        for order, (dx, dy) in enumerate(offsets):
            left = x0 + dx - (width if dx < 0 else width / 2 if dx == 0 else 0)
            box = (left, y0 + dy - height / 2, left + width, y0 + dy + height / 2)
            outside = box[0] < area[0] or box[2] > area[2] + 4 or box[1] < area[1] or box[3] > area[3]
            scored.append((sum(_overlap(box, other) for other in boxes) + 1e4 * outside, order, box, dx, dy))
        _, _, box, dx, dy = min(scored)
        boxes.append(box)
        side = "right" if dx < 0 else "center" if dx == 0 else "left"
        axes.annotate(
            label, (point.x, y), (dx, dy), textcoords="offset points", ha=side, va="center_baseline",
            fontsize=size, color=INK, zorder=6, parse_math=False,
        )  # fmt: skip


def _best(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both accuracy and cost, cheapest first."""
    found: list[Point] = []
    highest = -math.inf
    for point in sorted(points, key=lambda point: (point.x, -(point.y if point.y is not None else -math.inf))):
        if point.y is not None and point.y > highest:
            highest = point.y
            found.append(point)
    return found


def _shortened(label: str) -> str:
    """A label that fits beside its point: its beginning and its end, in which networks differ."""
    return (
        label
        if len(label) <= _LABEL_LENGTH
        else f"{label[: _LABEL_LENGTH // 3]}…{label[1 - _LABEL_LENGTH + _LABEL_LENGTH // 3 :]}"
    )


def _plain(text: str) -> str:
    """One line without what XML forbids; a leading underscore, which hides a legend entry, is led by a space."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"\u200a{text}" if text.startswith("_") else text


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _keys(points: Sequence[Point], colours: dict[str, str]) -> list[Any]:
    """What the legend explains: families by their colours, and kinds of points."""
    from matplotlib.lines import Line2D

    keys = [
        Line2D([], [], marker="o", ls="", ms=5.5, color=colour, label=_plain(name) or "–")
        for name, colour in colours.items()
    ]
    if any(point.y is not None for point in points):
        keys.append(Line2D([], [], marker="o", ls="-", ms=5, color=INK, label="measured, 95 % interval"))
    if any(point.unstable for point in points):
        keys.append(Line2D([], [], marker="x", ls="", ms=6, mec=INK, alpha=0.45, label="cost unstable"))
    if any(point.published is not None for point in points):
        keys.append(Line2D([], [], marker="o", ls="", ms=6.5, mfc=PAPER, mec=INK, label="published"))
    return keys


def _legend(axes: Any, keys: list[Any]) -> None:
    legend = axes.legend(
        handles=keys, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=_KEYS_PER_LINE, frameon=False,
        labelcolor=INK, fontsize=_FONT - 1, borderaxespad=0.2, columnspacing=1.4, handletextpad=0.4,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _tooltip(text: str) -> str:
    return "\n".join(map(_plain, text.split("\n")))


def _inline(svg: str, name: str, tooltips: dict[str, str], title: str) -> str:
    """The `<svg>` element only: scalable, with a label, unique identifiers, and CSS variables for colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*pt"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*pt"', r"\1", svg)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)

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
