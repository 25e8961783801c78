#!/usr/bin/env bash
# One polygon, four masks: a square of 40 pixels has 1600 for pycocotools and 1681 for Pillow, OpenCV and scikit-image.
#
# Versions: pycocotools 2.0.11, pillow 13.0.0, opencv-python-headless 4.14.0.94, scikit-image 0.26.0.
#
# Polygons of annotations, in pixels, rastered by each library's own function. pycocotools takes corners as points of
# the plane, in which pixel 0 reaches from 0 to 1; the others as centres of pixels, whose border they fill too (Pillow,
# OpenCV), after OpenCV's callers have rounded them, since it takes whole numbers. Pixels of the mask, and its IoU with
# that of pycocotools:
#
#   polygon                           area    pycocotools   Pillow        OpenCV        scikit-image
#   square of 40                      1600    1600          1681 0.952    1681 0.952    1681 0.952
#   the same, half a pixel further    1600    1600          1681 0.952    1681 0.952    1600 1.000
#   triangle                          1000    1000          1046 0.928    1066 0.911    1011 0.932
#   rectangle with tenths             202     220           231 0.952     252 0.873     200 0.826
#   bar, one pixel wide               40      40            82 0.488      82 0.488      82 0.488
#
# Tools for annotation and for training raster polygons by the one or the other. Masks that are drawn by Pillow or
# OpenCV and judged by pycocotools are one pixel too wide and too high: a bar that was found exactly is missed at every
# IoU threshold of COCO.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pycocotools==2.0.11 pillow==13.0.0 \
  opencv-python-headless==4.14.0.94 scikit-image==0.26.0

cat >raster.py <<'E'
import cv2
import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask
from skimage.draw import polygon2mask

SIDE = 60


def by_pycocotools(corners):
    codes = mask.frPyObjects([corners.ravel().tolist()], SIDE, SIDE)
    return mask.decode(mask.merge(codes))


def by_pillow(corners):
    picture = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(picture).polygon([tuple(corner) for corner in corners], fill=1)
    return np.asarray(picture)


def by_opencv(corners):
    return cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), [corners.round().astype(np.int32)], 1)


def by_skimage(corners):
    return polygon2mask((SIDE, SIDE), corners[:, ::-1])


def area(corners):
    x, y = corners.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def box(left, top, right, bottom):
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


POLYGONS = {
    "square": box(10, 10, 50, 50),
    "half": box(10.5, 10.5, 50.5, 50.5),
    "triangle": [(30, 5), (55, 50), (5, 40)],
    "tenths": box(10.4, 10.4, 20.6, 30.2),
    "bar": box(10, 10, 11, 50),
}
for name, given in POLYGONS.items():
    corners = np.array(given, float)
    truth, words = by_pycocotools(corners) > 0, []
    for raster in (by_pillow, by_opencv, by_skimage):
        found = raster(corners) > 0
        words.append(f"{found.sum()} {(truth & found).sum() / (truth | found).sum():.3f}")
    print(f"{name}: {area(corners):.0f} | {truth.sum()} | {' | '.join(words)}")
E
cat >expected.txt <<'E'
square: 1600 | 1600 | 1681 0.952 | 1681 0.952 | 1681 0.952
half: 1600 | 1600 | 1681 0.952 | 1681 0.952 | 1600 1.000
triangle: 1000 | 1000 | 1046 0.928 | 1066 0.911 | 1011 0.932
tenths: 202 | 220 | 231 0.952 | 252 0.873 | 200 0.826
bar: 40 | 40 | 82 0.488 | 82 0.488 | 82 0.488
E
env/bin/python raster.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
