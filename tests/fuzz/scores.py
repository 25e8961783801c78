"""Files that a metric reads. What is accepted gets the numbers of the metric's reference implementation."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import random_coco
import random_instances
import random_lvis
import random_panoptic
import random_poses
import random_streets
from PIL import Image
from scipy.io import savemat

from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError, InputError
from hrbench.formats.coco import rle
from hrbench.formats.labels import read_labels
from tests.fuzz import damage
from tests.fuzz.case import Case, NonsenseError, as_json

JOINTS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip


LENGTHS = ("epe", "nme")
"""What numbers begin with that may be larger than 1."""


def judged(metric: str, truth: str, predictions: str, folder: Path, **options: Any) -> dict[str, float | None]:
    """Numbers by name, held to the reference implementation where it takes the same files."""
    scorer = resolve("hrbench.metrics", metric)(**options)
    target = scorer.read_target(folder / truth)
    state = scorer.measure(scorer.read_predictions(folder / predictions, target), target)
    found = {score.quantity.name: score.value for score in scorer.summarise(state, resamples=20, seed=0)}
    for name, value in found.items():
        if value is not None and not 0 <= value <= (math.inf if name.startswith(LENGTHS) else 1):
            raise NonsenseError(f"{name} is {value}")
    try:
        reference = scorer.verify(folder / truth, folder / predictions)
    except HrbenchError as error:
        if "not valid JSON" in str(error):  # of a key that nobody reads, such as a number of thousands of digits
            return {**found, "reference": None}
        raise NonsenseError(f"scored, and then refused: {error}") from None
    except Exception:  # the reference does not take these files
        return {**found, "reference": None}
    for name, value in reference.items():
        if found[name] != (None if value == -1 or math.isnan(value) else value):
            raise NonsenseError(f"{name} is {found[name]!r} here and {value!r} by {scorer.oracle}")
    return found


# --- COCO ------------------------------------------------------------------------------------------------------------


def _coco(of: Callable[[], tuple[dict[str, Any], list[dict[str, Any]]]], folder: Path) -> None:
    truth, results = of()
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))


COCO = {"truth.json": as_json, "results.json": as_json}


def _code(folder: Path) -> None:
    mask = np.random.default_rng(3).random((13, 17)) < 0.4
    lengths = np.diff(np.flatnonzero(np.diff(np.concatenate(([2], mask.ravel("F"), [2])))))
    runs = [*([0] if mask[0, 0] else []), *lengths.tolist()]
    (folder / "mask.json").write_text(json.dumps({"size": list(mask.shape), "counts": _compressed(runs)}))


def _compressed(runs: list[int]) -> str:
    """Compressed text of run lengths, as COCO's maskApi.c describes it."""
    text = ""
    for place, run in enumerate(runs):
        number = run - runs[place - 2] if place > 2 else run
        more = True
        while more:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | 32 if more else bits))
    return text


def _runs(text: str) -> list[int]:
    """Run lengths of compressed text, number by number."""
    runs: list[int] = []
    at = 0
    while at < len(text):
        number, shift, more = 0, 0, True
        while more:
            bits = ord(text[at]) - 48
            number |= (bits & 31) << shift
            more, shift, at = bool(bits & 32), shift + 5, at + 1
            if not more and bits & 16:
                number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
    return runs


def _read_code(folder: Path) -> dict[str, Any]:
    """The mask of a code by the reader, held to a decoder that goes run by run."""
    try:
        content = json.loads((folder / "mask.json").read_bytes())
        size, counts = content["size"], content["counts"]
        height, width = (int(side) for side in size if type(side) is int)
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        raise InputError("not a code") from None
    try:
        mask = rle.decoded(str(counts), (height, width))
    except rle.CodeError as error:
        raise InputError(str(error)) from None
    flat = [place % 2 for place, run in enumerate(_runs(str(counts))) for _ in range(run)]
    if mask.shape != (height, width) or mask.ravel("F").tolist() != flat:
        raise NonsenseError("the mask is another one than its runs say")
    return {"area": int(mask.sum())}


