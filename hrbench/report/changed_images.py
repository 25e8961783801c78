"""The images that changed most between two results, with pictures of what is annotated, predicted before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hrbench.judge.baseline import GALLERY, gallery_digest
from hrbench.judge.most_changed import MostChanged, ScoreChange, most_changed
from hrbench.judge.rows import Comparison
from hrbench.judge.sides import Side
from hrbench.report.gallery import data_uri
from hrbench.store.integrity import changed_files
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


Draw = Callable[[Result, Result, str, Sequence[int | str]], Pictures]
"""Renders images of two results, before and after, as a metric has read their predictions."""


@dataclass(frozen=True, slots=True)
class ChangedImage:
    """An image with its scores before and after, and its pictures: (kind, data URI), in the order of KINDS."""

    change: ScoreChange
    pictures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ChangedEntry:
    """An entry whose numbers were resampled or counted by image.

    metric: the first of its metrics by which it changed.
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
    metrics: dict[tuple[str, str], dict[str, None]] = {}
    for evidence in by_image:
        metrics.setdefault((evidence.entry, evidence.former), {})[evidence.metric] = None
    for (entry, former), names in sorted(metrics.items()):
        first, second = sides[0].results.get(former), sides[1].results.get(entry)
        if first is not None and second is not None:
            found = ((name, most_changed(first, second, name)) for name in names)
            empty = next(iter(names)), MostChanged()
            metric, most = next(((name, most) for name, most in found if most.images or most.classes), empty)
            yield ChangedEntry(entry, metric, first, second, most)


def changed_images(entries: Sequence[ChangedEntry], draw: Draw) -> list[ImagesOfEntry]:
    """Of each entry the images that changed most, with pictures."""
    found = [one for one in entries if one.most.images]
    each = max(1, RENDERED // max(1, len(found)))
    return [_with_pictures(one, draw, each if place < RENDERED else 0) for place, one in enumerate(found)]


def stored_pictures(first: Result, second: Result, metric: str, images: Sequence[int | str]) -> Pictures:
    """The pictures of either side that were rendered when it was run, of those that are as they were stored."""
    found: dict[str, dict[str, str]] = {str(image): {} for image in images}
    changed: list[str] = []
    for kind, result in (("before", first), ("after", second)):
        for drawing in result.drawings:
            key = str(drawing.sample)
            if key in found and kind not in found[key]:
                uri, wrong = _stored(Path(result.folder), drawing.file, result.files)
                if uri:
                    found[key][kind] = uri
                changed += [wrong] if wrong else []
    reason = f"{changed[0]} is not the picture that was stored" if changed else ""
    return Pictures(found, reason)


def _stored(folder: Path, file: str, files: Mapping[str, str]) -> tuple[str, str]:
    """A picture as a data URI, "" for none; and the path of one that is not as it was stored, "" for none.

    files: file in the folder -> SHA-256; those of a baseline's gallery are in the baseline.
    """
    small = f"{GALLERY}/{Path(file).name}"
    known = {file: files.get(file, "")}
    if (folder / small).is_file():
        file, known = small, {small: gallery_digest(folder, small)}
    if not (folder / file).is_file():
        return "", ""
    if changed_files(folder, known):
        return "", str(folder / file)
    return data_uri(folder, file), ""


def _with_pictures(one: ChangedEntry, draw: Draw, most: int) -> ImagesOfEntry:
    images = [change.name for change in one.most.images]
    rendered = Pictures(reason="further entries have no pictures here")
    if most:
        rendered = draw(one.first, one.second, one.metric, images[:most])
    stored = stored_pictures(one.first, one.second, one.metric, images)
    reasons = [rendered.reason or _without_predictions(rendered, len(images[:most])), stored.reason]
    shown = []
    for change in one.most.images:
        key = str(change.name)
        uris = {**stored.of[key], **rendered.of.get(key, {})}
        shown.append(ChangedImage(change, tuple((kind, uris[kind]) for kind in KINDS if kind in uris)))
    return ImagesOfEntry(one.entry, one.metric, tuple(shown), "; ".join(dict.fromkeys(filter(None, reasons))))


def _without_predictions(rendered: Pictures, images: int) -> str:
    """Why a side is on no picture although images were rendered, in words; "" if both are."""
    lacking = [kind for kind in KINDS[1:] if sum(kind in one for one in rendered.of.values()) < images]
    if not lacking:
        return ""
    return f"no predictions of {' and '.join(lacking)}: they are not stored there, as in a baseline, or were removed"
