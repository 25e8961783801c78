#!/usr/bin/env bash
# "Nearest" and "bilinear" are four resizers each: label maps move by half a pixel, images differ by up to 83 of 255.
#
# Versions: pillow 13.0.0, opencv-python-headless 4.14.0.94, torch 2.14.1, torchvision 0.29.1, tensorflow-cpu 2.21.0,
# scikit-image 0.26.0, scipy 1.17.1; on x86-64.
#
# Nearest neighbour: which of the pixels 0 to 7 of a row are taken when it shrinks to four.
#
#   Pillow; OpenCV NEAREST_EXACT; torch nearest-exact; TensorFlow 2; scikit-image; torchvision on a PIL image   1 3 5 7
#   OpenCV NEAREST; torch nearest; tf.compat.v1; torchvision on a tensor, and on its own type for masks          0 2 4 6
#   scipy.ndimage.zoom                                                                                           0 2 5 7
#
# So torchvision's one transform takes other labels from the same map as a PIL image and as `tv_tensors.Mask`.
#
# Bilinear: a picture of 320 x 240 that shrinks to 107 x 80. Mean and largest difference from Pillow, of 255:
#
#   torchvision on a PIL image                       0.00   0
#   torch, torchvision, antialias=True, uint8        0.00   1
#   torch, antialias=True, float32, rounded          0.10   1
#   TensorFlow, antialias=True                       0.10   1
#   scikit-image                                     0.76   17
#   OpenCV INTER_AREA                                1.45   32
#   OpenCV INTER_LINEAR                              6.26   83
#   torch, and TensorFlow's default                  6.26   83
#   torch, align_corners=True                        6.88   82
#
# The last four look at two pixels in each direction however far the picture shrinks; Pillow and `antialias=True` at
# all that the new pixel covers. Which one a network was trained with is part of the network.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 scipy==1.17.1 \
  scikit-image==0.26.0 opencv-python-headless==4.14.0.94 torch==2.14.1 torchvision==0.29.1 tensorflow-cpu==2.21.0

cat >inputs.py <<'E'
import numpy as np
from PIL import Image

row = np.arange(8, dtype=np.uint8)[None].repeat(8, 0)
y, x = np.mgrid[:240, :320]
waves = np.stack([np.sin(x / 9 + y / 31), np.cos(y / 7), np.sin((x + y) / 13)], -1)
photo = 127 + 120 * waves + np.random.default_rng(0).normal(0, 12, waves.shape)
photo[60:120, 80:200] = 220, 20, 30
photo[140:200, 100:180] = 10, 60, 230
photo = photo.clip(0, 255).astype(np.uint8)
picture, size = Image.fromarray(photo), (80, 107)
expected = np.asarray(picture.resize((107, 80), Image.Resampling.BILINEAR)).astype(int)


def tell(taken, resized):
    for name, found in taken.items():
        print(f"{name}: {' '.join(str(int(value)) for value in np.asarray(found)[0])}")
    for name, found in resized.items():
        apart = abs(np.round(np.asarray(found).astype(float)) - expected)
        print(f"{name}: {apart.mean():.2f} {apart.max():.0f}")
E
cat >resize_in_tensorflow.py <<'E'
import tensorflow as tf
from inputs import photo, row, size, tell

TAKEN = {
    "TensorFlow 2": tf.image.resize(row[..., None], (4, 4), "nearest").numpy()[..., 0],
    "tf.compat.v1": tf.compat.v1.image.resize(row[..., None], (4, 4), "nearest").numpy()[..., 0],
}
RESIZED = {
    "TensorFlow, antialias": tf.image.resize(photo, size, antialias=True).numpy(),
    "TensorFlow": tf.image.resize(photo, size).numpy(),
}
tell(TAKEN, RESIZED)
E
cat >resize.py <<'E'
import cv2
import scipy.ndimage
import skimage.transform
import torch
from inputs import photo, picture, row, size, tell
from PIL import Image
from torch.nn.functional import interpolate
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2

tensor = torch.from_numpy(row)[None]
nearest = v2.Resize((4, 4), interpolation=InterpolationMode.NEAREST)
TAKEN = {
    "Pillow": Image.fromarray(row).resize((4, 4), Image.Resampling.NEAREST),
    "OpenCV NEAREST_EXACT": cv2.resize(row, (4, 4), interpolation=cv2.INTER_NEAREST_EXACT),
    "torch nearest-exact": interpolate(tensor[None], (4, 4), mode="nearest-exact")[0, 0],
    "scikit-image": skimage.transform.resize(row, (4, 4), order=0, preserve_range=True, anti_aliasing=False),
    "torchvision, PIL image": nearest(Image.fromarray(row)),
    "OpenCV NEAREST": cv2.resize(row, (4, 4), interpolation=cv2.INTER_NEAREST),
    "torch nearest": interpolate(tensor[None], (4, 4), mode="nearest")[0, 0],
    "torchvision, tensor": nearest(tensor)[0],
    "torchvision, tv_tensors.Mask": v2.Resize((4, 4))(tv_tensors.Mask(tensor))[0],
    "scipy.ndimage.zoom": scipy.ndimage.zoom(row, 0.5, order=0),
}
whole = torch.from_numpy(photo).permute(2, 0, 1)


def torched(image, **options):
    return interpolate(image[None], size, mode="bilinear", **options)[0].permute(1, 2, 0).numpy()


RESIZED = {
    "torchvision, PIL image": v2.Resize(size)(picture),
    "torch, antialias, uint8": torched(whole, antialias=True),
    "torchvision, antialias, uint8": v2.Resize(size)(whole).permute(1, 2, 0).numpy(),
    "torch, antialias, float32": torched(whole.float(), antialias=True),
    "scikit-image": skimage.transform.resize(photo, size, preserve_range=True),
    "OpenCV INTER_AREA": cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA),
    "OpenCV INTER_LINEAR": cv2.resize(photo, size[::-1], interpolation=cv2.INTER_LINEAR),
    "torch": torched(whole.float()),
    "torch, align_corners": torched(whole.float(), align_corners=True),
}
tell(TAKEN, RESIZED)
E
cat >expected.txt <<'E'
Pillow: 1 3 5 7
OpenCV NEAREST_EXACT: 1 3 5 7
torch nearest-exact: 1 3 5 7
scikit-image: 1 3 5 7
torchvision, PIL image: 1 3 5 7
OpenCV NEAREST: 0 2 4 6
torch nearest: 0 2 4 6
torchvision, tensor: 0 2 4 6
torchvision, tv_tensors.Mask: 0 2 4 6
scipy.ndimage.zoom: 0 2 5 7
torchvision, PIL image: 0.00 0
torch, antialias, uint8: 0.00 1
torchvision, antialias, uint8: 0.00 1
torch, antialias, float32: 0.10 1
scikit-image: 0.76 17
OpenCV INTER_AREA: 1.45 32
OpenCV INTER_LINEAR: 6.26 83
torch: 6.26 83
torch, align_corners: 6.88 82
TensorFlow 2: 1 3 5 7
tf.compat.v1: 0 2 4 6
TensorFlow, antialias: 0.10 1
TensorFlow: 6.26 83
E
{ env/bin/python resize.py && env/bin/python resize_in_tensorflow.py; } 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
