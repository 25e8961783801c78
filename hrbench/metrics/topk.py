"""Top-1 and Top-5 accuracy; an image may have several valid labels.

The ILSVRC's accuracies (Russakovsky et al., IJCV 2015, section 4.1: its "top-5 error" is one minus the second). If
an image has several valid labels, any of them is right, and images without a valid label are left out: ImageNet-ReaL
(Beyer et al., Are we done with ImageNet?, arXiv 2006.07159). iNaturalist 2017 is judged in the same way.

State, rows by image (N): `image` (N,) its id; `rank` (N,) int64, the place from 0 of the best valid class among those
predicted, -1 if none is; `valid` (N,) int64, how many classes are valid; `confidence` (N,) float64, the score of the
first class, 0 if none was given.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hrbench.errors import InputError
from hrbench.formats.class_predictions import (
    ClassPredictions,
    ClassTruth,
    read_predictions,
    read_truth,
    write_predictions,
)
from hrbench.metrics.states import TRUTH, StateForm, arrays_of, merge, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import (
    ByImage,
    Measurement,
    Note,
    Prediction,
    PredictionForm,
    Quantity,
    Reason,
    State,
)

PLACES = (1, 5)
FORM = StateForm("topk", 1, "image", ("rank", "valid", "confidence"), unlike={"image": "whether images have numbers"})
ENOUGH, SURE, BETTER = 10, 4.0, 0.25
"""A shift of classes is told if so many more images are right, in standard deviations of chance, and such a share."""
AT_ONCE = 64
"""How many weightings are taken at once: a product of matrices."""

_WHERE = {1: "the first predicted", 5: "among the first five predicted"}


def _quantity(k: int) -> Quantity:
    rule = f"Share of images one of whose valid classes is {_WHERE[k]}; images without a valid class are left out."
    return Quantity(f"top{k}", f"Top-{k}", "fraction", "higher", f"{rule} n is images.")


class TopK:
    """Top-1 and Top-5 of predictions.csv.

    The truth is a folder of class folders, a list of images and classes (Caffe's val.txt, Kaggle's
    LOC_val_solution.csv, the devkit's with its meta.mat, ImageNet-ReaL's real.json) or iNaturalist's JSON:
    `class_lists` describes them. The predictions are a CSV with the heading image,label_1,...,label_5 and perhaps
    score_1,...,score_5, or image,label: `class_files` does.

    names: of the classes in the order of the network's outputs, as folders or lists have them, if they are known.
    """

    name = FORM.metric
    version = FORM.version
    prediction_file = "predictions.csv"
    prediction_form = PredictionForm(
        "a CSV file headed image,label_1,...,label_5 and perhaps score_1,...,score_5, or image,label",
        "image is the name of the image file without its ending, and with its folder where the list has one; a label "
        "is the index of a class from 0, best first",
        "n01440764/ILSVRC2012_val_00000293,0,217,482,391,97,0.81,0.05,0.03,0.02,0.01",
    )
    oracle = "a plain count, image by image,"
    quality_is = "1 over the place of the right class among those predicted; at most 0.1 where it is not among them"
    main = "top1"
    quantities: tuple[Quantity, ...] = tuple(_quantity(k) for k in PLACES)

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = tuple(names)

    def read_target(self, path: Path) -> ClassTruth:
        """The classes of images; see above. Raises InputError naming the first fault, MissingError."""
        return read_truth(Path(path), self.names)

    def read_predictions(self, path: Path, target: ClassTruth) -> ClassPredictions:
        """Class indices (P, k), best first. Raises InputError naming the line at fault, MissingError."""
        return read_predictions(Path(path), target)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Values (class indices, scores), best first, streamed to CSV; see `class_files.write_predictions`."""
        write_predictions(predictions, Path(path))

    def measure(
        self, predictions: ClassPredictions, target: ClassTruth, images: Sequence[int | str] | None = None
    ) -> State:
        """Places of valid classes. images: ids of those that count; None: all.

        Raises InputError if one of these has no prediction, or is not of the set.
        """
        asked = np.arange(len(target.ids)) if images is None else _rows(images, target)
        place = np.full(len(target.ids), -1, np.int64)
        place[predictions.row] = np.arange(len(predictions.row))
        absent = asked[place[asked] < 0]
        if len(absent):
            more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            raise InputError(f"{predictions.path}: no prediction for image {target.ids[absent[0]]}{more}")
        labels = predictions.labels[place[asked]]
        valid = np.array([len(target.labels[row]) for row in asked.tolist()], np.int64)
        most = int(valid.max(initial=0))
        truth = np.full((len(asked), max(1, most)), -1, np.int64)
        for number, row in enumerate(asked.tolist()):
            truth[number, : valid[number]] = target.labels[row]
        found = (labels[:, :, None] == truth[:, None, :]).any(axis=2)
        rank = np.where(found.any(axis=1), found.argmax(axis=1) if found.shape[1] else 0, -1)
        arrays = {
            "image": target.ids[asked],
            "rank": rank.astype(np.int64),
            "valid": valid,
            "confidence": predictions.confidence[place[asked]],
            TRUTH: truth_digests(np.array(target.labels[row], "<i8").tobytes() for row in asked.tolist()),
        }
        enough = min(PLACES[-1], len(target.classes) or PLACES[-1])
        return State(self.name, self.version, {"labels": labels.shape[1], "enough": enough}, arrays)

    def input_notes(self, predictions: ClassPredictions, target: ClassTruth, state: State) -> list[Note]:
        """Whether far more first classes are right after a shift by one, as with a class of background before them."""
        rows = _rows(state.arrays["image"].tolist(), target)
        place = np.full(len(target.ids), -1, np.int64)
        place[predictions.row] = np.arange(len(predictions.row))
        rows = rows[[bool(target.labels[row]) for row in rows.tolist()]] if len(rows) else rows
        if not len(rows) or not predictions.labels.shape[1]:
            return []
        first = predictions.labels[place[rows], 0]
        valid = [target.labels[row] for row in rows.tolist()]
        return _shift_note(first, valid)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising id. Raises InputError if an image occurs twice or forms differ."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """Both numbers with their 95 % intervals over images, those without a valid class left out."""
        arrays = arrays_of(state, FORM)
        rank = arrays["rank"][arrays["valid"] > 0]
        hits = np.stack([(rank >= 0) & (rank < k) for k in PLACES], axis=1).astype(np.float64)
        n = len(rank)
        ends = intervals(lambda weights: weights @ hits / n, n, resamples, seed) if n else [None] * len(PLACES)
        scores = []
        for k, quantity, right, interval in zip(PLACES, self.quantities, hits.sum(axis=0).tolist(), ends, strict=True):
            if reason := self._lacking(state, k, n):
                scores.append(Measurement(quantity, None, self.name, n=n, reason=Reason(reason)))
            else:
                scores.append(Measurement(quantity, right / n, self.name, interval, n))
        return scores

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """Both numbers as a function of image weights; images without a valid class have none and are left out."""
        arrays = arrays_of(state, FORM)
        counted = arrays["valid"] > 0
        rank = arrays["rank"][counted]
        known = [k for k in PLACES if int(state.params["labels"]) >= min(k, int(state.params["enough"]))]
        right = np.stack([(rank >= 0) & (rank < k) for k in known], axis=1)

        def at(weights: np.ndarray) -> np.ndarray:
            # whole numbers: exact in any order
            with np.errstate(invalid="ignore"):
                return (weights @ right.astype(np.float64)) / weights.sum(axis=1)[:, None]

        truth = arrays[TRUTH][counted] if TRUTH in arrays else None
        names, qualities = tuple(f"top{k}" for k in known), lambda: _qualities(arrays)
        return ByImage(arrays["image"][counted], names, len(names), at, qualities, AT_ONCE, truth, right=right)

    def _lacking(self, state: State, k: int, images: int) -> str:
        """Why there is no such number, or ""."""
        given = int(state.params["labels"])
        if given < min(k, int(state.params["enough"])):
            return f"the predictions name {given} class{'es' if given != 1 else ''} for an image; Top-{k} needs {k}"
        return "" if images else "no image has a valid class"

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image -> how good its prediction is, in [0, 1]: 1 over the place of the best valid class, counted from 1.

        Where none was predicted, at most 0.1, the less the surer the network was. Images without a valid class are
        absent.
        """
        return _qualities(arrays_of(state, FORM))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """Both numbers by going through the CSV in plain Python, image after image; NaN if there is none."""
        truth = self.read_target(target)
        chosen = None if images is None else set(_rows(images, truth).tolist())
        right, counted, given = dict.fromkeys(PLACES, 0), 0, 0
        for fields in self._plain(predictions):
            row = truth.find(fields[0])
            assert row is not None  # the CSV was read before
            given = len(fields) - 1
            valid = truth.labels[row]
            if not valid or (chosen is not None and row not in chosen):
                continue
            counted += 1
            best = [truth.classes.index(text) if text in truth.classes else int(text) for text in fields[1:]]
            for k in PLACES:
                right[k] += any(label in valid for label in best[:k])
        enough = min(PLACES[-1], len(truth.classes) or PLACES[-1])
        missing = {k: counted == 0 or given < min(k, enough) for k in PLACES}
        return {f"top{k}": float("nan") if missing[k] else right[k] / counted for k in PLACES}

    @staticmethod
    def _plain(predictions: Path) -> list[list[str]]:
        """Image and labels of each line."""
        with predictions.open(encoding="utf-8-sig", newline="") as stream:
            heading, *lines = [line for line in csv.reader(stream) if line]
        if heading[1].strip().lower() == "predicted":
            return [[line[0], *line[1].split()] for line in lines]
        names = [name.strip().lower() for name in heading]
        if names[0] == "filename" and "index" in names:  # of timm
            return [[line[0], *line[names.index("index")].strip("[ ]").split()] for line in lines]
        places = [names.index(f"index_{k}") for k in range(len(names)) if f"index_{k}" in names]
        places = places or [names.index(f"label_{k}") for k in range(1, len(names)) if f"label_{k}" in names]
        places = places or [names.index(name) for name in ("label", "class", "prediction") if name in names][:1]
        return [[line[0], *(line[place].strip() for place in places)] for line in lines]


