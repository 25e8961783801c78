"""The images that changed most between two results, with pictures of what is annotated, predicted before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hrbench.judge.baseline import GALLERY
from hrbench.judge.images import ImageChange, metrics_of, most_changed
from hrbench.judge.rows import Comparison
from hrbench.judge.sides import Side
from hrbench.report.figures import data_uri
from hrbench.types import Result

SHOWN = 6
"""Images of each entry that changed most."""

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

    change: ImageChange
    pictures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ChangedEntry:
    """An entry with its images that changed most, by its first metric. reason: why not all have pictures, or ""."""

    entry: str
    metric: str
    images: tuple[ChangedImage, ...]
    reason: str


def changed_entries(comparison: Comparison, sides: tuple[Side, Side]) -> Iterator[tuple[str, str, Result, Result]]:
    """(entry, its first metric, both results) of the entries whose numbers were resampled or counted by image."""
    by_image = [row.evidence for row in comparison.rows if row.evidence.means in ("bootstrap", "score test")]
    for entry, former in sorted({(evidence.entry, evidence.former) for evidence in by_image}):
        first, second = sides[0].results.get(former), sides[1].results.get(entry)
        if first is not None and second is not None:
            yield from ((entry, metric, first, second) for metric in metrics_of(second)[:1])


def changed_images(comparison: Comparison, sides: tuple[Side, Side], draw: Draw) -> list[ChangedEntry]:
    """Of each such entry the images that changed most."""
    found = []
    for entry, metric, first, second in changed_entries(comparison, sides):
        if changes := most_changed(first, second, metric, SHOWN):
            found.append((entry, metric, first, second, changes))
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


def _with_pictures(one: tuple[str, str, Result, Result, Sequence[ImageChange]], draw: Draw, most: int) -> ChangedEntry:
    entry, metric, first, second, changes = one
    images = [change.image for change in changes]
    drawn = draw(first, second, images[:most]) if most else Pictures(reason="further entries have no pictures here")
    stored = stored_pictures(first, second, images)
    shown = []
    for change in changes:
        key = str(change.image)
        uris = {**stored.of[key], **drawn.of.get(key, {})}
        shown.append(ChangedImage(change, tuple((kind, uris[kind]) for kind in KINDS if kind in uris)))
    return ChangedEntry(entry, metric, tuple(shown), drawn.reason)
