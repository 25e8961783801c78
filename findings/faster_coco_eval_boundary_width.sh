#!/usr/bin/env bash
# faster-coco-eval's boundaries are one pixel thinner than those of its own OpenCV backend, and of the paper's code,
# where the width is half a pixel more than a whole one.
#
# Versions: faster-coco-eval 1.8.0, opencv-python-headless 4.14.0.94, numpy 2.4.6.
#
# The width is 0.02 of the image's diagonal, rounded. In an image of 225 x 300 that is 7.5 px: `rleToBoundary` takes 7
# with the default backend, which boundary AP uses, and 8 with backend="opencv", as `round` in boundary-iou-api gives.
# At 480 x 640 (16 px) and 75 x 100 (2.5 px, which `round` takes for 2) both agree.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check faster-coco-eval==1.8.0 opencv-python-headless==4.14.0.94 \
    numpy==2.4.6

cat >width.py <<'E'
import numpy as np
from faster_coco_eval.core import mask

for height, width in ((75, 100), (225, 300), (480, 640)):
    code = mask.encode(np.asfortranarray(np.ones((height, width), np.uint8)))
    found = []
    for backend in ("mask_api", "opencv"):
        area = int(mask.area(mask.rleToBoundary(code, 0.02, backend)))
        # a full image of height x width has (height - 2 d) x (width - 2 d) px inside a boundary of width d
        found.append(next(d for d in range(1, 40) if area == height * width - (height - 2 * d) * (width - 2 * d)))
    print(f"{height} x {width}: mask_api {found[0]}, opencv {found[1]}, round {round(0.02 * np.hypot(height, width))}")
E
cat >expected.txt <<'E'
75 x 100: mask_api 2, opencv 2, round 2
225 x 300: mask_api 7, opencv 8, round 8
480 x 640: mask_api 16, opencv 16, round 16
E
env/bin/python width.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
