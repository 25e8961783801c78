"""All figures of a report that can be taken out of it, and the files that they become."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hrbench.core.files import whole_folder
from hrbench.report import scene_pdf, scene_svg
from hrbench.report.cost_plots import Plot, plots
from hrbench.report.grid import Table
from hrbench.report.roofline_plot import RooflinePlot, roofline_plots
from hrbench.report.scene import Artwork
from hrbench.report.strips import TimeStrip, strips
from hrbench.report.throughput_plot import ThroughputPlot, throughput_plots
from hrbench.report.time_plot import latency_figure
from hrbench.types import Result

FOLDER = "figures"
LIST = "figures.json"
"""In the folder: which files are ours; others are left there."""


@dataclass(frozen=True, slots=True)
class FigureSet:
    """The figures of a page. strips: the times of its tables. latencies: None if there are none."""

    plots: Sequence[Plot]
    throughputs: Sequence[ThroughputPlot]
    rooflines: Sequence[RooflinePlot]
    strips: Sequence[TimeStrip]
    latencies: Artwork | None

    def artworks(self) -> Iterator[Artwork]:
        """Each figure, in the order of the page."""
        yield from (drawing for plot in self.plots for _, drawing in plot.drawings)
        yield from (self.latencies,) if self.latencies is not None else ()
        yield from (plot.drawing for plot in (*self.throughputs, *self.rooflines))


def figure_set(results: Sequence[Result], tables: Sequence[Table]) -> FigureSet:
    """Draws all figures. tables: of these results."""
    times = strips(results)
    return FigureSet(
        plots(results, tables),
        throughput_plots(results),
        roofline_plots(results),
        times,
        latency_figure(times),
    )


def file_stem(name: str) -> str:
    """The name of a figure's files, of letters that every disk and LaTeX take.

    >>> file_stem("coco val/2017_pose-macs")
    'coco-val-2017-pose-macs'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "figure"


def files_of(artwork: Artwork) -> dict[str, bytes]:
    """Name -> content: as wide as a page, and as a column, each as SVG and PDF."""
    stem = file_stem(artwork.name)
    found = {}
    for ending, scene in (("", artwork.wide), ("-column", artwork.column)):
        found[f"{stem}{ending}.svg"] = scene_svg.file(scene)
        found[f"{stem}{ending}.pdf"] = scene_pdf.file(scene)
    return found


def write_figures(figures: FigureSet, folder: Path, remedy: str) -> list[Path]:
    """Writes `folder`/figures, the whole folder or nothing of it, and takes away what a former report wrote there.

    remedy: what an error advises.

    A file that a former report did not write stays. Returns the files; none are written for a report without a figure.
    Raises UsageError for a folder that cannot be written.
    """
    files: dict[str, bytes] = {}
    for artwork in figures.artworks():
        files |= files_of(artwork)
    place = folder / FOLDER
    strangers = _strangers(place)
    if not files and not strangers:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        return []
    with whole_folder(place, remedy=remedy) as part:
        for path in strangers:
            if path.name not in files:
                _copy(path, part / path.name)
        for name, content in files.items():
            (part / name).write_bytes(content)
        (part / LIST).write_text(json.dumps(sorted(files), indent=1) + "\n", encoding="utf-8")
    return [place / name for name in (*sorted(files), LIST)]


def _strangers(place: Path) -> list[Path]:
    """What lies in the folder and no report wrote."""
    if not place.is_dir():
        return []
    try:
        listed = json.loads((place / LIST).read_bytes())
        ours: Mapping[str, None] = dict.fromkeys([*map(str, listed), LIST])
    except (OSError, ValueError, TypeError):
        ours = {}
    return [path for path in sorted(place.iterdir()) if path.name not in ours]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)
