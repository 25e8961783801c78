#!/usr/bin/env bash
# Four engines that stand in for pycocotools give other numbers, or an exception, for files that it reads.
#
# Versions: pycocotools 2.0.11, hotcoco 1.3.0, faster-coco-eval 1.8.0, ultrafast-pycocotools 0.1.14, and vernier 0.5.4
# in its strict mode, which reads files by pycocotools. Nothing is set but what the row says.
#
# Each input is one picture with one or two objects, all of which are found. AP of boxes, or of masks where it says so:
#
#   input                                         pycocotools   hotcoco   faster   ultrafast   vernier
#   plain                                         1             1         1        1           1
#   an annotation with the id 0                   0.2525        1         0.2525   1           1
#   two annotations with one id                   0.2525        0.2525    0.2525   0.2525      1
#   class-agnostic (useCats=0), equal scores      0.835         0.835     0.835    0.835       0.6667
#   maxDets=[1, 10, 300]                          -1            1         1        -1          -1
#   annotations without `iscrowd`                 raises        1         1        1           1
#   annotations without `area`                    raises        1         1        1           raises
#   a result of a picture that is not there       raises        1         raises   raises      raises
#   no results                                    raises        0         0        0           raises
#   masks, without boxes                          1             1         1        1           raises
#   masks with plain counts, without boxes        raises        1         raises   1           raises
#   polygons, without boxes                       raises        1         raises   raises      raises
#   polygons, with boxes                          1             1         1        1           1
#
# pycocotools takes a match with the annotation 0 for none, finds objects by their ids, sorts equal scores by class
# first, and looks for its AP under 100 detections, which is -1 where `maxDets` has another last number. Who compares
# "COCO AP" names the engine.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pycocotools==2.0.11 hotcoco==1.3.0 \
  faster-coco-eval==1.8.0 ultrafast-pycocotools==0.1.14 vernier==0.5.4

cat >judge.py <<'E'
import contextlib
import io
import json

import faster_coco_eval
import hotcoco
import numpy as np
import ultrafast_pycocotools
import vernier
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

ENGINES = (
    (COCO, COCOeval),
    (hotcoco.COCO, hotcoco.COCOeval),
    (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
    (ultrafast_pycocotools.COCO, ultrafast_pycocotools.COCOeval),
    (COCO, vernier.COCOeval),
)


def polygon(left):
    return [[left, 10, left + 40, 10, left + 40, 50, left, 50]]


def truth(number, left=10, category=1, without=""):
    whole = {"id": number, "image_id": 1, "category_id": category, "bbox": [left, 10, 40, 40], "area": 1600}
    whole |= {"iscrowd": 0, "segmentation": polygon(left)}
    return {key: value for key, value in whole.items() if key != without}


def result(score, left=10, category=1, image=1):
    return {"image_id": image, "category_id": category, "bbox": [left, 10, 40, 40], "score": score}


def masked(segmentation, **more):
    return [{"image_id": 1, "category_id": 1, "score": 0.9, "segmentation": segmentation} | more]


pixels = np.zeros((200, 200), np.uint8, order="F")
pixels[10:50, 10:50] = 1
text = mask.encode(pixels)["counts"].decode()
flat = pixels.ravel("F")
counts = np.diff(np.r_[0, np.flatnonzero(np.diff(flat)) + 1, flat.size]).tolist()
one, both = [result(0.9)], [result(0.9), result(0.8, left=100)]
tie = [result(0.9, left=150, category=2), result(0.9), result(0.5, left=100, category=2)]
INPUTS = {
    "plain": ([truth(1)], one, "bbox", {}),
    "id 0": ([truth(0), truth(1, left=100)], both, "bbox", {}),
    "one id": ([truth(1), truth(1, left=100)], both, "bbox", {}),
    "class-agnostic": ([truth(1), truth(2, left=100, category=2)], tie, "bbox", {"useCats": 0}),
    "maxDets": ([truth(1)], one, "bbox", {"maxDets": [1, 10, 300]}),
    "no iscrowd": ([truth(1, without="iscrowd")], one, "bbox", {}),
    "no area": ([truth(1, without="area")], one, "bbox", {}),
    "other picture": ([truth(1)], [*one, result(0.8, image=7)], "bbox", {}),
    "no results": ([truth(1)], [], "bbox", {}),
    "masks": ([truth(1)], masked({"size": [200, 200], "counts": text}), "segm", {}),
    "plain counts": ([truth(1)], masked({"size": [200, 200], "counts": counts}), "segm", {}),
    "polygons": ([truth(1)], masked(polygon(10)), "segm", {}),
    "polygons, boxes": ([truth(1)], masked(polygon(10), bbox=[10, 10, 40, 40]), "segm", {}),
}


def ap(files, judge, kind, settings):
    try:
        annotated = files("truth.json")
        judged = judge(annotated, annotated.loadRes("found.json"), kind)
        for name, value in settings.items():
            setattr(judged.params, name, value)
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    except Exception:
        return "raises"
    return f"{judged.stats[0]:.4g}"


for name, (annotations, results, kind, settings) in INPUTS.items():
    categories = [{"id": number, "name": str(number)} for number in (1, 2)]
    whole = {"images": [{"id": 1, "width": 200, "height": 200}], "categories": categories, "annotations": annotations}
    for file, content in (("truth.json", whole), ("found.json", results)):
        with open(file, "w") as stream:
            json.dump(content, stream)
    with contextlib.redirect_stdout(io.StringIO()):
        values = [ap(*engine, kind, settings) for engine in ENGINES]
    print(f"{name}: {' '.join(values)}")
E
cat >expected.txt <<'E'
plain: 1 1 1 1 1
id 0: 0.2525 1 0.2525 1 1
one id: 0.2525 0.2525 0.2525 0.2525 1
class-agnostic: 0.835 0.835 0.835 0.835 0.6667
maxDets: -1 1 1 -1 -1
no iscrowd: raises 1 1 1 1
no area: raises 1 1 1 raises
other picture: raises 1 raises raises raises
no results: raises 0 0 0 raises
masks: 1 1 1 1 raises
plain counts: raises 1 raises 1 raises
polygons: raises 1 raises raises raises
polygons, boxes: 1 1 1 1 1
E
env/bin/python judge.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
