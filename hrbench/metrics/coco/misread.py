"""Whether detections fit the annotations much better if their numbers or classes are read in another way.

Each reading is measured on a sample of bounded size: of an image and category the best detections by score, as many as
it has objects, so that a detector's many weak detections decide nothing. A note needs a fit that is good, and better by
far than that of the file as it stands; bad detections fit in no way, and good ones as they are.
Nothing is converted. Joints are looked at in `misread_joints.py`, images in `misread_images.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hrbench.formats.coco.columns import Detections, Truths, sorted_unique
from hrbench.formats.coco.json_faults import categories_in_words
from hrbench.metrics.coco.notes import EvaluatedRows
from hrbench.types import Note

SAMPLE = 2000
"""So many detections are looked at."""

GOOD, BETTER = 0.5, 0.25
"""A reading fits well from this mean IoU, OKS or share on, and so much better than the file as it stands."""

SIMPLER = 0.15
"""By so much more an exchange of single classes must fit than a rule for all."""

ENOUGH = 10
"""Detections, from which on a scale or an order of joints is told."""

ENOUGH_OF_A_CLASS = 3
"""Detections on objects of a class, from which on it counts."""

_NEAR = 0.15
"""Logarithms of two estimates of one scale differ by less."""


_USUAL = (
    192, 224, 256, 288, 300, 320, 384, 416, 448, 480, 512, 576, 608, 640, 736, 768, 800, 832, 896, 960, 1024, 1280,
    1333, 1536, 2048,
)  # fmt: skip
"""Sides of inputs that networks usually have, in px."""

_SPREAD = 0.02
"""Logarithms of an estimated side and the right one differ by less."""

# --- the sample -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SampledPairs:
    """Detections beside the objects of their image (and category).

    rows: (n,) positions of detections.
    objects: (m,) positions of objects in order of their groups; those of detection k are first[k] to last[k] of them.
    """

    rows: np.ndarray
    objects: np.ndarray
    first: np.ndarray
    last: np.ndarray


def sampled(
    found: tuple[np.ndarray, np.ndarray], truth: tuple[np.ndarray, np.ndarray], score: np.ndarray
) -> SampledPairs:
    """The best detections of each group, as many as it has objects, in a sample of groups.

    found, truth: positions and groups of detections and of objects.
    score: (N,) of all detections.
    """
    order = np.argsort(truth[1], kind="stable")
    objects, known = truth[0][order], truth[1][order]
    groups = sorted_unique(known)
    groups = groups[:: max(1, len(groups) // SAMPLE)]
    rows, group = found
    if len(groups):
        kept = groups[np.minimum(np.searchsorted(groups, group), len(groups) - 1)] == group
        rows, group = rows[kept], group[kept]
    else:
        rows, group = rows[:0], group[:0]
    order = np.lexsort((-score[rows], group))
    rows, group = rows[order], group[order]
    first, last = (np.searchsorted(known, group, side) for side in ("left", "right"))
    best = np.arange(len(group)) - np.searchsorted(group, group) < last - first
    rows, first, last = rows[best], first[best], last[best]
    step = max(1, len(rows) // SAMPLE)
    return SampledPairs(rows[::step], objects, first[::step], last[::step])


def best_fit(similarity: Callable[[np.ndarray, np.ndarray], np.ndarray], pairs: SampledPairs) -> float:
    """The mean over detections of the greatest similarity with an object.

    similarity: takes positions of detections and of objects, gives (pairs,).
    """
    return float(nearest(pairs, lambda at, objects: similarity(pairs.rows[at], objects))[0].mean())


def nearest(
    pairs: SampledPairs, similarity: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The greatest similarity of each detection with an object, and the position of that object.

    similarity: takes numbers of detections within the sample and positions of objects, gives (pairs,).
    """
    at, objects, starts = _all_pairs(pairs)
    values = similarity(at, objects)
    best = np.maximum.reduceat(values, starts)
    where = np.flatnonzero(values == best[at])
    return best, objects[where[np.searchsorted(at[where], np.arange(len(pairs.rows)))]]


