#!/usr/bin/env bash
# OpenCV's IMREAD_IGNORE_ORIENTATION is obeyed for JPEG, PNG and WebP and not for TIFF; Pillow turns TIFF as well.
#
# Versions: opencv-python-headless 4.14.0.94 and Pillow 13.0.0.
#
# The input is one picture of 3 x 2 pixels, stored in four formats with the EXIF orientation 6 (turn by 90 degrees). Who
# asks for the picture as it is stored gets 3 x 2 pixels of three formats, and 2 x 3 of TIFF. So annotations that were
# made on stored pixels are right for a data set of PNG files and wrong for the same data set as TIFF.
#
#   format   OpenCV, told to ignore the orientation   Pillow, which turns nothing by default
#   JPEG     3x2                                      3x2
#   PNG      3x2                                      3x2
#   WEBP     3x2                                      3x2
#   TIFF     2x3                                      2x3
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check opencv-python-headless==4.14.0.94 pillow==13.0.0

cat >compare.py <<'E'
import cv2
import numpy as np
from PIL import Image

pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
exif = Image.Exif()
exif[0x0112] = 6
stored = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
    Image.fromarray(pixels).save("picture", kind, exif=exif)
    height, width, _ = cv2.imdecode(np.fromfile("picture", np.uint8), stored).shape
    with Image.open("picture") as image:
        print(f"{kind:4} {width}x{height} {'x'.join(map(str, np.asarray(image).shape[1::-1]))}")
E
cat >expected.txt <<'E'
JPEG 3x2 3x2
PNG  3x2 3x2
WEBP 3x2 3x2
TIFF 2x3 2x3
E
env/bin/python compare.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
