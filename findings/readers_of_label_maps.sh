#!/usr/bin/env bash
# A label map in a PNG has other numbers for each reader: palette, 16 bits and 1 bit are read in three to five ways.
#
# Versions: pillow 13.0.0, opencv-python-headless 4.14.0.94, imageio 2.38.1, torchvision 0.29.1 (torch 2.14.1).
#
# The input are files as data sets have them: classes 0, 1, 15 and 255 with a palette (PASCAL VOC), the same with a
# transparent class 0, instances 0, 26000, 26001 and 33000 in 16 bits (Cityscapes), and a mask of 1 bit. What each
# reader gives for the second and the last of the pixels, and in how many channels, where there is more than one:
#
#   reader                            palette        transparent    16 bits        1 bit
#   in the file                       1 255          1 255          26000 33000    1 1
#   Pillow                            1 255          1 255          26000 33000    1 1
#   Pillow, convert("L")              38 220         38 220         255 255        255 255
#   cv2.imread                        colour x3      colour x3      101 128 x3     255 255 x3
#   cv2.imread, IMREAD_GRAYSCALE      38 220         38 220         101 128        255 255
#   cv2.imread, IMREAD_UNCHANGED      colour x3      colour x4      26000 33000    255 255
#   imageio                           colour x3      colour x3      26000 33000    1 1
#   torchvision                       1 255          1 255          26000 33000    255 255
#   torchvision, GRAY                 38 220         38 220         26000 33000    255 255
#
# Classes of a palette turn into their colours' brightness, ids of 16 bits into their upper byte (101 is 26000 / 256)
# or into 255, and nothing is said. No reader but Pillow's own `Image.open` gives what lies in all four files.
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
from torchvision.io import ImageReadMode, decode_image

classes = np.array([[0, 1], [15, 255]], np.uint8)
palette = np.zeros((256, 3), np.uint8)
palette[[1, 15, 255]] = (128, 0, 0), (192, 128, 128), (224, 224, 192)
picture = Image.fromarray(classes)
picture.putpalette(palette.tobytes())
picture.save("palette.png")
picture.save("transparent.png", transparency=0)
Image.fromarray(np.array([[0, 26000], [26001, 33000]], np.uint16)).save("16bits.png")
Image.fromarray(np.array([[0, 255], [0, 255]], np.uint8)).convert("1").save("1bit.png")


def tensor(file, mode=ImageReadMode.UNCHANGED):
    return decode_image(file, mode).permute(1, 2, 0).squeeze(2).numpy()


READERS = {
    "Pillow": lambda file: np.asarray(Image.open(file)),
    'Pillow, convert("L")': lambda file: np.asarray(Image.open(file).convert("L")),
    "cv2.imread": cv2.imread,
    "cv2.imread, IMREAD_GRAYSCALE": lambda file: cv2.imread(file, cv2.IMREAD_GRAYSCALE),
    "cv2.imread, IMREAD_UNCHANGED": lambda file: cv2.imread(file, cv2.IMREAD_UNCHANGED),
    "imageio": imageio.imread,
    "torchvision": tensor,
    "torchvision, GRAY": lambda file: tensor(file, ImageReadMode.GRAY),
}


def told(found):
    """The second and the last pixel; "colour" where the three channels differ."""
    second, last = (np.atleast_1d(found[place])[:3].astype(int) for place in ((0, 1), (1, 1)))
    channels = f" x{found.shape[2]}" if found.ndim == 3 else ""
    if len({*second}) > 1 or len({*last}) > 1:
        return f"colour{channels}"
    return f"{second[0]} {last[0]}{channels}"


for name, read in READERS.items():
    print(f"{name}: " + " | ".join(told(read(f"{file}.png")) for file in ("palette", "transparent", "16bits", "1bit")))
E
cat >expected.txt <<'E'
Pillow: 1 255 | 1 255 | 26000 33000 | 1 1
Pillow, convert("L"): 38 220 | 38 220 | 255 255 | 255 255
cv2.imread: colour x3 | colour x3 | 101 128 x3 | 255 255 x3
cv2.imread, IMREAD_GRAYSCALE: 38 220 | 38 220 | 101 128 | 255 255
cv2.imread, IMREAD_UNCHANGED: colour x3 | colour x4 | 26000 33000 | 255 255
imageio: colour x3 | colour x3 | 26000 33000 | 1 1
torchvision: 1 255 | 1 255 | 26000 33000 | 255 255
torchvision, GRAY: 38 220 | 38 220 | 26000 33000 | 255 255
E
env/bin/python read.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
