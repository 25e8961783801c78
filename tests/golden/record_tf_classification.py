"""Records the evaluation crop of TensorFlow's official models (tf-models-official 2.17) for image classification.

    python tests/golden/record_tf_classification.py > tests/golden/data/seg_cls_det/protocol/tf_classification_crop.json

needs tensorflow and tf-models-official, which hrbench does not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parent))
import fill

sys.modules.setdefault("tensorflow_datasets", ModuleType("tensorflow_datasets"))  # imported there, not used here
from official.vision.ops import preprocess_ops  # noqa: E402

CASES = [((300, 400), 224), ((500, 333), 224), ((224, 260), 224), ((90, 61), 64), ((1000, 751), 320)]


def main() -> None:
    cases = []
    for number, (size, side) in enumerate(CASES):
        name = f"tfcls{number}"
        image = np.clip(np.rint(128 + 50 * fill.image((*size, 3), 0, name)), 0, 255).astype(np.uint8)
        cropped = preprocess_ops.center_crop_image(tf.constant(image))
        shown = tf.image.resize(cropped, [side, side], method="bilinear").numpy()
        cases.append({"size": size, "input": [side, side], "name": name, "output": fill.sample(shown, 256)})
    what = "preprocess_ops.center_crop_image (0.875), tf.image.resize (bilinear); float32, neither rounded nor scaled"
    print(json.dumps({"what": what, "seed": 0, "tensorflow": tf.__version__, "cases": cases}))


main()
