"""Makes data/spinenet/keras_detector_names.json with the official code: what the variables of its detectors are called.

Not a test. Needs tensorflow 2.17 and tf-models-official 2.17 in an environment of its own (packages that the latter
imports but its detectors do not use may be stand-ins):

    TF_USE_LEGACY_KERAS=1 python tests/golden/record_keras_detectors.py

Names are Keras' own, paths those of tf.train.Checkpoint(model=...). Every variable is given a value of its own first,
by which a path is told to be that of a name. Narrow heads, because names do not depend on widths.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras
from official.vision.configs import backbones, common, decoders, maskrcnn, retinanet
from official.vision.modeling import factory

DATA = Path(__file__).parent / "data/spinenet"
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
HEAD = {"num_convs": 2, "num_filters": 16}


def common_fields() -> dict[str, Any]:
    spinenet = backbones.SpineNet(model_id="49S", min_level=3, max_level=7)
    return {
        "num_classes": 91,
        "input_size": [128, 128, 3],
        "min_level": 3,
        "max_level": 7,
        "backbone": backbones.Backbone(type="spinenet", spinenet=spinenet),
        "decoder": decoders.Decoder(type="identity", identity=decoders.Identity()),
        "norm_activation": common.NormActivation(use_sync_bn=True),
    }


def retinanet_model() -> Any:
    config = retinanet.RetinaNet(head=retinanet.RetinaNetHead(**HEAD), **common_fields())
    model = factory.build_retinanet(tf_keras.layers.InputSpec(shape=[None, 128, 128, 3]), config)
    model.head(model.backbone(tf.zeros((1, 128, 128, 3))))
    return model


def mask_rcnn_model() -> Any:
    config = maskrcnn.MaskRCNN(
        rpn_head=maskrcnn.RPNHead(**HEAD),
        detection_head=maskrcnn.DetectionHead(fc_dims=32, **HEAD),
        mask_head=maskrcnn.MaskHead(**HEAD),
        **common_fields(),
    )
    model = factory.build_maskrcnn(tf_keras.layers.InputSpec(shape=[None, 128, 128, 3]), config)
    model.rpn_head(model.backbone(tf.zeros((1, 128, 128, 3))))
    heads = model.detection_head
    (heads[0] if isinstance(heads, list) else heads)(tf.zeros((1, 1, 7, 7, 128)))
    model.mask_head([tf.zeros((1, 1, 14, 14, 128)), tf.zeros((1, 1), tf.int32)])
    return model


def named(model: Any) -> list[list[Any]]:
    """[name, path without suffix, shape] of every variable, in the order of `model.weights`."""
    for number, variable in enumerate(model.weights):
        variable.assign(tf.fill(variable.shape, float(number)))
    with tempfile.TemporaryDirectory() as folder:
        reader = tf.train.load_checkpoint(tf.train.Checkpoint(model=model).write(f"{folder}/checkpoint"))
        paths = [path for path in reader.get_variable_to_shape_map() if path.endswith(SUFFIX)]
        paths = [path for path in paths if not path.startswith("save_counter")]
        found = {int(reader.get_tensor(path).flat[0]): path.removesuffix(SUFFIX) for path in paths}
    assert len(found) == len(paths) == len(model.weights)
    return [[weight.name, found[i], list(weight.shape)] for i, weight in enumerate(model.weights)]


def main() -> None:
    record: dict[str, Any] = {"source": "tf-models-official 2.17.0, tensorflow-cpu 2.17.1, tf_keras 2.17.0"}
    for name, build in (("retinanet", retinanet_model), ("spinenet_mask_rcnn", mask_rcnn_model)):
        tf_keras.backend.clear_session()
        record[name] = named(build())
    (DATA / "keras_detector_names.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
