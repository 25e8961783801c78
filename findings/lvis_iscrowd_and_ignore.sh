#!/usr/bin/env bash
# Two evaluators of LVIS read the flags `iscrowd` and `ignore` of an annotation in opposite ways.
#
# Versions: lvis 0.5.3 (the official code, which needs NumPy below 1.24) and hotcoco 1.3.0 with lvis_style=True.
#
# The input is valid for both: one picture, one category, two objects, one detection, which finds the first object. The
# second object has no flag, `iscrowd: 1`, or `ignore: 1`. An object that counts and is not found leaves AP at 0.505; one
# that does not count leaves 1.0.
#
#   flag of the second object     lvis     hotcoco
#   none                          0.505    0.505
#   iscrowd: 1                    0.505    1.000
#   ignore: 1                     1.000    0.505
#
# Who expects COCO's rule (a crowd is not counted) is right with hotcoco and wrong with the official code, which looks at
# `ignore` alone. Files converted from COCO bring `iscrowd`, files of LVIS bring neither, so that the difference shows
# only on data of one's own, where there is no published figure to compare with.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  numpy==1.23.5 pycocotools==2.0.7 hotcoco==1.3.0 opencv-python-headless==4.8.1.78 matplotlib==3.7.5
env/bin/pip install --quiet --disable-pip-version-check --no-deps lvis==0.5.3 # it asks for an OpenCV with a screen

cat >compare.py <<'E'
import contextlib
import io
import json
import logging

import hotcoco
import lvis

logging.disable()


def annotation(number, left, **flags):
    corners = [left, 10, left + 40, 10, left + 40, 50, left, 50]
    whole = {"id": number, "image_id": 1, "category_id": 1, "bbox": [left, 10, 40, 40], "area": 1600}
    return whole | {"segmentation": [corners], "iscrowd": 0, "ignore": 0} | flags


def write(flags):
    picture = {"id": 1, "width": 200, "height": 100, "neg_category_ids": [], "not_exhaustive_category_ids": []}
    category = {"id": 1, "name": "cup", "frequency": "f"}
    objects = [annotation(1, 10), annotation(2, 110, **flags)]
    with open("truth.json", "w") as file:
        json.dump({"images": [picture], "categories": [category], "annotations": objects}, file)
    with open("found.json", "w") as file:
        json.dump([{"image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 40], "score": 0.9}], file)


def official():
    truth = lvis.LVIS("truth.json")
    judged = lvis.LVISEval(truth, lvis.LVISResults(truth, "found.json"), "bbox")
    judged.run()
    return judged.get_results()["AP"]


def other():
    truth = hotcoco.COCO("truth.json")
    judged = hotcoco.COCOeval(truth, truth.load_res("found.json"), "bbox", lvis_style=True)
    judged.run()
    return judged.get_results()["AP"]


for name, flags in (("none", {}), ("iscrowd: 1", {"iscrowd": 1}), ("ignore: 1", {"ignore": 1})):
    write(flags)
    with contextlib.redirect_stdout(io.StringIO()):
        values = official(), other()
    print(f"{name:12} {values[0]:.3f} {values[1]:.3f}")
E
cat >expected.txt <<'E'
none         0.505 0.505
iscrowd: 1   0.505 1.000
ignore: 1    1.000 0.505
E
env/bin/python compare.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
