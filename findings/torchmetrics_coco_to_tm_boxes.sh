#!/usr/bin/env bash
# torchmetrics' MeanAveragePrecision reads COCO files by its method `coco_to_tm`; given to the same object's `update`,
# perfect results have an mAP far from 1, without a warning: the boxes keep COCO's form (x, y, width, height), and the
# object takes corners unless it was made with `box_format="xywh"`.
#
# Versions: torchmetrics 1.9.0, torch 2.14.1, torchvision 0.29.1, pycocotools 2.0.11, numpy 2.4.6.
#
# A box whose width is less than its x has, read as corners, a negative width. The method does not look at the form
# that its object was made with.
#
#   made with                                 mAP of results equal to the annotations
#   MeanAveragePrecision()                    0.0
#   MeanAveragePrecision(box_format="xywh")   1.0
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.14.1 torchvision==0.29.1 \
  pycocotools==2.0.11 numpy==2.4.6

cat >call.py <<'E'
import contextlib
import io
import json
from pathlib import Path

from torchmetrics.detection import MeanAveragePrecision

boxes = [[100.0, 80.0, 40.0, 30.0], [200.0, 120.0, 60.0, 90.0], [300.0, 10.0, 50.0, 70.0]]
truth = {
    "images": [{"id": n + 1, "width": 400, "height": 300, "file_name": f"{n}.png"} for n in range(3)],
    "categories": [{"id": 1, "name": "thing"}],
    "annotations": [
        {"id": n + 1, "image_id": n + 1, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for n, box in enumerate(boxes)
    ],
}
Path("truth.json").write_text(json.dumps(truth))
rows = [{"image_id": n + 1, "category_id": 1, "bbox": box, "score": 0.9} for n, box in enumerate(boxes)]
Path("results.json").write_text(json.dumps(rows))

for made in ({}, {"box_format": "xywh"}):
    metric = MeanAveragePrecision(**made)
    with contextlib.redirect_stdout(io.StringIO()):
        metric.update(*metric.coco_to_tm("results.json", "truth.json", iou_type="bbox"))
        print_as = round(float(metric.compute()["map"]), 4)
    print(made.get("box_format", "as it is made"), print_as)
E
cat >expected.txt <<'E'
as it is made 0.0
xywh 1.0
E
env/bin/python -W error::UserWarning call.py 2>messages.txt >seen.txt || { cat messages.txt; exit 1; }
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
