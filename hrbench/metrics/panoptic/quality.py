"""Panoptic quality (PQ, SQ, RQ) of COCO's panoptic format, as panopticapi evaluates it.

Synopsis:

    metric = PanopticQuality()
    target = metric.read_target(Path("annotations/panoptic_val2017.json"))
    state = metric.measure(metric.read_predictions(Path("results"), target), target)
    scores = metric.summarise(metric.merge([state]))

Ground truth: a JSON file, whose PNGs of segment ids lie in the folder of its name without ending. Predictions: such a
JSON file, or a folder with one and its PNGs (`formats.panoptic.files`). What is counted says `counts`, what the numbers
are `scores`. A state has two blocks for each image: its matches, each with its IoU, and its classes with false
positives and misses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.label_folders import in_order
from hrbench.formats.label_runs import runs
from hrbench.formats.panoptic.files import (
    PREDICTED_PNG,
    TRUTH_PNG,
    AnnotatedImage,
    Area,
    PanopticForm,
    PanopticResults,
    PanopticTruth,
    read_results,
    read_truth,
)
from hrbench.formats.panoptic.pixels import VOID, read_ids
from hrbench.formats.panoptic.segments import prediction_fault, truth_fault
from hrbench.formats.panoptic.write import write_folder
from hrbench.metrics.existing import by_name
from hrbench.metrics.panoptic.counts import count, pairs_of
from hrbench.metrics.panoptic.panoptic_analysis import VERSION, panoptic_analysis
from hrbench.metrics.panoptic.reference import official_numbers
from hrbench.metrics.panoptic.scores import MEANS, PARTS, PanopticSums, class_quantities, measurements, sums
from hrbench.metrics.states import TRUTH, StateForm, arrays_of, merge, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import Analysis, ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, State

AT_ONCE = 50
"""How many resamples are counted together."""

SEEN = ("void", "pixels", "larger", "empty", "crowds")
"""Of each image: void pixels and all pixels of the ground truth, annotated segments whose area is above their pixels,
those without a pixel, and crowd regions of a category that has another one."""

FORM = StateForm(
    "panoptic-quality",
    1,
    "image",
    (),
    {"matches": ("match_category", "iou"), "unmatched": ("category", "false_positives", "misses")},
    extra=(TRUTH, *SEEN),
    unlike={"image": "ids of images: numbers and texts"},
)
_KINDS = {
    "match_category": np.int32, "iou": np.float64, "category": np.int32, "false_positives": np.int32,
    "misses": np.int32,
}  # fmt: skip


class PanopticQuality:
    """PQ, SQ and RQ, equal to panopticapi's to the last bit where its sums run image after image.

    per_class: whether to report the numbers of every class, too, as "PQ/<name>", or "PQ/<id>" if its name is not
        unique.
    png_folder: of the PNGs of the ground truth, relative to the JSON file; None for that of its name without ending.
    truth_area, iscrowd: how annotations deviate from COCO's form (`PanopticForm`).
    """

    name = FORM.metric
    version = FORM.version
    analysis_version = VERSION
    prediction_file = "predictions"
    prediction_form = PredictionForm(
        "a JSON file of annotations, one for each image, and a PNG of segment ids for each of them in the folder of "
        "its name (or beside it); `hrbench score` takes the JSON file, too",
        "a pixel's id is R + 256 G + 65536 B, 0 for none, in an 8-bit RGB PNG of the size of the original image; "
        "image_id and category_id are ids of the annotations",
        '{"image_id": 139, "file_name": "000000000139.png", "segments_info": [{"id": 8345, "category_id": 1}, ...]}',
    )
    oracle = "panopticapi"
    quality_is = "the image's own PQ"
    main = "PQ"
    quantities: tuple[Quantity, ...] = MEANS

    def __init__(
        self,
        per_class: bool = False,
        png_folder: str | None = None,
        truth_area: Area = "file",
        iscrowd: Literal["file", 0] = "file",
    ) -> None:
        self.form = PanopticForm(truth_area, iscrowd)
        self.per_class = per_class
        if png_folder is not None and not isinstance(png_folder, str):
            raise UsageError(f"png_folder {png_folder!r}: name a folder")
        self.png_folder = png_folder

    def read_target(self, path: Path) -> PanopticTruth:
        """Annotations; `measure` reads their PNGs. Raises MissingError, InputError naming the first fault."""
        path = Path(path)
        return read_truth(path, None if self.png_folder is None else path.parent / self.png_folder, self.form)

    def read_predictions(self, path: Path, target: PanopticTruth) -> PanopticResults:
        """Predictions; `measure` reads their PNGs. Images without one are left out.

        Raises MissingError, InputError naming the first fault.
        """
        return read_results(Path(path), target)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes a folder as `read_predictions` takes it; see `formats.panoptic.write.write_folder`."""
        write_folder(predictions, path)

    def measure(
        self, predictions: PanopticResults, target: PanopticTruth, images: Sequence[int | str] | None = None
    ) -> State:
        """Counts of all annotated images, or of those in `images`. A few are read at a time.

        Raises InputError naming file and image for a damaged PNG, another size, ids and segments that do not belong
        together, an image without prediction.
        """
        chosen = _chosen(images, predictions, target)

        def counted(image: AnnotatedImage) -> dict[str, Any]:
            return _counted(image, predictions.images[image.id])

        rows = list(in_order(counted, chosen))
        ids = [image.id for image in chosen]
        numbered = isinstance(next(iter(target.images)), int)
        arrays: dict[str, np.ndarray] = {"image": np.array(ids, np.int64 if numbered else np.str_)}
        arrays[TRUTH] = np.array([row[TRUTH] for row in rows], np.uint64)
        arrays |= {name: np.array([row[name] for row in rows], np.int64) for name in SEEN}
        for many, names in FORM.blocks.items():
            arrays[many] = np.array([len(row[names[0]]) for row in rows], np.int64)
            for name in names:
                parts = [row[name] for row in rows]
                arrays[name] = np.concatenate([np.zeros(0), *parts]).astype(_KINDS[name])
        categories = target.categories
        params = {
            "categories": categories.ids.tolist(),
            "names": list(categories.names),
            "things": categories.things.tolist(),
            **self.form.stated(),
        }
        return State(FORM.metric, FORM.version, params, arrays)

    def input_notes(self, predictions: PanopticResults, target: PanopticTruth, state: State) -> list[Note]:
        """What in annotations changes these numbers, or may."""
        void, pixels, larger, empty, crowds = (int(state.arrays[name].sum()) for name in SEEN)
        notes = []
        if void:
            what = f"pixels ({100 * void / pixels:.1f} %) are annotated as void"
            notes.append(
                Note("void_pixels", what, void, pixels, "whatever is predicted there is neither right nor wrong")
            )
        if larger:
            what = "annotated segments have an area above their pixels"
            effect = "the area of the file is taken, as panopticapi does"
            notes.append(Note("larger_areas", what, larger, effect=effect, option="truth_area: pixels"))
        if empty:
            notes.append(Note("empty_segments", "annotated segments have no pixel", empty, effect="they are missed"))
        if crowds:
            what = "crowd regions share their category with a later one of their image"
            notes.append(Note("crowds_of_one_category", what, crowds, effect="predictions in them count as wrong"))
        return notes

    def analyse(self, predictions: PanopticResults, target: PanopticTruth, state: State) -> Analysis:
        """What PQ loses by class, what segments without a match are, confused classes, segments by size."""
        return panoptic_analysis(self.name, arrays_of(state, FORM), state.params, predictions, target)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError if an image occurs twice or params differ."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The nine means with their 95 % intervals over images (none with resamples=0), then those of classes."""
        totals, names = _sums(state), state.params["names"]
        quantities = (*MEANS, *(class_quantities(names) if self.per_class else ()))
        images = totals.counts.shape[1]
        shown = len(quantities)
        ends = intervals(lambda weights: totals.at(weights)[:, :shown], images, resamples, seed, at_once=AT_ONCE)
        values = totals.at(np.ones((1, images), np.int64))[0, :shown].tolist()
        return measurements(self.name, quantities, values, ends, totals, names)

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The nine means as a function of image weights, then the numbers of each class if `classes`."""
        arrays, totals = arrays_of(state, FORM), _sums(state)
        names = [each.name for each in (*MEANS, *(class_quantities(state.params["names"]) if classes else ()))]

        def at(weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
            return totals.at(weights, once)[:, : len(names)]

        qualities = lambda: by_name(arrays["image"], totals.images()[:, 0])  # noqa: E731
        return ByImage(
            arrays["image"], tuple(names), len(MEANS), at, qualities, AT_ONCE, arrays.get(TRUTH), resampled=at
        )

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> its own PQ, in [0, 1], over the classes in it; images without segments are absent."""
        return by_name(arrays_of(state, FORM)["image"], _sums(state).images()[:, 0])

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """All numbers by panopticapi's evaluation, NaN if it has none. Raises UsageError if it is not installed."""
        truth = self.read_target(target)
        found = self.read_predictions(predictions, truth)
        categories = truth.categories
        ids = categories.ids.tolist()
        pairs = [
            (_as_file(image, truth.folder, ids), _as_file(found.images[image.id], found.folder, ids))
            for image in _chosen(images, found, truth)
        ]
        kinds = {one: {"isthing": int(thing)} for one, thing in zip(ids, categories.things.tolist(), strict=True)}
        numbers = official_numbers(pairs, (truth.folder, found.folder), kinds)
        asked = [(f"{{}}{group}", group) for group in ("", "_things", "_stuff")]
        if self.per_class:
            asked += [(f"{{}}/{name}", one) for name, one in zip(categories.names, ids, strict=True)]
        return {name.format(part): numbers[key][at] for name, key in asked for at, (part, _) in enumerate(PARTS)}


