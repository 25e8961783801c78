#!/usr/bin/env bash
# Panoptic quality of one small set by three engines: where they differ, and what they take.
#
# Versions: panopticapi-lite 0.2.0 (a copy of panopticapi, which is on no package index), hotcoco 1.3.0,
# torchmetrics 1.9.0 with torch 2.14.1.
#
#   set                                                  panopticapi         hotcoco   torchmetrics
#   a car is matched, one pixel of it not predicted      0.833               0.833     1
#   the car is not predicted at all                      0.5                 0.5       1
#   two annotated roads, predicted as one                0.5                 0.5       1
#   no class of stuff occurs                             ZeroDivisionError   0.75      1
#   a segment's area in the file is twice its pixels     0.5                 0.5       1
#   annotations without iscrowd                          KeyError            0.833     1
#   two predicted segments of one id                     1                   1         1
#   a prediction of an image that is not there           0.833               0.833
#
# torchmetrics takes maps of categories and instances, not files. A predicted pixel without a category, which it takes
# only with allow_unknown_preds_category=True, counts as void: it costs nothing to predict nothing there. Stuff is one
# segment a class there, as in COCO's own annotations. The area of an annotated segment is that of the file in both others.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv old
"${PYTHON:-python3.11}" -m venv env
old/bin/pip install --quiet --disable-pip-version-check --no-deps panopticapi-lite==0.2.0 numpy==1.26.4 pillow==11.3.0
env/bin/pip install --quiet --disable-pip-version-check hotcoco==1.3.0 torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6 \
    pillow==11.3.0

cat >engines.py <<'E'
import contextlib
import importlib
import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROAD, CAR, BUS = 7, 26, 28
CATEGORIES = [
    {"id": 7, "name": "road", "isthing": 0},
    {"id": 26, "name": "car", "isthing": 1},
    {"id": 28, "name": "bus", "isthing": 1},
]
NO_CROWD = {"iscrowd": None}
# name -> annotated ids, segments (id, category, other values), predicted ids, segments, further images
CASES = {
    "plain": ([1, 1, 1, 2, 2, 2], [(1, ROAD, {}), (2, CAR, {})], [8, 8, 8, 9, 9, 0], [(8, ROAD), (9, CAR)], 0),
    "no car": ([1, 1, 1, 2, 2, 2], [(1, ROAD, {}), (2, CAR, {})], [8, 8, 8, 0, 0, 0], [(8, ROAD)], 0),
    "two roads": (
        [1, 1, 3, 3, 2, 2], [(1, ROAD, {}), (3, ROAD, {}), (2, CAR, {})], [8, 8, 8, 8, 9, 9], [(8, ROAD), (9, CAR)], 0
    ),
    "no stuff": ([2, 2, 2, 2, 0, 0], [(2, CAR, {})], [9, 9, 9, 0, 0, 0], [(9, CAR)], 0),
    "twice the area": (
        [1, 1, 1, 2, 2, 2], [(1, ROAD, {}), (2, CAR, {"area": 12})], [8, 8, 8, 9, 9, 9], [(8, ROAD), (9, CAR)], 0
    ),
    "no iscrowd": (
        [1, 1, 1, 2, 2, 2], [(1, ROAD, NO_CROWD), (2, CAR, NO_CROWD)], [8, 8, 8, 9, 9, 0], [(8, ROAD), (9, CAR)], 0
    ),
    "one id twice": (
        [1, 1, 1, 2, 2, 2], [(1, ROAD, {}), (2, CAR, {})], [8, 8, 8, 9, 9, 9], [(8, ROAD), (9, BUS), (9, CAR)], 0
    ),
    "another image": ([1, 1, 1, 2, 2, 2], [(1, ROAD, {}), (2, CAR, {})], [8, 8, 8, 9, 9, 0], [(8, ROAD), (9, CAR)], 1),
}


def save(path, ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.array([ids] * 2)
    Image.fromarray(np.stack([ids % 256, ids // 256, ids * 0], -1).astype(np.uint8)).save(path)


def write(folder, own, segments, found, predicted, more):
    rows = [
        {"id": one, "category_id": category, "iscrowd": 0, "area": 2 * own.count(one), **other}
        for one, category, other in segments
    ]
    rows = [{key: value for key, value in row.items() if value is not None} for row in rows]
    listed = [{"id": one, "category_id": category} for one, category in predicted]
    save(folder / "truth/5.png", own)
    save(folder / "results/5.png", found)
    row = {"image_id": 5, "file_name": "5.png"}
    images = [{"id": 5, "file_name": "5.jpg", "width": 6, "height": 2}]
    truth = {"images": images, "annotations": [{**row, "segments_info": rows}], "categories": CATEGORIES}
    results = [{**row, "segments_info": listed}, {**row, "image_id": 6, "segments_info": listed}][: 1 + more]
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps({"annotations": results}))


def of_files(module):
    compute = importlib.import_module(module).pq_compute

    def value(folder, case):
        return compute(str(folder / "truth.json"), str(folder / "results.json"))["All"]["pq"]

    return value


def of_maps():
    import torch
    from torchmetrics.functional.detection import panoptic_quality

    def value(folder, case):
        own, segments, found, predicted, _ = case
        maps = []
        for ids, rows in ((own, segments), (found, predicted)):
            known = {row[0]: row[1] for row in rows}
            maps.append(torch.tensor([[[[known.get(one, 0), one] for one in ids]] * 2]))
        sets = {"things": {CAR, BUS}, "stuffs": {ROAD}, "allow_unknown_preds_category": True}
        return float(panoptic_quality(maps[1], maps[0], **sets))

    return value


ENGINES = {
    "panopticapi": lambda: of_files("panopticapi.evaluation"),
    "hotcoco": lambda: of_files("hotcoco.panoptic"),
    "torchmetrics": of_maps,
}

if __name__ == "__main__":
    for engine in sys.argv[1:]:
        compute = ENGINES[engine]()
        for name, case in CASES.items():
            with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
                write(Path(place), *case)
                try:
                    seen = f"{compute(Path(place), case):.3f}"
                except Exception as error:
                    seen = type(error).__name__
            print(f"{engine}: {name}: {seen}", flush=True)
E
cat >expected.txt <<'E'
panopticapi: plain: 0.833
panopticapi: no car: 0.500
panopticapi: two roads: 0.500
panopticapi: no stuff: ZeroDivisionError
panopticapi: twice the area: 0.500
panopticapi: no iscrowd: KeyError
panopticapi: one id twice: 1.000
panopticapi: another image: 0.833
hotcoco: plain: 0.833
hotcoco: no car: 0.500
hotcoco: two roads: 0.500
hotcoco: no stuff: 0.750
hotcoco: twice the area: 0.500
hotcoco: no iscrowd: 0.833
hotcoco: one id twice: 1.000
hotcoco: another image: 0.833
torchmetrics: plain: 1.000
torchmetrics: no car: 1.000
torchmetrics: two roads: 1.000
torchmetrics: no stuff: 1.000
torchmetrics: twice the area: 1.000
torchmetrics: no iscrowd: 1.000
torchmetrics: one id twice: 1.000
torchmetrics: another image: 1.000
E
old/bin/python engines.py panopticapi 2>/dev/null >seen.txt
env/bin/python engines.py hotcoco torchmetrics 2>/dev/null >>seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