# --- MPII ------------------------------------------------------------------------------------------------------------


def _matlab(path: Path, variables: dict[str, Any], compressed: bool) -> None:
    """SciPy's file, without the time in its head."""
    savemat(path, variables, do_compression=compressed)
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + path.read_bytes()[116:])


def _mpii(folder: Path, compressed: bool) -> None:
    rng, people = np.random.default_rng(5), 4
    names = np.empty((1, 16), object)
    names[0] = JOINTS
    place = rng.uniform(20, 400, (16, 2, people))
    heads = np.concatenate([place[9][None], place[9][None] + rng.uniform(20, 60, (1, 2, people))])
    truth = {"dataset_joints": names, "pos_gt_src": place, "headboxes_src": heads}
    truth["jnt_missing"] = (rng.random((16, people)) < 0.2).astype(np.uint8)
    _matlab(folder / "gt_valid.mat", truth, compressed)
    guesses = place.transpose(2, 0, 1) + rng.normal(0, 15, (people, 16, 2))
    if compressed:
        _matlab(folder / "pred.mat", {"preds": guesses.astype(np.float32)}, True)
    else:
        np.save(folder / "pred.npy", np.concatenate([guesses - 1, np.ones((people, 16, 1))], 2).astype(np.float32))
        images = [{"image": name} for name in ("b.jpg", "a.jpg", "b.jpg", "c.jpg")]
        (folder / "valid.json").write_text(json.dumps(images))


def _faces(folder: Path) -> None:
    """HRNet's CSV of five faces, one of a subset."""
    rng = np.random.default_rng(8)
    points = rng.uniform(10, 90, (5, 29, 2)).round(1)
    lines = [",".join(map(str, (f"{n % 3}.jpg", 0.5, 50.0, 50.0, *one.ravel()))) for n, one in enumerate(points)]
    heading = ",".join(f"column_{place}" for place in range(62))
    (folder / "faces.csv").write_text("\n".join([heading, *lines]))
    (folder / "faces_blur.csv").write_text("\n".join([heading, lines[2]]))
    np.save(folder / "points.npy", (points + rng.normal(0, 2, points.shape)).astype(np.float32))


def _tracked(folder: Path) -> None:
    """A video with regions to ignore, and results."""
    truth, results = random_poses.posetrack(6, frames=4)
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))


def _wflw(folder: Path) -> None:
    """WFLW's own list of three faces."""
    rng = np.random.default_rng(9)
    points = rng.uniform(10, 90, (3, 98, 2)).round(1)
    marks = rng.integers(0, 2, (3, 6))
    lines = [" ".join(map(str, (*one.ravel(), 10, 10, 90, 90, *mark, f"a/{n}.jpg")))
             for n, (one, mark) in enumerate(zip(points, marks, strict=True))]  # fmt: skip
    (folder / "list.txt").write_text("\n".join(lines))
    np.save(folder / "points.npy", (points + rng.normal(0, 2, points.shape)).astype(np.float32))


def _mpii_rows(folder: Path) -> None:
    """With scales, and predictions as rows."""
    _mpii(folder, compressed=False)
    points = np.load(folder / "pred.npy")
    (folder / "pred.npy").unlink()
    rows = [{"index": number, "keypoints": one.ravel().tolist()} for number, one in enumerate(points)]
    (folder / "rows.json").write_text(json.dumps(rows))
    people = json.loads((folder / "valid.json").read_text())
    (folder / "valid.json").write_text(json.dumps([{**person, "scale": 1.5} for person in people]))


# --- classes ---------------------------------------------------------------------------------------------------------

LINES = [(f"n{number % 4:02d}/image_{number}.JPEG", number % 7) for number in range(9)]


def _classes(folder: Path) -> None:
    (folder / "val.txt").write_text("".join(f"{name} {label}\n" for name, label in LINES))
    _predicted(folder, [name for name, _ in LINES])


