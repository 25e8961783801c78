#!/usr/bin/env bash
# Two engines with a mode for LVIS differ from the official code in two of its rules.
#
# Versions: lvis 0.5.3 (the official code; `np.float`, which it names and NumPy 1.24 removed, is restored), hotcoco 1.3.0
# and faster-coco-eval 1.8.0 with lvis_style=True, pycocotools 2.0.11 (which knows nothing of LVIS; given `iscrowd: 0`).
#
# The input is valid for all: one picture with a cup at the left, and a detection that finds it with score 0.5. AP:
#
#   what else there is                                   lvis     hotcoco  faster   pycocotools
#   a false detection, 0.9, cup is not exhaustive        1.000    1.000    1.000    0.500
#   a second picture that says nothing of cups, 0.9      1.000    1.000    1.000    0.500
#   a false detection, 0.9, whose width is 0             1.000    0.500    0.500    0.500
#   300 detections of another class, 0.9                 0.000    0.000    1.000    1.000
#
# Rows of area 0 are left out by the official code alone: `LVIS.get_ann_ids` asks for an area above 0. The 300 detections
# of an image are the best of all classes together, whether or not a class is judged there; faster-coco-eval takes 300 of
# each class. So a detector that gives more than 300 detections has a higher AP there than officially.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  numpy==2.4.6 pycocotools==2.0.11 hotcoco==1.3.0 faster-coco-eval==1.8.0 opencv-python-headless==4.14.0.94 matplotlib==3.10.8
env/bin/pip install --quiet --disable-pip-version-check --no-deps lvis==0.5.3 # it asks for an OpenCV with a screen

cat >compare.py <<'E2'
import contextlib
import io
import json
import logging

import faster_coco_eval
import hotcoco
import lvis
import numpy as np
import pycocotools.coco
import pycocotools.cocoeval

logging.disable()
np.float = float


def picture(number, partial=()):
    lists = {"neg_category_ids": [], "not_exhaustive_category_ids": list(partial)}
    return {"id": number, "width": 200, "height": 100, "file_name": f"{number}.jpg", **lists}


def cup(number, left):
    return {"id": number, "image_id": 1, "category_id": 1, "bbox": [left, 10, 40, 40], "area": 1600}


def found(left, score, image=1, category=1, width=40):
    return {"image_id": image, "category_id": category, "bbox": [left, 10, width, 40], "score": score}


CASES = {
    "not exhaustive": ([picture(1, [1])], [cup(1, 10)], [found(10, 0.5), found(99, 0.9)]),
    "another picture": ([picture(1), picture(2)], [cup(1, 10)], [found(10, 0.5), found(10, 0.9, image=2)]),
    "no width": ([picture(1)], [cup(1, 10)], [found(10, 0.5), found(99, 0.9, width=0)]),
    "300 others": ([picture(1)], [cup(1, 10)], [found(10, 0.5), *[found(99, 0.9, category=2)] * 300]),
}


def write(pictures, objects, results):
    categories = [{"id": 1, "name": "cup", "frequency": "f"}, {"id": 2, "name": "fig", "frequency": "f"}]
    for name, rows in (("lvis", objects), ("coco", [{"iscrowd": 0, **row} for row in objects])):
        with open(f"{name}.json", "w") as file:
            json.dump({"images": pictures, "categories": categories, "annotations": rows}, file)
    with open("found.json", "w") as file:
        json.dump(results, file)


def official():
    truth = lvis.LVIS("lvis.json")
    judged = lvis.LVISEval(truth, lvis.LVISResults(truth, "found.json"), "bbox")
    judged.run()
    return judged.get_results()["AP"]


def hot():
    truth = hotcoco.COCO("lvis.json")
    judged = hotcoco.COCOeval(truth, truth.load_res("found.json"), "bbox", lvis_style=True)
    judged.run()
    return judged.get_results()["AP"]


def faster():
    truth = faster_coco_eval.COCO("lvis.json")
    judged = faster_coco_eval.COCOeval_faster(truth, truth.loadRes("found.json"), "bbox", lvis_style=True)
    judged.params.maxDets = [300]
    judged.run()
    return judged.stats[0]


def plain():
    truth = pycocotools.coco.COCO("coco.json")
    judged = pycocotools.cocoeval.COCOeval(truth, truth.loadRes("found.json"), "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    return judged.stats[0]


for name, content in CASES.items():
    write(*content)
    with contextlib.redirect_stdout(io.StringIO()):
        values = [float(engine()) for engine in (official, hot, faster, plain)]
    print(f"{name:16}", *(f"{value:.3f}" for value in values))
E2
cat >expected.txt <<'E2'
not exhaustive   1.000 1.000 1.000 0.500
another picture  1.000 1.000 1.000 0.500
no width         1.000 0.500 0.500 0.500
300 others       0.000 0.000 1.000 1.000
E2
env/bin/python compare.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
