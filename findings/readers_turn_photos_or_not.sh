#!/usr/bin/env bash
# Whether a photo is turned by its orientation tag depends on the reader, on a flag, and on the file's format.
#
# Versions: opencv-python-headless 4.14.0.94, pillow 13.0.0, imageio 2.38.1, torchvision 0.29.1 (torch 2.14.1).
#
# The input is one picture of 32 x 16 pixels with the tag "turn by 90 degrees" (orientation 6), as JPEG, PNG, WebP and
# TIFF. Width and height of what each reader returns:
#
#   reader                                        JPEG     PNG      WebP     TIFF
#   cv2.imread                                    16x32    16x32    16x32    None
#   cv2.imdecode                                  16x32    16x32    16x32    16x32
#   cv2.imread, IMREAD_UNCHANGED                  32x16    32x16    32x16    None
#   Pillow                                        32x16    32x16    32x16    16x32
#   imageio                                       32x16    32x16    32x16    32x16
#   torchvision                                   32x16    32x16    32x16    refused
#   torchvision, apply_exif_orientation=True      16x32    16x32    32x16    refused
#
# So a label map that is read with IMREAD_UNCHANGED, as it must be, does not fit its photo read by the same library;
# boxes drawn in a tool that turns photos lie elsewhere for a training script on Pillow; and the option of torchvision
# that turns photos leaves WebP as it is. Where width equals height, nothing fails, and only the score is lower.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 opencv-python-headless==4.14.0.94 \
  pillow==13.0.0 imageio==2.38.1 torch==2.14.1 torchvision==0.29.1

cat >read.py <<'E'
import cv2
import imageio.v3 as imageio
import numpy as np
from PIL import Image
from torchvision.io import decode_image

picture, tags = Image.new("RGB", (32, 16), (200, 30, 30)), Image.Exif()
tags[0x0112] = 6
files = ["photo.jpg", "photo.png", "photo.webp", "photo.tif"]
for name in files:
    picture.save(name, exif=tags)


def turned(file):
    return decode_image(file, apply_exif_orientation=True).permute(1, 2, 0)


READERS = {
    "cv2.imread": cv2.imread,
    "cv2.imdecode": lambda file: cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR),
    "cv2.imread, IMREAD_UNCHANGED": lambda file: cv2.imread(file, cv2.IMREAD_UNCHANGED),
    "Pillow": lambda file: np.asarray(Image.open(file)),
    "imageio": imageio.imread,
    "torchvision": lambda file: decode_image(file).permute(1, 2, 0),
    "torchvision, apply_exif_orientation=True": turned,
}
for name, read in READERS.items():
    sizes = []
    for file in files:
        try:
            found = read(file)
            sizes.append("None" if found is None else f"{found.shape[1]}x{found.shape[0]}")
        except RuntimeError:
            sizes.append("refused")
    print(f"{name}: {' '.join(sizes)}")
E
cat >expected.txt <<'E'
cv2.imread: 16x32 16x32 16x32 None
cv2.imdecode: 16x32 16x32 16x32 16x32
cv2.imread, IMREAD_UNCHANGED: 32x16 32x16 32x16 None
Pillow: 32x16 32x16 32x16 16x32
imageio: 32x16 32x16 32x16 32x16
torchvision: 32x16 32x16 32x16 refused
torchvision, apply_exif_orientation=True: 16x32 16x32 32x16 refused
E
env/bin/python read.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