def _predicted(folder: Path, names: list[str], places: int = 5) -> None:
    rng = np.random.default_rng(1)
    heading = ["image", *(f"label_{k + 1}" for k in range(places)), *(f"score_{k + 1}" for k in range(places))]
    rows = [",".join(heading)]
    for name in names:
        labels, values = rng.permutation(7)[:places].tolist(), np.sort(rng.random(places))[::-1].round(4).tolist()
        rows.append(",".join(map(str, (name, *labels, *values))))
    (folder / "predictions.csv").write_text("\n".join(rows) + "\n")


def _real(folder: Path) -> None:
    named = {f"image_{number}": sorted({number % 7, number % 3}) for number in range(8)}
    (folder / "real.json").write_text(json.dumps({**named, "image_8": []}))
    _predicted(folder, [*named, "image_8"])


def _inaturalist(folder: Path, boxed: bool = False) -> None:
    content: dict[str, Any] = {
        "images": [{"id": n, "file_name": f"a/{n}.jpg", "width": 40, "height": 30} for n in range(6)],
        "categories": [{"id": 3 * n, "name": f"kind {n}", "supercategory": "Aves"} for n in range(7)],
        "annotations": [{"id": n, "image_id": n, "category_id": 3 * (n % 7)} for n in range(6)],
    }
    if boxed:
        content["annotations"] = [{**row, "bbox": [1.0, 2.0, 10.5, 12]} for row in content["annotations"]]
    (folder / "val2017.json").write_text(json.dumps(content))
    _predicted(folder, [str(n) for n in range(6)])


def _devkit(folder: Path) -> None:
    kinds = np.dtype([("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)])
    synsets = np.empty((8, 1), kinds)
    for number in range(8):
        synsets[number, 0] = (np.array([[float(number + 1)]]), f"n0{9 - number}", np.array([[float(number == 7)]]))
    _matlab(folder / "meta.mat", {"synsets": synsets}, True)
    (folder / "ids.txt").write_text("\n".join(str(1 + n % 7) for n in range(6)))
    _predicted(folder, [f"ILSVRC2012_val_{n + 1:08d}" for n in range(6)])


# --- label maps ------------------------------------------------------------------------------------------------------

NAMES = tuple(f"class {number}" for number in range(5))


def _maps(folder: Path) -> None:
    rng = np.random.default_rng(2)
    palette = rng.integers(0, 256, 768, np.uint8).tobytes()
    for number in range(3):
        truth = np.kron(rng.integers(0, 5, (4, 5)), np.ones((3, 3), np.int64)).astype(np.uint8)
        guess = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(0, 5, truth.shape)).astype(np.uint8)
        for kind, values in (("truth", truth), ("guess", guess)):
            (folder / kind).mkdir(exist_ok=True)
            picture = Image.fromarray(values.astype(np.uint16) if number == 1 else values)
            if number == 2:
                picture.putpalette(palette)
            picture.save(folder / kind / f"{number}.png")


def _judged_maps(folder: Path) -> dict[str, float | None]:
    """Mean IoU, of maps that have the pixels which Pillow reads from the whole file."""
    found = judged("miou", "truth", "guess", folder, names=NAMES)
    for path in folder.glob("*/*.png"):
        try:
            with Image.open(path) as picture:
                pixels = np.asarray(picture)
        except Exception:  # of a chunk that says nothing about labels
            continue
        labels = read_labels(path, "labels")
        shades = int(pixels.max(initial=0)) // max(1, int(labels.max(initial=0)))  # grey of 2 and 4 bits is stretched
        if labels.shape != pixels.shape or not np.array_equal(labels.astype(np.int64) * max(1, shades), pixels):
            raise NonsenseError(f"{path.name} has other labels than pixels")
    return found


def _streets(folder: Path) -> None:
    random_streets.write(folder, 4, scenes=2)


def _exported(of: Callable[[], tuple[dict[str, Any], list[dict[str, Any]]]], folder: Path) -> None:
    """As labelling tools write them: ids from 0, no areas, no crowds, a root category, images by names, ids as 3.0."""
    truth, results = of()
    truth["categories"] = [{"id": 0, "name": "things", "supercategory": "none"}] + [
        {**row, "supercategory": "things"} for row in truth["categories"]
    ]
    names = {row["id"]: f"image {row['id']}.jpg" for row in truth["images"]}
    for row in truth["images"]:
        row["file_name"] = f"shots/{names[row['id']]}"
    for number, row in enumerate(truth["annotations"]):
        row |= {"id": number, "category_id": float(row["category_id"])}
        row = {key: row.pop(key) for key in ("area", "iscrowd", "num_keypoints") if key in row}
    for row in results:
        row["image_id"] = names[row["image_id"]]
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))


