"""What about label maps changes IoU, or may: notes for those who read the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hrbench.formats.label_colours import OTHER_COLOURS
from hrbench.formats.label_folders import KIND_FILE, Kind, LabelFolder
from hrbench.metrics.labels.classes import NOTHING
from hrbench.metrics.labels.maps import WORDS, LabelMaps
from hrbench.types import Note

_VALUES = 256
"""Numbers that a byte holds: one too small by one is 255 where it should be 0."""

FITS, BETTER, OF_A_CLASS = 0.4, 0.25, 0.1
"""A reading of the numbers fits well from this mean IoU on, and so much better than the present one; in so many IoU
more must also half of the classes fit better."""


def map_notes(
    maps: LabelMaps, predictions: LabelFolder, pixels: tuple[int, int, int], second: bool, seen: np.ndarray
) -> list[Note]:
    """Notes on maps of any set of classes.

    maps: how they were read.
    predictions: the predicted ones.
    pixels: of the ground truth that are ignored, and judged; and judged ones that are predicted as no class.
    second: whether class 1 is annotated.
    seen: classes that were predicted.
    """
    ignored, judged, none = pixels
    classes, kind = maps.classes, predictions.kind
    notes = ignored_note(ignored, judged, _in_words(classes.ignore))
    notes += unevaluated_note(none, judged, _in_words(classes.unjudged))
    if classes.ignore == (255,) and not maps.form.colours:
        notes += binary_note(len(classes), ignored, second)
    if classes.ids != tuple(range(len(classes))):
        other: Kind = "indices" if kind == "ids" else "ids"
        own, others = classes.guesses(kind), classes.guesses(other)
        certain = not bool(
            np.isin(seen, own[others != NOTHING]).all()
        )  # no number of a predicted class is of the other
        notes += found_out(predictions, maps.labels, (WORDS[kind], WORDS[other]), certain)
    return notes


def _in_words(labels: Sequence[int]) -> str:
    """Labels of no class in words: numbers, then colours that are ignored."""
    shown = ", ".join(str(label) for label in labels if label != OTHER_COLOURS)
    return " or ".join(filter(None, [shown, "a colour that is ignored" if OTHER_COLOURS in labels else ""]))


def ignored_note(ignored: int, judged: int, labels: str) -> list[Note]:
    """A note on pixels of the ground truth that are not evaluated. labels: which labels these have, in words."""
    if not ignored:
        return []
    whole = ignored + judged
    what = f"pixels ({100 * ignored / whole:.1f} %) are annotated as {labels} and not evaluated"
    return [Note("ignored_pixels", what, ignored, whole, "whatever is predicted there is neither right nor wrong")]


def unevaluated_note(predicted: int, judged: int, labels: str) -> list[Note]:
    """A note on judged pixels whose prediction is a label of no class. labels: which labels these are, in words."""
    if not predicted:
        return []
    what = f"judged pixels ({100 * predicted / judged:.1f} %) are predicted as {labels}, which is no class"
    effect = "they count as wrong; write the number of a class for every pixel"
    return [Note("predicted_no_class", what, predicted, judged, effect)]


def binary_note(classes: int, ignored: int, second_annotated: bool) -> list[Note]:
    """A note if a map of two classes has nothing but class 0 and the label 255, which is ignored."""
    if classes != 2 or not ignored or second_annotated:
        return []
    what = "no pixel is annotated as class 1, and label 255 is ignored"
    effect = "masks of 0 and 255 are meant as classes 0 and 1"
    return [Note("binary_masks", what, effect=effect, option="values: {0: 0, 255: 1}")]


def found_out(folder: LabelFolder, asked: str, words: tuple[str, str], certain: bool = False) -> list[Note]:
    """A note if what predicted numbers mean was found out from the numbers, and they could mean something else.

    asked: the option `labels`.
    words: the name of the kind that was found, and of the other.
    certain: whether a number was predicted that the other kind does not have.
    """
    if certain or asked != "auto" or (folder.path / KIND_FILE).is_file():
        return []
    found, other = words
    what = f"predicted maps were taken for {found}, by the numbers in them"
    effect = f"if they hold {other}, the score is of other classes; a file {KIND_FILE} beside them may say which"
    return [Note("labels_found_out", what, effect=effect)]


def misnumbered(
    table: np.ndarray, places: np.ndarray, written: np.ndarray, meanings: Mapping[str, np.ndarray]
) -> list[Note]:
    """A note if predicted maps fit poorly, and well after a shift of their numbers by one or as those of another kind.

    table: (C, K) pixels: rows true class, columns what the prediction was read as.
    places: (C,) the column of each class.
    written: (K,) int64 the number that stands in files for each column, -1 for several or none.
    meanings: kind -> (n,) int64, the column of each number, K or more for none; first the kind as which maps were read.
    """
    rows, read_as = np.nonzero(table)  # few of the pairs of many classes occur
    pixels = table[rows, read_as]
    annotated = np.bincount(rows, minlength=len(table)) > 0
    kind, *others = meanings
    columns, values = table.shape[1], max(_VALUES, int(written.max()) + 1)

    def column(meaning: np.ndarray, number: np.ndarray) -> np.ndarray:
        inside = (number >= 0) & (number < len(meaning))
        return np.where(inside, np.minimum(meaning[np.where(inside, number, 0)], columns), columns)

    readings = {
        name: column(meanings[kind], np.where(written >= 0, (written + by) % values, -1))
        for name, by in (("too small by one", 1), ("too large by one", -1))
    }
    readings |= {f"{other}, not {kind}": column(meanings[other], written) for other in others}
    asked = _ious(rows, read_as, pixels, places)[annotated]
    fits: dict[str, float] = {}
    for name, where in readings.items():
        found = _ious(rows, where[read_as], pixels, places)[annotated]
        if int((found > asked + OF_A_CLASS).sum()) >= max(2, len(asked) / 2):
            fits[name] = float(found.mean())
    best = max(fits, key=lambda name: fits[name], default="")
    if not best or fits[best] < max(FITS, float(asked.mean()) + BETTER):
        return []
    effect = (
        f"the mean IoU of annotated classes is {asked.mean():.2f}, and would be {fits[best]:.2f}; nothing is converted"
    )
    shifted = best.startswith("too ")
    option = "" if shifted else f"labels: {best.partition(',')[0]}"
    effect += ": write the numbers of the classes" if shifted else ""
    what = f"numbers in predicted maps look {best if shifted else f'like {best}'}"
    return [Note("misread_labels", what, effect=effect, option=option)]


def _ious(rows: np.ndarray, columns: np.ndarray, pixels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(C,) IoU of each class, 0 where there is no pixel of it.

    rows, columns, pixels: (P,) true class, column and how many pixels of each pair that occurs.
    places: (C,) the column of each class.
    """
    most = int(max(columns.max(initial=0), places.max(initial=0))) + 1
    right = np.where(columns == places[rows], pixels, 0)
    hits = np.bincount(rows, right, len(places))  # whole numbers below 2^53: exact in any order
    union = np.bincount(rows, pixels, len(places)) + np.bincount(columns, pixels, most)[places] - hits
    return np.divide(hits, union, out=np.zeros(len(places)), where=union > 0)
