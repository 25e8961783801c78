"""What about annotations and detections changes COCO's numbers, or may: notes for those who read the scores.

Nothing here changes a number. A note counts images, objects and detections that are evaluated: of the state's images
and categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrbench.errors import InputError
from hrbench.formats.coco.columns import Detections, Truths, known, sorted_unique
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.formats.coco.json_faults import categories_in_words
from hrbench.formats.coco.keypoints import KeypointTruth
from hrbench.types import Note, State

_ODD = np.uint64(0x9E3779B97F4A7C15)  # a multiplier that spreads bits: 2^64 over the golden ratio


@dataclass(frozen=True)
class EvaluatedRows:
    """What of two files is evaluated.

    truth: (g,) positions of the annotated objects.
    found: (n,) positions of the detections.
    truth_group, found_group: (g,), (n,) int64 the image and category of each, as one number; the image alone if all
        categories count as one.
    most: how many detections of an image and category are judged.
    classes: groups of an image: its categories, or 1 if all count as one.
    as_one: whether all categories count as one.
    """

    truth: np.ndarray
    found: np.ndarray
    truth_group: np.ndarray
    found_group: np.ndarray
    most: int
    classes: int
    as_one: bool

    @classmethod
    def of(cls, truths: Truths, detections: Detections, state: State) -> EvaluatedRows:
        """By the images, categories and greatest number of detections of a state."""
        images = state.arrays["image"]
        categories = np.asarray(state.params["categories"], np.int64)
        truth, truth_group = _inside(truths.image, truths.category, images, categories)
        found, found_group = _inside(detections.image, detections.category, images, categories)
        classes = max(len(categories), 1)
        as_one = bool(state.params.get("class_agnostic"))
        if as_one:
            truth_group, found_group, classes = truth_group // classes, found_group // classes, 1
        return cls(truth, found, truth_group, found_group, int(state.params["most"]), classes, as_one)


def _inside(
    image: np.ndarray, category: np.ndarray, images: np.ndarray, categories: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if not len(images) or not len(categories):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    i = np.minimum(np.searchsorted(images, image), len(images) - 1)
    c = np.minimum(np.searchsorted(categories, category), len(categories) - 1)
    rows = np.flatnonzero((images[i] == image) & (categories[c] == category))
    return rows, i[rows] * len(categories) + c[rows]


def detection_notes(
    truths: Truths,
    detections: Detections,
    columns: np.ndarray | None,
    seen: EvaluatedRows,
    thing: str = "objects",
    option: str = "",
) -> list[Note]:
    """Notes that hold for boxes, masks and keypoints alike.

    truths: columns (G).
    detections: columns (N).
    columns: (N, K) float64, where each detection is, to find repeated rows; None if that is not known.
    seen: what of them is evaluated.
    thing: what the detections are of, in the plural.
    option: which sets how many detections are judged, "" if none does.
    """
    notes = [*_limit_notes(truths, seen, thing, option)]
    with_objects = sorted_unique(truths.image[seen.truth][~truths.ignore[seen.truth]])
    detected = sorted_unique(detections.image[seen.found])
    without = len(with_objects) - len(np.intersect1d(with_objects, detected, assume_unique=True))
    if without:
        what = f"images with {thing} have no detection"
        notes.append(Note("empty_images", what, without, len(with_objects), f"their {thing} are all missed"))
    score = detections.score[seen.found]
    if len(score) > 1 and bool((score == score[0]).all()):
        effect = "precision at every recall is that of the order of the rows"
        notes.append(Note("equal_scores", f"detections all have the score {score[0]:g}", len(score), effect=effect))
    repeated = 0 if columns is None else repeated_rows(seen.found_group, score, columns[seen.found])
    if repeated:
        what = "detections repeat another of the same image, category, score and place"
        notes.append(Note("repeated_rows", what, repeated, len(score), "each repetition is a false positive"))
    return notes


def _limit_notes(truths: Truths, seen: EvaluatedRows, thing: str, option: str) -> list[Note]:
    notes, category = [], " and category" if not seen.as_one else ""
    many = _sizes(seen.found_group)
    cut = int(np.maximum(many - seen.most, 0).sum())
    if cut:
        full = int((many > seen.most).sum())
        what = f"detections come after the first {seen.most} of their image{category} ({full:,} have more)"
        effect = f"only the first {seen.most} detections by score are judged"
        notes.append(Note("cut_detections", what, cut, len(seen.found), effect, option))
    counted = ~truths.ignore[seen.truth]
    objects = _sizes(seen.truth_group[counted])
    beyond = int(np.maximum(objects - seen.most, 0).sum())
    if beyond:
        what = f"{thing} are beyond {seen.most} of an image{category}"
        effect = f"only the first {seen.most} detections are judged, so at least these are missed"
        notes.append(Note("crowded_images", what, beyond, int(counted.sum()), effect, option))
    return notes


def _sizes(group: np.ndarray) -> np.ndarray:
    """How often each group occurs."""
    ordered = np.sort(group)
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    return np.diff(starts, append=len(ordered))


def repeated_rows(group: np.ndarray, score: np.ndarray, columns: np.ndarray) -> int:
    """How many rows equal an earlier one. group (N,) int64; score (N,) and columns (N, K) float64.

    >>> repeated_rows(np.array([1, 1, 2]), np.array([0.5, 0.5, 0.5]), np.ones((3, 4)))
    1
    """
    mark = group.astype(np.uint64) * _ODD
    for column in (score, *columns.T):
        bits = np.ascontiguousarray(column + 0.0).view(np.uint64)  # -0 counts as 0
        mark = (mark ^ bits) * _ODD
        mark ^= mark >> np.uint64(29)
    order = np.argsort(mark, kind="stable")
    same = mark[order[1:]] == mark[order[:-1]]
    one, other = order[1:][same], order[:-1][same]  # equal marks may be chance: rows decide
    alike = (group[one] == group[other]) & (score[one] == score[other])
    return int((alike & (columns[one] == columns[other]).all(axis=1)).sum())


def joint_notes(truths: Truths, keypoints: np.ndarray, seen: EvaluatedRows) -> list[Note]:
    """Notes on annotated people.

    keypoints: (G, K, 3) float64: x, y in px, visibility.
    seen: what is evaluated.
    """
    rows = seen.truth
    crowd, ignored = truths.crowd[rows], truths.ignore[rows]
    labelled = (keypoints[rows, :, 2] > 0).any(axis=1)
    notes = []
    believed = "pycocotools believes num_keypoints, as here; xtcocotools counts the joints"
    left_out, kept = int((~crowd & ignored & labelled).sum()), int((~ignored & ~labelled).sum())
    if left_out:
        what = "annotated people have num_keypoints 0 and labelled joints"
        notes.append(Note("num_keypoints", what, left_out, len(rows), f"they are ignored: {believed}"))
    if kept:
        what = "annotated people have num_keypoints above 0 and no labelled joint"
        notes.append(Note("num_keypoints", what, kept, len(rows), f"they count: {believed}"))
    flat = int((~ignored & (truths.area[rows] == 0)).sum())
    if flat:
        what = "annotated people that count have area 0"
        effect = "OKS divides by the area, so that only an exact prediction finds them"
        notes.append(Note("no_area", what, flat, len(rows), effect, "truth_area: box"))
    return notes


def flag_note(flagged: np.ndarray, truths: Truths, seen: EvaluatedRows) -> list[Note]:
    """A note on objects with a key `ignore`, which engines take differently. flagged: (G,) bool."""
    many = int((flagged & ~truths.crowd)[seen.truth].sum())
    if not many:
        return []
    effect = "it has no effect here, as in pycocotools; other engines leave such objects out"
    return [Note("ignore_keys", "annotated objects have a key `ignore` that is set", many, len(seen.truth), effect)]


def root_note(target: InstanceTruth | KeypointTruth, found: np.ndarray, state: State) -> list[Note]:
    """A note on a category that only names the others, if it is evaluated. found: (N,) int64 categories detected."""
    root, seen = target.root, state.params["categories"]
    if root is None or root not in seen:
        return []
    name = target.names[target.categories.tolist().index(root)]
    what = f"category {root} ({name!r}) has no annotation and only names the others, as in Roboflow's exports"
    many = int((found == root).sum())
    on_it = (
        f"{many:,} of the detections are of it and change no number"
        if many
        else "it is listed as a class and has no AP"
    )
    effect = f"{on_it}; a network of the {len(seen) - 1} other classes numbers them from the next id on"
    if many and known(found + 1, target.categories):
        effect += ": all ids look one too small, add 1 to each category_id of the results"
    # results of a category that is dropped are refused
    return [Note("root_category", what, effect=effect, option="" if many else "root_category: drop")]


def unknown_category(path: Path, asked: object, ids: Sequence[int], names: Sequence[str]) -> InputError:
    """An error for a category that a file does not have.

    path: of the file.
    asked: an id, or by mistake a name.
    ids, names: of its categories.
    """
    listed = list(zip(ids, names, strict=True))
    called = [number for number, name in listed if name == asked]
    more = f"; it is the name of {called[0]}, and categories are given by id" if len(called) == 1 else ""
    some = categories_in_words(listed)
    return InputError(f"{path}: category {asked}, asked for, is not among its categories ({some}){more}")


def area_note(area_from: str, default: str, option: str) -> list[Note]:
    """A note if areas of detections are not those of what is judged. option: how to have these."""
    if area_from != "box":
        return []
    what = f"areas of detections are those of the rows' own bbox, not of the {default}"
    effect = "numbers by size (small, medium, large) may differ"
    return [Note("box_areas", what, effect=effect, option=option)]


def unused_boxes(boxed: bool, reference: str = "pycocotools") -> list[Note]:
    """A note if rows of masks carry boxes, which the reference implementation itself would take areas from."""
    what = "rows carry a bbox beside their mask; areas of detections are those of the masks"
    effect = f"{reference}, given these rows, takes the boxes' areas for numbers by size"
    return [Note("unused_boxes", what, effect=effect, option="detection_area: box")] if boxed else []
