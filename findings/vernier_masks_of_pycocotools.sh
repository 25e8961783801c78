#!/usr/bin/env bash
# vernier's COCOeval, a replacement of pycocotools' class with the same constructor, raises for mask results as most
# toolkits write them, without `bbox`: pycocotools' loadRes adds the box of each mask as a NumPy array, and vernier
# takes only a list. Its own reader refuses the same file, and keypoint results too, for want of a `bbox`.
#
# Versions: vernier 0.5.4, pycocotools 2.0.11, numpy 2.4.6, pyarrow 26.0.1.
#
# COCO's format asks for no box beside a segmentation or keypoints. With `bbox` in each row the class takes the file;
# but then pycocotools takes detections' areas from these boxes and not from the masks, which decides what is small.
#
#   results of masks        pycocotools   vernier.COCOeval   vernier's Evaluator
#   without bbox            AP 1.0        ValueError         ValueError
#   with bbox               AP 1.0        AP 1.0             AP 1.0
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check vernier==0.5.4 pycocotools==2.0.11 numpy==2.4.6 pyarrow==26.0.1

cat >call.py <<'E'
import contextlib
import io
import json
from pathlib import Path

import numpy as np
import vernier
from pycocotools import mask as codec
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from vernier.instance import CocoDataset, Evaluator, Segm

pixels = np.zeros((40, 60), np.uint8, order="F")
pixels[10:30, 20:50] = 1
code = codec.encode(pixels)
runs = {"size": [40, 60], "counts": code["counts"].decode()}
box = [20.0, 10.0, 30.0, 20.0]
truth = {
    "images": [{"id": 1, "width": 60, "height": 40, "file_name": "1.png"}],
    "categories": [{"id": 1, "name": "thing"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": runs, "area": 600, "bbox": box, "iscrowd": 0}
    ],
}
Path("truth.json").write_text(json.dumps(truth))
row = {"image_id": 1, "category_id": 1, "segmentation": runs, "score": 0.9}


def by(engine):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO("truth.json")
        evaluation = engine(coco, coco.loadRes("results.json"), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


def by_evaluator(_):
    target = CocoDataset.from_json(Path("truth.json").read_bytes())
    found = Evaluator(iou=Segm(), parity_mode="strict").evaluate(target, Path("results.json").read_bytes())
    return found.stats[0]


for name, rows in (("without bbox", [row]), ("with bbox", [row | {"bbox": box}])):
    Path("results.json").write_text(json.dumps(rows))
    for engine, call in (("pycocotools", by), ("COCOeval", by), ("Evaluator", by_evaluator)):
        try:
            print(name, engine, round(float(call(vernier.COCOeval if engine == "COCOeval" else COCOeval)), 6))
        except Exception as error:
            print(name, engine, type(error).__name__)
E
cat >expected.txt <<'E'
without bbox pycocotools 1.0
without bbox COCOeval ValueError
without bbox Evaluator ValueError
with bbox pycocotools 1.0
with bbox COCOeval 1.0
with bbox Evaluator 1.0
E
env/bin/python -W ignore call.py 2>messages.txt >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
