#!/usr/bin/env bash
# pycocotools cannot tell the areas of more than 255 masks in one call with NumPy 2.
#
# Versions: pycocotools 2.0.11 with NumPy 2.4.6 and 1.26.4. `mask.area` keeps the number of masks in an array of bytes
# for a moment. NumPy 1 warned of a number that does not fit from 1.24 on; NumPy 2 raises OverflowError. The result of
# 1.26 is right, and `mask.toBbox` takes any number of masks.
#
#   masks in a call      255     256
#   NumPy 2.4.6          areas   OverflowError
#   NumPy 1.26.4         areas   areas
#
# Who has more calls it for some masks at a time, or decodes the areas.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >areas.py <<'E2'
import warnings

import numpy as np
from pycocotools import mask

warnings.simplefilter("ignore")
one = mask.encode(np.ones((2, 3), np.uint8, order="F"))
for many in (255, 256):
    try:
        print(np.__version__, many, mask.area([one] * many).sum() == 6 * many, end="; ")
    except OverflowError:
        print(np.__version__, many, "OverflowError", end="; ")
    print(mask.toBbox([one] * many).shape)
E2
cat >expected.txt <<'E2'
2.4.6 255 True; (255, 4)
2.4.6 256 OverflowError; (256, 4)
1.26.4 255 True; (255, 4)
1.26.4 256 True; (256, 4)
E2
for release in 2.4.6 1.26.4; do
  "${PYTHON:-python3.11}" -m venv "env-$release"
  "env-$release/bin/pip" install --quiet --disable-pip-version-check "numpy==$release" pycocotools==2.0.11
  "env-$release/bin/python" areas.py
done >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
