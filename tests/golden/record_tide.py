"""Records tidecv's own numbers of random data sets, in an environment of its own.

    uv venv peer && uv pip install -p peer tidecv==1.0.1 numpy==1.26.4 'setuptools<70'
    PYTHONPATH=tests/helpers peer/bin/python tests/golden/record_tide.py coco > tests/golden/data/tide/numbers.json
    PYTHONPATH=tests/helpers peer/bin/python tests/golden/record_tide.py lvis > tests/golden/data/tide/lvis.json

tidecv 1.0.1 with NumPy 1.26.4 and pycocotools 2.0.11. Of every data set: the digest of what was drawn, AP at IoU 0.5,
what each error costs, what all false positives and negatives cost, all in points, and how many errors there are.

The data sets have ties, crowds, empty images, classes without objects, objects and detections twice, and more
detections than count. Scores are 0 or more, since tidecv fails on scores of -1 or less; images are in the order of
their ids, since tidecv takes equal scores in the order of the file. Those of LVIS are read by tidecv's own reader; they
have neither flags `ignore` nor rows of area 0, which LVIS leaves out and tidecv does not know.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import random_instances
import random_lvis

SEEDS, LVIS_SEEDS = range(28), range(16)


def drawn(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Annotations and results of a seed: masks if it is odd, else boxes."""
    truth, results = random_instances.case(seed, categories=1 + seed % 4, images=4 + seed % 9, masks=seed % 2 == 1)
    images = [{**image, "file_name": str(image["id"])} for image in truth["images"]]
    images.sort(key=lambda image: image["id"])
    rows = [{**row, "score": max(row["score"], 0.0)} for row in results]
    classes = [category["id"] for category in truth["categories"]]
    for row in rows[::3]:  # of another class, where there is one
        row["category_id"] = classes[(classes.index(row["category_id"]) + 1) % len(classes)]
    return {**truth, "images": images}, rows


def drawn_lvis(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The same in LVIS's form."""
    masks = seed % 2 == 1
    truth, results = random_lvis.case(seed, categories=2 + seed % 5, images=4 + seed % 9, masks=masks)
    truth["images"].sort(key=lambda image: image["id"])
    for row in truth["annotations"]:
        row.pop("ignore", None)
        row.pop("iscrowd", None)
        row["area"] = max(row["area"], 1.0)
    found = [{**row, "score": max(row["score"], 0.0)} for row in results]
    return truth, [row for row in found if _area(row) > 0]


def _area(row: dict[str, Any]) -> float:
    from pycocotools import mask

    return float(mask.area(row["segmentation"])) if "segmentation" in row else row["bbox"][2] * row["bbox"][3]


def digest(made: tuple[dict[str, Any], list[dict[str, Any]]]) -> str:
    """SHA-256 of a data set."""
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()


def recorded(kind: str, seed: int, folder: Path) -> dict[str, Any]:
    """What tidecv gives for the data set of a seed. kind: "coco" or "lvis"."""
    from tidecv import TIDE
    from tidecv.datasets import COCO, LVIS, COCOResult

    made = drawn(seed) if kind == "coco" else drawn_lvis(seed)
    reader = COCO if kind == "coco" else LVIS
    for name, content in zip(("truth.json", "results.json"), made, strict=True):
        (folder / name).write_text(json.dumps(content))
    tide = TIDE()
    truth, results = reader(str(folder / "truth.json")), COCOResult(str(folder / "results.json"))
    run = tide.evaluate(truth, results, mode=TIDE.MASK if seed % 2 else TIDE.BOX)
    errors = tide.get_all_errors()
    (name,) = errors["main"]
    return {
        "digest": digest(made),
        "ap": run.ap,
        "costs": errors["main"][name],
        "totals": errors["special"][name],
        "counts": {kind.short_name: many for kind, many in run.count_errors().items()},
    }


def main() -> None:
    made = {}
    (kind,) = sys.argv[1:]
    for seed in SEEDS if kind == "coco" else LVIS_SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            made[seed] = recorded(kind, seed, Path(folder))
    json.dump(made, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