def _polygons(folder: Path) -> None:
    """Results whose masks are polygons, plain and compressed codes."""
    truth, results = random_instances.case(4, images=3, masks=True)
    shapes = [row["segmentation"] for row in truth["annotations"]]
    for number, row in enumerate(results):
        there = [shape for shape, own in zip(shapes, truth["annotations"], strict=True)
                 if own["image_id"] == row["image_id"]]  # fmt: skip
        if there:
            row["segmentation"] = there[number % len(there)]
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))


def _panoptic(folder: Path) -> None:
    random_panoptic.write(folder, random_panoptic.case(3, images=4))


EXPORT = {"renumber": True, "iscrowd": 0, "match": "file_name", "whole_ids": True, "root_category": "drop"}
EXPORT["text_numbers"] = True


def _timm(folder: Path) -> None:
    _classes(folder)
    rows = ["filename,index_0,index_1,index_2,index_3,index_4,prob_0"]
    for number, (name, label) in enumerate(LINES):
        rows.append(",".join([name, *(str((label + number + place) % 7) for place in range(5)), f"0.{number}5"]))
    (folder / "predictions.csv").write_text("\n".join(rows) + "\n")


CASES = [
    Case("coco-keypoints of an export", partial(_exported, partial(random_coco.case, 2, images=4)), COCO,
         partial(judged, "coco-keypoints", "truth.json", "results.json", **EXPORT, truth_area="box*0.53",
                 num_keypoints="joints")),
    Case("coco-boxes of an export", partial(_exported, partial(random_instances.case, 3, images=4)), COCO,
         partial(judged, "coco-boxes", "truth.json", "results.json", **EXPORT, truth_area="segmentation")),
    Case("lvis-boxes", partial(_coco, partial(random_lvis.case, 3, images=4, crowded=20)), COCO,
         partial(judged, "lvis-boxes", "truth.json", "results.json", max_detections=12), share=2),
    Case("lvis-masks", partial(_coco, partial(random_lvis.case, 4, images=3, masks=True, crowded=20)), COCO,
         partial(judged, "lvis-masks", "truth.json", "results.json"), share=2),
    Case("lvis-boxes of an export", partial(_coco, partial(random_lvis.case, 5, images=4, crowded=20)), COCO,
         partial(judged, "lvis-boxes", "truth.json", "results.json", renumber=True, match="file_name", whole_ids=True,
                 text_numbers=True, truth_area="box")),
    Case("coco-masks of an export", partial(_exported, partial(random_instances.case, 4, images=3, masks=True)), COCO,
         partial(judged, "coco-masks", "truth.json", "results.json", **EXPORT, truth_area="box")),
    Case("coco-masks of polygons", _polygons, COCO,
         partial(judged, "coco-masks", "truth.json", "results.json", max_detections=[1, 5, 300]), share=2),
    Case("coco-masks of one class", partial(_coco, partial(random_instances.case, 5, images=3, masks=True)), COCO,
         partial(judged, "coco-masks", "truth.json", "results.json", class_agnostic=True, iou_thresholds=[0.2, 0.6],
                 areas={"tiny": [0, 256], "vast": [5000, None]}, recall_thresholds=11)),
    Case("topk of timm", _timm, {"predictions.csv": damage.text_mutant},
         partial(judged, "topk", "val.txt", "predictions.csv")),
    Case("coco-keypoints", partial(_coco, partial(random_coco.case, 2, images=4)), COCO,
         partial(judged, "coco-keypoints", "truth.json", "results.json"), share=3),
    Case("crowdpose-keypoints", partial(_coco, partial(random_poses.crowdpose, 2, images=4)), COCO,
         partial(judged, "crowdpose-keypoints", "truth.json", "results.json"), share=2),
    Case("wholebody-keypoints", partial(_coco, partial(random_poses.wholebody, 1, images=2)), COCO,
         partial(judged, "wholebody-keypoints", "truth.json", "results.json"), share=2),
    Case("coco-boxes", partial(_coco, partial(random_instances.case, 3, images=4)), COCO,
         partial(judged, "coco-boxes", "truth.json", "results.json"), share=3),
    Case("coco-masks", partial(_coco, partial(random_instances.case, 4, images=3, masks=True)), COCO,
         partial(judged, "coco-masks", "truth.json", "results.json"), share=3),
    Case("run lengths", _code, {"mask.json": as_json}, _read_code, share=2),
    Case("mpii-pckh", partial(_mpii, compressed=False),
         {"gt_valid.mat": damage.mat_mutant, "pred.npy": damage.mutant, "valid.json": as_json},
         partial(judged, "mpii-pckh", "gt_valid.mat", "pred.npy"), share=2),
    Case("mpii-pckh of MATLAB", partial(_mpii, compressed=True),
         {"gt_valid.mat": damage.mat_mutant, "pred.mat": damage.mat_mutant},
         partial(judged, "mpii-pckh", "gt_valid.mat", "pred.mat"), share=2),
    Case("pck", partial(_coco, partial(random_coco.case, 5, images=4)), COCO,
         partial(judged, "pck", "truth.json", "results.json"), share=2),
    Case("pck of MPII", _mpii_rows,
         {"gt_valid.mat": damage.mat_mutant, "rows.json": as_json, "valid.json": as_json},
         partial(judged, "pck", "gt_valid.mat", "rows.json"), share=2),
    Case("posetrack-ap", _tracked, {"truth.json": as_json, "results.json": as_json},
         partial(judged, "posetrack-ap", "truth.json", "results.json")),
    Case("nme", _faces, {"faces*.csv": damage.text_mutant, "points.npy": damage.mutant},
         partial(judged, "nme", "faces.csv", "points.npy"), share=2),
    Case("nme of WFLW", _wflw, {"list.txt": damage.text_mutant, "points.npy": damage.mutant},
         partial(judged, "nme", "list.txt", "points.npy")),
    Case("topk", _classes, {"val.txt": damage.text_mutant, "predictions.csv": damage.text_mutant},
         partial(judged, "topk", "val.txt", "predictions.csv"), share=2),
    Case("topk of lists", _real, {"real.json": as_json, "predictions.csv": damage.text_mutant},
         partial(judged, "topk", "real.json", "predictions.csv")),
    Case("topk of iNaturalist", _inaturalist, {"val2017.json": as_json, "predictions.csv": damage.text_mutant},
         partial(judged, "topk", "val2017.json", "predictions.csv")),
    Case("topk of the devkit", _devkit, {"meta.mat": damage.mat_mutant, "ids.txt": damage.text_mutant},
         partial(judged, "topk", "ids.txt", "predictions.csv")),
    Case("miou", _maps, {"truth/*.png": damage.png_mutant, "guess/*.png": damage.png_mutant},
         _judged_maps, share=2),
    Case("cityscapes", _streets,
         {"gtFine/**/*.png": damage.png_mutant, "results/**/*.png": damage.png_mutant},
         partial(judged, "cityscapes", "gtFine/val", "results"), share=1),
    Case("panoptic-quality", _panoptic,
         {"*.json": as_json, "truth/*.png": damage.png_mutant, "results/*.png": damage.png_mutant},
         partial(judged, "panoptic-quality", "truth.json", "results.json", per_class=True), share=3),
    Case("panoptic-quality of an export", _panoptic, {"*.json": as_json},
         partial(judged, "panoptic-quality", "truth.json", "results.json", truth_area="pixels", iscrowd=0)),
]  # fmt: skip
