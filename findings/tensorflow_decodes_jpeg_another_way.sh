#!/usr/bin/env bash
# TensorFlow decodes a JPEG to other pixels than all other libraries, which agree to the bit.
#
# Versions: tensorflow-cpu 2.21.0, pillow 13.0.0, opencv-python-headless 4.14.0.94, torchvision 0.29.1 (torch 2.14.1),
# imageio 2.38.1, simplejpeg 1.9.0; on x86-64.
#
# The input is one photo-like picture in five files: without chroma subsampling, with two kinds of it, progressive, and
# of odd size. Beside what Pillow decodes:
#
#   OpenCV, torchvision, imageio, simplejpeg          equal, in all files
#   tf.io.decode_jpeg, tf.io.decode_image             four of five pixels differ, by up to 5 of 255
#   tf.io.decode_jpeg, dct_method="INTEGER_ACCURATE"  equal, in all files
#
# TensorFlow's default, an empty `dct_method`, leaves the choice to the library, and that takes the fast transform,
# which rounds otherwise. Networks trained in TensorFlow (SpineNet, EfficientNet) have seen such pixels, and are mostly
# judged on the others.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 imageio==2.38.1 \
  opencv-python-headless==4.14.0.94 simplejpeg==1.9.0 torch==2.14.1 torchvision==0.29.1 tensorflow-cpu==2.21.0

cat >save.py <<'E'
import numpy as np
from PIL import Image

y, x = np.mgrid[:240, :320]
waves = np.stack([np.sin(x / 9 + y / 31), np.cos(y / 7), np.sin((x + y) / 13)], -1)
photo = 127 + 120 * waves + np.random.default_rng(0).normal(0, 12, waves.shape)
photo[60:120, 80:200] = 220, 20, 30
picture = Image.fromarray(photo.clip(0, 255).astype(np.uint8))
for number in (0, 1, 2):
    picture.save(f"subsampling{number}.jpg", quality=90, subsampling=number)
picture.save("progressive.jpg", quality=90, progressive=True)
picture.crop((0, 0, 319, 239)).save("odd.jpg", quality=90)
E
cat >compare.py <<'E'
from pathlib import Path

import numpy as np
from PIL import Image


def tell(decoders):
    for name, decode in decoders.items():
        largest = share = 0
        for file in map(str, sorted(Path().glob("*.jpg"))):
            apart = abs(decode(file).astype(int) - np.asarray(Image.open(file)).astype(int)).max(-1)
            largest, share = max(largest, int(apart.max())), max(share, float((apart > 0).mean()))
        print(f"{name}: {10 * share:.0f} of 10 pixels, by up to {largest}")
E
cat >decode.py <<'E'
import cv2
import imageio.v3 as imageio
import simplejpeg
from compare import tell
from torchvision.io import decode_image

tell(
    {
        "OpenCV": lambda file: cv2.imread(file)[..., ::-1],
        "torchvision": lambda file: decode_image(file).permute(1, 2, 0).numpy(),
        "imageio": imageio.imread,
        "simplejpeg": lambda file: simplejpeg.decode_jpeg(open(file, "rb").read()),
    }
)
E
cat >decode_in_tensorflow.py <<'E'
import tensorflow as tf
from compare import tell


def accurate(file):
    return tf.io.decode_jpeg(tf.io.read_file(file), dct_method="INTEGER_ACCURATE").numpy()


tell(
    {
        "tf.io.decode_jpeg": lambda file: tf.io.decode_jpeg(tf.io.read_file(file)).numpy(),
        "tf.io.decode_image": lambda file: tf.io.decode_image(tf.io.read_file(file)).numpy(),
        "tf.io.decode_jpeg, INTEGER_ACCURATE": accurate,
    }
)
E
cat >expected.txt <<'E'
OpenCV: 0 of 10 pixels, by up to 0
torchvision: 0 of 10 pixels, by up to 0
imageio: 0 of 10 pixels, by up to 0
simplejpeg: 0 of 10 pixels, by up to 0
tf.io.decode_jpeg: 8 of 10 pixels, by up to 5
tf.io.decode_image: 8 of 10 pixels, by up to 5
tf.io.decode_jpeg, INTEGER_ACCURATE: 0 of 10 pixels, by up to 0
E
env/bin/python save.py
{ env/bin/python decode.py && env/bin/python decode_in_tensorflow.py; } 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
