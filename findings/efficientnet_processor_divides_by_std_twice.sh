#!/usr/bin/env bash
# transformers' EfficientNetImageProcessor divides by `image_std` twice unless `include_top` is false, which is not its
# default: the preprocessor_config.json of a network looks like that of any other, and the tensor is another.
#
# Versions: transformers 5.24.0, numpy 2.4.2 and Pillow 12.1.0, without torch.
#
# The input is a white picture; mean 0 and std 0.5 make 2 of white. Whoever feeds the network by mean and std as the
# configuration states them, as other tools and converters do, gives it values half as large here, and 4.4 times too
# small by ImageNet's std. It is the arithmetic of the original code, and no key of the configuration says so.
#
#   processor                           include_top     white becomes
#   ViTImageProcessorPil                it has none     2.0
#   EfficientNetImageProcessorPil       true (default)  4.0
#   EfficientNetImageProcessorPil       false           2.0
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 numpy==2.4.2 pillow==12.1.0

cat >compare.py <<'E'
import numpy as np
import transformers
from PIL import Image

white = Image.fromarray(np.full((8, 8, 3), 255, np.uint8))
for name, more in (
    ("ViTImageProcessorPil", {}),
    ("EfficientNetImageProcessorPil", {}),
    ("EfficientNetImageProcessorPil", {"include_top": False}),
):
    processor = getattr(transformers, name)(image_mean=[0.0] * 3, image_std=[0.5] * 3, **more)
    value = processor(white, return_tensors="np")["pixel_values"].max()
    print(name, processor.to_dict().get("include_top"), value)
E
cat >expected.txt <<'E'
ViTImageProcessorPil None 2.0
EfficientNetImageProcessorPil True 4.0
EfficientNetImageProcessorPil False 2.0
E
env/bin/python compare.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