def _shift_note(first: np.ndarray, valid: Sequence[Sequence[int]]) -> list[Note]:
    """A note if first classes (n,) fit poorly, and far better after a shift by one. valid: of each image, not empty.

    Shares are means over classes, so that a network that says the same of many images does not decide; and as many more
    images must be right as do not happen by chance.
    """
    own = np.array([classes[0] for classes in valid])

    def right(by: int) -> np.ndarray:
        wanted = (first + by).tolist()
        return np.array([label in classes for label, classes in zip(wanted, valid, strict=True)])

    def share(hits: np.ndarray) -> float:
        _, where = np.unique(own, return_inverse=True)
        of = np.bincount(where, hits) / np.bincount(where)
        return float(of.mean()) if int((of > 0).sum()) > 2 else 0.0

    present = right(0)
    for by, words in ((-1, "too large by one"), (1, "too small by one")):
        moved = right(by)
        gained, lost = int((moved & ~present).sum()), int((present & ~moved).sum())
        sure = gained - lost >= max(ENOUGH, SURE * (gained + lost) ** 0.5)
        if sure and share(moved) >= share(present) + BETTER:
            effect = (
                f"the first class is right for {present.mean():.0%} of images, and would be for {moved.mean():.0%}; "
                "nothing is converted: classes are counted from 0"
                + (", without one of background before them" if by < 0 else "")
            )
            return [Note("misread_classes", f"predicted classes look {words}", effect=effect)]
    return []


def _qualities(arrays: Mapping[str, np.ndarray]) -> dict[int | str, float]:
    sure = np.clip(arrays["confidence"], 0.0, 1.0)
    quality = np.where(arrays["rank"] >= 0, 1 / (np.maximum(arrays["rank"], 0) + 1.0), 0.1 * (1 - sure))
    counted = arrays["valid"] > 0
    return dict(zip(arrays["image"][counted].tolist(), quality[counted].tolist(), strict=True))


def _rows(images: Sequence[int | str], target: ClassTruth) -> np.ndarray:
    """Rows of the images, rising. Raises InputError for one that the target does not have."""
    chosen: set[int] = set()
    for image in images:
        row = target.find(str(image))
        if row is None:
            raise InputError(f"{target.path}: image {image!r}, asked for, is not one of its {len(target.ids)}")
        chosen.add(row)
    return np.array(sorted(chosen), np.int64)