def _sums(state: State) -> PanopticSums:
    return sums(arrays_of(state, FORM), state.params)


def _chosen(
    images: Sequence[int | str] | None, predictions: PanopticResults, target: PanopticTruth
) -> list[AnnotatedImage]:
    """The images to evaluate, by rising id. Raises InputError if one is unknown or has no prediction."""
    for image in images or ():
        if image not in target.images:
            raise InputError(f"{target.path}: image {image!r}, asked for, is not among its {len(target.images)}")
    asked = target.images.keys() if images is None else {*images}
    chosen = [image for one, image in target.images.items() if one in asked]
    absent = [image.id for image in chosen if image.id not in predictions.images]
    if absent:
        raise InputError(
            f"{predictions.path}: no prediction for {len(absent)} of {len(chosen)} images, the first is {absent[0]!r}"
        )
    return chosen


def _counted(image: AnnotatedImage, found: AnnotatedImage) -> dict[str, Any]:
    """The rows of one image. Raises InputError naming the file at fault and the image."""
    own, seen = read_ids(image.png, TRUTH_PNG), read_ids(found.png, PREDICTED_PNG)
    height, width = own.shape
    if image.size not in (None, (width, height)):
        listed = f"{image.size[0]}x{image.size[1]}" if image.size else ""
        raise InputError(f"{image.png}: image {image.id!r} is {width}x{height} pixels, and listed with {listed}")
    if seen.shape != own.shape:
        raise InputError(
            f"{found.png}: image {image.id!r} is {seen.shape[1]}x{seen.shape[0]} pixels, its ground truth {image.png} "
            f"{width}x{height}; they must be alike"
        )
    pairs = pairs_of(own, seen)
    ids, pixels = pairs.areas(pairs.truth)
    fault, option = truth_fault(image.segments, ids, pixels)
    if fault:
        raise InputError(f"{image.png}: image {image.id!r}: {fault}", option)
    void = int(pixels[ids == VOID].sum())
    at = image.segments.places(ids)
    larger = int((image.segments.area[at[at >= 0]] > pixels[at >= 0]).sum())
    if fault := prediction_fault(found.segments, *pairs.areas(pairs.found)):
        raise InputError(f"{found.png}: image {image.id!r}: {fault}")
    counts = count(pairs, image.segments, found.segments)
    wrong = np.concatenate([counts.false, counts.missed])
    category, place = np.unique(wrong, return_inverse=True)
    false = np.bincount(place[: len(counts.false)], minlength=len(category))
    crowds = image.segments.category[image.segments.crowd]
    return {
        "match_category": counts.matched,
        "iou": counts.iou,
        "category": category,
        "false_positives": false,
        "misses": np.bincount(place, minlength=len(category)) - false,
        "void": void,
        "pixels": own.size,
        "larger": larger,
        "empty": len(image.segments.ids) - int((at >= 0).sum()),
        "crowds": len(crowds) - len(np.unique(crowds)),
        TRUTH: _digest(own, image),
    }


