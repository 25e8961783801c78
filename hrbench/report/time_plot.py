"""Every latency with its samples over one axis of time, as a figure; the page has the same beside numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hrbench.core import units
from hrbench.report.axes import MOST_ROWS, AxisScale, Key, foot, legend, padded, shortened
from hrbench.report.scene import Artwork, Format, Mark, Path, Scene, Told, Words, artwork, plain
from hrbench.report.strips import TimeStrip
from hrbench.report.typeface import width


def latency_figure(strips: Sequence[TimeStrip]) -> Artwork | None:
    """A row a latency, in the order of the table, the first `MOST_ROWS` of them; None for none."""
    rows = [strip for strip in strips if strip.latency and strip.seconds][:MOST_ROWS]
    if not rows:
        return None
    told = [strip.conditions.split(", ") for strip in rows]
    common = [one for one in told[0] if all(one in each for each in told)]
    labels = [
        ", ".join([strip.model, *(one for one in each if one and one not in common)])
        for strip, each in zip(rows, told, strict=True)
    ]
    label = ", ".join(["Latency (ms)", *filter(None, common)])
    return artwork("latencies", lambda form: _scene(form, rows, labels, label))


def _scene(form: Format, rows: Sequence[TimeStrip], labels: Sequence[str], label: str) -> Scene:
    font, step = form.font, 1.7 * form.font
    keys = [Key("pass", "series-1", line=True, opacity=0.5), Key("median", "series-2", line=True)]
    if any(row.p90_seconds is not None for row in rows):
        keys.append(Key("p90 at most", "ink", line=True))
    above, top = legend(form, keys)
    bottom = top + 0.4 * font + step * len(rows)
    left = min(0.4 * form.width, max(width(plain(one), font) for one in labels)) + 8
    right = form.width - max(width(row.median, font) for row in rows) - 8
    ends = [ms for row in rows for ms in (*row.seconds, row.p90_seconds) if ms is not None]
    axis = padded(label, [units.shown(one, "seconds") for one in ends], 0.04, 0.04)
    below = foot(form, axis, (left, top, right, bottom))
    marks = [*above, *below.marks]
    for place, (row, name) in enumerate(zip(rows, labels, strict=True)):
        marks += _row(form, row, name, below.x, top + 0.2 * font + step * (place + 0.5), left - 8)
    title = f"Samples of {units.amount(len(rows), 'latency', 'latencies')}"
    return Scene(form.width, below.height, title, tuple(marks))


def _row(form: Format, row: TimeStrip, name: str, x: AxisScale, middle: float, names: float) -> Iterator[Mark]:
    font = form.font

    def upright(seconds: float, half: float) -> tuple[tuple[float, float], tuple[float, float]]:
        at = x(units.shown(seconds, "seconds"))
        return (at, middle - half), (at, middle + half)

    marks = [Path(tuple(upright(each, 0.36 * font) for each in row.seconds), "series-1", 0.5, opacity=0.5)]
    if row.p90_seconds is not None:
        marks.append(Path((upright(row.p90_seconds, 0.5 * font),), "ink", 0.7))
    if row.p50_seconds is not None:
        marks.append(Path((upright(row.p50_seconds, 0.62 * font),), "series-2", 1.2))
    facts = [row.model, f"{row.median} ms", f"{row.samples} samples", row.conditions, row.stability]
    yield Told(tuple(marks), "\n".join(filter(None, facts)))
    base = middle + 0.36 * font
    yield Words((0, base), shortened(plain(name), font, names), font)
    yield Words((form.width, base), row.median, font, "end", colour="soft" if row.unstable else "ink")
