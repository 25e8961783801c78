"""The images that changed most between two results, with pictures of what is annotated, predicted before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hrbench.judge.baseline import GALLERY
from hrbench.judge.most_changed import MostChanged, ScoreChange, most_changed
from hrbench.judge.rows import Comparison
from hrbench.judge.sides import Side
from hrbench.report.figures import data_uri
from hrbench.types import Result

RENDERED = 24
"""Images that are rendered for a page: of many entries fewer each, and of further ones none, so that it stays small."""

KINDS = ("ground truth", "before", "after")
"""Pictures of an image, as they stand side by side."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of some images.

    of: image id as text -> kind -> data URI.
    reason: why images were not rendered, "" if they were.
    """

    of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    reason: str = ""


Draw = Callable[[Result, Result, Sequence[int | str]], Pictures]
"""Renders images of two results, before and after."""


@dataclass(frozen=True, slots=True)
class ChangedImage:
    """An image with its scores before and after, and its pictures: (kind, data URI), in the order of KINDS."""

    change: ScoreChange
    pictures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ChangedEntry:
    """An entry whose numbers were resampled or counted by image.

    metric: its first.
    first, second: its results.
    most: images and classes that changed most by the metric.
    """

    entry: str
    metric: str
    first: Result
    second: Result
    most: MostChanged


@dataclass(frozen=True, slots=True)
class ImagesOfEntry:
    """The images of an entry that changed most. reason: why not all have pictures, or ""."""

    entry: str
    metric: str
    images: tuple[ChangedImage, ...]
    reason: str


def changed_entries(comparison: Comparison, sides: tuple[Side, Side]) -> Iterator[ChangedEntry]:
    """Reads the states of each such entry."""
    by_image = [row.evidence for row in comparison.rows if row.evidence.means in ("bootstrap", "score test")]
    for entry, former in sorted({(evidence.entry, evidence.former) for evidence in by_image}):
        first, second = sides[0].results.get(former), sides[1].results.get(entry)
        if first is not None and second is not None and second.scores:
            metric = second.scores[0].metric
            yield ChangedEntry(entry, metric, first, second, most_changed(first, second, metric))


def changed_images(entries: Sequence[ChangedEntry], draw: Draw) -> list[ImagesOfEntry]:
    """Of each entry the images that changed most, with pictures."""
    found = [one for one in entries if one.most.images]
    each = max(1, RENDERED // max(1, len(found)))
    return [_with_pictures(one, draw, each if place < RENDERED else 0) for place, one in enumerate(found)]


def stored_pictures(first: Result, second: Result, images: Sequence[int | str]) -> Pictures:
    """The pictures of either side that were rendered when it was run."""
    found: dict[str, dict[str, str]] = {str(image): {} for image in images}
    for kind, result in (("before", first), ("after", second)):
        for drawing in result.drawings:
            folder, key = Path(result.folder), str(drawing.sample)
            if key in found and kind not in found[key]:
                small = f"{GALLERY}/{Path(drawing.file).name}"  # of a baseline
                if uri := data_uri(folder, drawing.file) or data_uri(folder, small):
                    found[key][kind] = uri
    return Pictures(found)


def _with_pictures(one: ChangedEntry, draw: Draw, most: int) -> ImagesOfEntry:
    images = [change.name for change in one.most.images]
    rendered = Pictures(reason="further entries have no pictures here")
    if most:
        rendered = draw(one.first, one.second, images[:most])
    stored = stored_pictures(one.first, one.second, images)
    shown = []
    for change in one.most.images:
        key = str(change.name)
        uris = {**stored.of[key], **rendered.of.get(key, {})}
        shown.append(ChangedImage(change, tuple((kind, uris[kind]) for kind in KINDS if kind in uris)))
    return ImagesOfEntry(one.entry, one.metric, tuple(shown), rendered.reason)