def _digest(own: np.ndarray, image: AnnotatedImage) -> int:
    """Of the annotated ids by their runs, and of the segments, whatever their order."""
    (values,), lengths = runs([own])
    segments = image.segments
    order = np.argsort(segments.ids)
    columns = (segments.ids, segments.category, segments.crowd, np.nan_to_num(segments.area, nan=-1))
    parts = [np.array(own.shape, "<i8"), values.astype("<u4"), lengths.astype("<i8")]
    parts += [np.ascontiguousarray(column[order].astype("<f8")) for column in columns]
    return int(truth_digests([parts])[0])


def _as_file(image: AnnotatedImage, folder: Path, categories: Sequence[int]) -> dict[str, Any]:
    """An image as its JSON file has it. categories: ids by position."""
    segments = image.segments
    area = segments.area
    if np.isnan(area).any():  # counted from the pixels, or of predictions, where the evaluation counts itself
        ids, pixels = np.unique(read_ids(image.png, TRUTH_PNG), return_counts=True)
        known = dict(zip(ids.tolist(), pixels.tolist(), strict=True))
        area = np.array([known.get(one, 0) for one in segments.ids.tolist()])
    rows = zip(segments.ids.tolist(), segments.category.tolist(), segments.crowd.tolist(), area.tolist(), strict=True)
    listed = [
        {"id": one, "category_id": categories[place], "iscrowd": int(crowd), "area": pixels}
        for one, place, crowd, pixels in rows
    ]
    return {"image_id": image.id, "file_name": image.png.relative_to(folder).as_posix(), "segments_info": listed}
