"""Speed against arithmetic intensity under the two roofs of a device: a plot, and the table behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hrbench.core import units
from hrbench.report.axes import Area, Axis, Key, chart
from hrbench.report.plot_groups import plot_groups
from hrbench.report.plot_labels import Point, label_points
from hrbench.report.rows import family, title_of
from hrbench.report.scene import Artwork, Mark, Path, Told, artwork, cross, looks, shaped
from hrbench.report.table_cells import unstable_text
from hrbench.types import Measurement, Result


@dataclass(frozen=True, slots=True)
class RooflineRow:
    """One network, as a table writes it."""

    model: str
    batch: str
    flops: str
    moved: str
    intensity: str
    attainable: str
    speed: str
    reached: str
    unstable: bool


@dataclass(frozen=True, slots=True)
class RooflinePlot:
    """The networks under one roof.

    conditions: what they have in common, in words.
    roofs: the two ceilings, in words.
    """

    conditions: str
    roofs: str
    drawing: Artwork
    rows: tuple[RooflineRow, ...]


@dataclass(frozen=True, slots=True)
class _Network:
    """One point: label, family and what its cost says."""

    label: str
    family: str
    cost: Measurement

    @property
    def known(self) -> Mapping[str, Any]:
        return self.cost.conditions.roofline

    @property
    def intensity(self) -> float:
        return self.known["flops"] / self.known["bytes"]

    @property
    def speed(self) -> float:
        return self.known["flops"] / self.known["p50"]


def roofline_plots(results: Sequence[Result]) -> list[RooflinePlot]:
    """A plot for all rooflines of one device, dtype and number of threads; names tell runtimes apart."""
    groups = plot_groups(results, _is_shown, ("device", "dtype", "threads"), ("runtime",))
    plots = []
    for number, group in enumerate(groups, 1):
        owners = Counter(name for _, name, _ in group.members)
        networks = [
            _Network(
                f"{name}, batch {cost.conditions.batch}" if owners[name] > 1 else name, family(title_of(result)), cost
            )
            for result, name, cost in group.members
        ]
        drawing = speed_against_intensity(networks, f"roofline-{number}")
        plots.append(RooflinePlot(group.conditions, _roofs(networks), drawing, tuple(map(_row, networks))))
    return plots


def _is_shown(cost: Measurement) -> bool:
    return cost.quantity.name == "reached" and cost.value is not None


def speed_against_intensity(networks: Sequence[_Network], name: str) -> Artwork:
    """A point a network, both axes logarithmic, below the roofs of the device.

    networks: measured under the same conditions; the highest of their ceilings are drawn.
    name: of its files.
    """
    look = looks([one.family for one in networks])
    peak, bandwidth = _highest(networks, "peak"), _highest(networks, "bandwidth")
    ridge = peak / bandwidth
    xs, ys = [one.intensity for one in networks], [one.speed / 1e9 for one in networks]
    low, high = min([*xs, ridge]) / 2, max([*xs, ridge]) * 3
    bottom = min([*ys, bandwidth * low / 1e9]) / 1.5
    x = Axis("Arithmetic intensity (FLOP/byte)", low, high, True)
    y = Axis("Speed (GFLOP/s)", bottom, max([*ys, peak / 1e9]) * 1.6, True)
    roof = ((low, bandwidth * low / 1e9), (ridge, peak / 1e9), (high, peak / 1e9))

    def draw(area: Area) -> Iterator[Mark]:
        yield Told((Path((tuple(area(*one) for one in roof),), "ink", 1.0),), _roofs(networks))
        for one in networks:
            yield _point(area, one, *look[one.family])
        yield from label_points(area, [Point(one.label, "", "", one.intensity, one.speed / 1e9) for one in networks])

    title = f"Speed against arithmetic intensity under the roofs of the device for {_amount(networks)}"
    return artwork(name, lambda form: chart(form, title, x, y, _keys(networks, look), draw))


def _point(area: Area, one: _Network, colour: str, shape: str) -> Told:
    at, disturbed = area(one.intensity, one.speed / 1e9), unstable_text(one.cost)
    if disturbed:
        mark = cross(at, 2.5, stroke="ink", width=0.9, opacity=0.45)
    else:
        mark = shaped(shape, at, 2.6, fill=colour, stroke="paper", width=0.4)
    facts = [one.label, f"{units.with_unit(one.intensity, 'intensity')}", units.with_unit(one.speed, "speed")]
    facts += [f"{units.percent(one.cost.value or 0.0)} of what is attainable", disturbed]
    return Told((mark,), "\n".join(filter(None, facts)))


def _amount(networks: Sequence[_Network]) -> str:
    return units.amount(len(networks), "network")


def _highest(networks: Sequence[_Network], name: str) -> float:
    return max(one.known[name] for one in networks)


def _roofs(networks: Sequence[_Network]) -> str:
    best = max(networks, key=lambda one: one.known["peak"]).known
    copied = max(networks, key=lambda one: one.known["bandwidth"]).known
    tf32 = ", in TF32" if best.get("tf32") else ""
    return (
        f"{units.with_unit(best['peak'], 'speed')} in products of matrices of {best['matrix']:,} rows{tf32}, "
        f"{copied['bandwidth'] / 1e9:.3g} GB/s in copies of {units.with_unit(copied['copied'], 'bytes')}"
    )


def _keys(networks: Sequence[_Network], look: Mapping[str, tuple[str, str]]) -> list[Key]:
    stable = {one.family for one in networks if not unstable_text(one.cost)}
    keys = [Key("roofs: copy, product", line=True)]
    keys += [Key(name, colour, shape) for name, (colour, shape) in look.items() if name in stable]
    if any(unstable_text(one.cost) for one in networks):
        keys.append(Key("unstable", crossed=True, opacity=0.45))
    return keys


def _row(one: _Network) -> RooflineRow:
    known = one.known
    allowed = min(known["peak"], known["bandwidth"] * one.intensity)
    return RooflineRow(
        one.label.partition(", batch ")[0],
        str(one.cost.conditions.batch),
        units.significant(known["flops"] / 1e9),
        units.show(known["bytes"], "bytes"),
        units.show(one.intensity, "intensity"),
        units.show(allowed, "speed"),
        units.show(one.speed, "speed"),
        units.percent(one.cost.value or 0.0),
        bool(unstable_text(one.cost)),
    )