def _all_pairs(pairs: SampledPairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of detections, positions of objects of each pair, and where the pairs of each detection begin."""
    many = pairs.last - pairs.first
    at = np.repeat(np.arange(len(many)), many)
    starts = np.cumsum(many) - many
    return at, pairs.objects[np.arange(len(at)) - starts[at] + pairs.first[at]], starts


# --- boxes ------------------------------------------------------------------------------------------------------------


def misread_boxes(
    truth_box: np.ndarray,
    found_box: np.ndarray,
    size: np.ndarray,
    truths: Truths,
    detections: Detections,
    seen: EvaluatedRows,
) -> list[Note]:
    """A note if detected boxes fit the objects poorly as x, y, width, height in px, and well as something else.

    truth_box, found_box: (G, 4), (N, 4) float64.
    size: (N, 2) height and width of each detection's image, zeros where they are not known.
    truths, detections: columns (G), (N).
    seen: what of them is evaluated.
    """
    plain = ~truths.crowd[seen.truth]
    truth = seen.truth[plain], seen.truth_group[plain]
    pairs = sampled((seen.found, seen.found_group), truth, detections.score)
    if not len(pairs.rows):
        return []
    box, sides = found_box[pairs.rows], size[pairs.rows][:, [1, 0, 1, 0]].astype(np.float64)
    asked = "x, y, width, height"
    readings = _readings(box, sides)
    fits = {name: _fit(boxes, truth_box, pairs) for name, boxes in readings.items()}
    if max(fits.values()) < GOOD and len(pairs.rows) >= ENOUGH:
        for name, boxes in _scaled(box, truth_box, sides, pairs):
            # boxes that say nothing of their image fit those of others as well
            fit, of_others = (_fit(np.roll(boxes, by, axis=0), truth_box, pairs) for by in (0, len(boxes) // 2))
            if fit >= of_others + BETTER:
                fits[name] = fit
    best = max(fits, key=lambda name: fits[name])
    if fits[best] < GOOD or fits[best] < fits[asked] + BETTER:
        return []
    what = f"detected boxes look like {best}, not {asked} in pixels"
    effect = (
        f"their mean IoU with the nearest object is {fits[asked]:.2f}, and would be {fits[best]:.2f}; nothing is "
        f"converted: write {asked} in pixels of the image's file"
    )
    return [Note("misread_boxes", what, effect=effect)]


def _readings(box: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
    """(n, 4) x, y, width, height of boxes in each of the ways in which they may be meant. scale: (n, 4) w, h, w, h."""

    def corners(some: np.ndarray) -> np.ndarray:
        return np.concatenate([some[:, :2], some[:, 2:] - some[:, :2]], axis=1)

    def centred(some: np.ndarray) -> np.ndarray:
        return np.concatenate([some[:, :2] - some[:, 2:] / 2, some[:, 2:]], axis=1)

    readings = {"x, y, width, height": box, "corners (x1, y1, x2, y2)": corners(box)}
    readings["centres with width and height"] = centred(box)
    readings["y, x, height, width"] = box[:, [1, 0, 3, 2]]
    if bool((np.abs(box) <= 2).all()) and bool((scale > 0).all()):
        share = box * scale
        readings["shares of the image: x, y, width, height"] = share
        readings["shares of the image: corners"] = corners(share)
        readings["shares of the image: centres with width and height"] = centred(share)
    return readings


def _fit(boxes: np.ndarray, truth_box: np.ndarray, pairs: SampledPairs) -> float:
    """The mean over boxes of the best IoU with an object; a box of no area has none."""
    return float(nearest(pairs, lambda at, objects: paired_iou(boxes[at], truth_box[objects]))[0].mean())


def paired_iou(found: np.ndarray, objects: np.ndarray) -> np.ndarray:
    start, end = np.maximum(found[:, :2], objects[:, :2]), np.minimum(_ends(found), _ends(objects))
    shared = np.where((found[:, 2:] > 0).all(axis=1), np.maximum(end - start, 0.0).prod(axis=1), 0.0)
    union = found[:, 2:].prod(axis=1) + objects[:, 2:].prod(axis=1) - shared
    return np.divide(shared, union, out=np.zeros(len(shared)), where=union > 0)


def _ends(box: np.ndarray) -> np.ndarray:
    return box[:, :2] + box[:, 2:]


def _scaled(
    box: np.ndarray, truth_box: np.ndarray, sides: np.ndarray, pairs: SampledPairs
) -> list[tuple[str, np.ndarray]]:
    """Readings of boxes as those of images of another size: what they are called, and (n, 4) x, y, width, height in px.

    The scale is the one that most pairs of a box and an object agree on, for x and for y of their own.
    """
    at, objects, _ = _all_pairs(pairs)
    known = bool((sides > 0).all())
    units = {"pixels of images of another size (x {}, y {} times as large)": np.ones_like(sides)}
    if known:
        long, short = sides.max(axis=1, keepdims=True), sides.min(axis=1, keepdims=True)
        units |= {
            "pixels of images resized to {}x{}": 1 / sides,
            "pixels of images whose longer side was resized to {}": np.broadcast_to(1 / long, sides.shape),
            "pixels of images whose shorter side was resized to {}": np.broadcast_to(1 / short, sides.shape),
        }
    found = []
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for name, unit in units.items():
            one, other = box[at], truth_box[objects] * unit[at]
            ratio = np.log((one + np.roll(one, -2, 1) / 2)[:, :2] / (other + np.roll(other, -2, 1) / 2)[:, :2])
            size_ratio = np.log(one[:, 2:] / other[:, 2:])
            x, y = (_agreed(ratio[:, axis], size_ratio[:, axis]) for axis in (0, 1))
            if x and y:
                said, more = (f"{z:.3g}" if "times" in name else _usual_size(z) for z in (x, y))
                found.append((name.format(said, more), box / (unit * np.array([x, y, x, y]))))
            side = _agreed(size_ratio[:, 0], size_ratio[:, 1])
            if side and "longer" in name:  # in the middle of a square
                moved = np.concatenate([box[:, :2] - side / 2, box[:, 2:]], axis=1) / (unit * side)
                moved[:, :2] += sides[:, :2] / 2
                found.append((f"pixels of images in the middle of a square of {_usual_size(side)}", moved))
    return found


def _usual_size(side: float) -> str:
    """An estimated side of an input, as the usual one if it is near, else "about" it.

    >>> _usual_size(647.2), _usual_size(639), _usual_size(1340), _usual_size(700)
    ('640', '640', '1333', 'about 700')
    """
    near = min(_USUAL, key=lambda one: abs(np.log(side / one)))
    return str(near) if abs(np.log(side / near)) < _SPREAD else f"about {side:.0f}"


def _agreed(one: np.ndarray, other: np.ndarray) -> float:
    """The scale that most pairs agree on of those whose two estimates are alike; 0 if there are too few.

    one, other: (pairs,) logarithms.
    """
    alike = np.abs(one - other) < _NEAR  # false for NaN
    votes = np.sort((one[alike] + other[alike]) / 2)
    votes = votes[np.isfinite(votes)]
    if len(votes) < ENOUGH:
        return 0.0
    ends = np.searchsorted(votes, votes + _NEAR / 2, "right")
    start = int(np.argmax(ends - np.arange(len(votes))))
    return float(np.exp(np.median(votes[start : ends[start]])))


# --- classes ----------------------------------------------------------------------------------------------------------


def misread_classes(
    truth_box: Callable[[np.ndarray], np.ndarray],
    found_box: Callable[[np.ndarray], np.ndarray],
    truths: Truths,
    detections: Detections,
    seen: EvaluatedRows,
    categories: Sequence[tuple[int, str]],
) -> list[Note]:
    """A note if detections lie on objects of another class than theirs, always the same one.

    truth_box, found_box: rows (n,) -> (n, 4) float64 x, y, width, height in px.
    truths, detections: columns (G), (N).
    seen: what of them is evaluated.
    categories: ids, rising, and names of those that are evaluated.
    """
    many = len(categories)
    if many < 2:
        return []
    plain = ~truths.crowd[seen.truth]
    truth_at, truth_group = seen.truth[plain], seen.truth_group[plain]
    pairs = sampled((seen.found, seen.found_group // many), (truth_at, truth_group // many), detections.score)
    if not len(pairs.rows):
        return []
    ids = np.array([number for number, _ in categories])
    _, every, _ = _all_pairs(pairs)
    paired = sorted_unique(every)
    box, around = found_box(pairs.rows), truth_box(paired)
    iou, objects = nearest(pairs, lambda at, some: paired_iou(box[at], around[np.searchsorted(paired, some)]))
    on = iou >= GOOD
    said = np.searchsorted(ids, detections.category[pairs.rows[on]])
    right = np.searchsorted(ids, truths.category[objects[on]])
    if len(said) < 2 * ENOUGH:
        return []
    asked = _agreement(said, right)
    shares = {name: _agreement(meant[said], right) for name, meant in _numberings(ids).items()}
    half = np.arange(len(said)) % 2 == 0
    exchanged = _exchanged(said[half], right[half], many)
    if exchanged is not None:  # what one half of the sample says is measured on the other
        share = _agreement(exchanged[said[~half]], right[~half])
        if share > max(shares.values()) + SIMPLER:
            shares[_in_words(exchanged, categories)] = share
    best = max(shares, key=lambda name: shares[name])
    if shares[best] < max(GOOD, asked + BETTER):
        return []
    what = f"category ids of detections look {best}"
    effect = (
        f"of those that lie on an object {asked:.0%} have its class (mean over classes), and {shares[best]:.0%} would; "
        "nothing is converted: write the ids of the annotation file"
    )
    return [Note("misread_classes", what, effect=effect)]


def _in_words(meant: np.ndarray, categories: Sequence[tuple[int, str]]) -> str:
    changed = [(k, to) for k, to in enumerate(meant.tolist()) if to not in (k, len(categories))]
    words = [" for ".join(categories_in_words([categories[at]]) for at in pair) for pair in changed[:3]]
    return f"exchanged: {', '.join(words)}" + (", ..." if len(changed) > 3 else "")


def _agreement(said: np.ndarray, right: np.ndarray) -> float:
    """The share of right classes, mean over classes with some objects: those which a detector always says weigh one."""
    count = np.bincount(right)
    of = np.bincount(right[said == right], minlength=len(count))
    some = count >= ENOUGH_OF_A_CLASS
    # one class alone may be what a bad detector says of everything
    return float((of[some] / count[some]).mean()) if int((of[some] > 0).sum()) > 1 else 0.0


def _numberings(ids: np.ndarray) -> dict[str, np.ndarray]:
    """What an id may mean if the classes were numbered otherwise: name -> (C,) place of the class meant, C for none."""
    many = len(ids)
    places = np.arange(many)

    def of(meant: np.ndarray) -> np.ndarray:
        return np.where((meant >= 0) & (meant < many), meant, many)

    def place(number: np.ndarray) -> np.ndarray:
        near = np.minimum(np.searchsorted(ids, number), many - 1)
        return np.where(ids[near] == number, near, many)

    return {
        "too small by one": place(ids + 1),
        "too large by one": place(ids - 1),
        "like the place of the class, counted from 0": of(ids),
        "like the place of the class, counted from 1": of(ids - 1),
        "like those of the class before": of(places + 1),
        "like those of the class after": of(places - 1),
    }


def _exchanged(said: np.ndarray, right: np.ndarray, many: int) -> np.ndarray | None:
    """(C,) the class that each stands for, C for none; None unless these differ from one another and two are others."""
    table = np.zeros((many, many + 1), np.int64)
    np.add.at(table, (said, right), 1)
    meant = np.where(table.sum(axis=1) >= ENOUGH_OF_A_CLASS, table.argmax(axis=1), many)
    used = meant[meant < many]
    others = int(((meant != np.arange(many)) & (meant < many)).sum())
    return meant if others > 1 and len(sorted_unique(used)) == len(used) else None
