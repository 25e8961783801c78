"""Makes data/spinenet/parity_tf_detectors.json with the official code: heads, pyramid and selection of boxes.

Not a test. Needs tensorflow 2.17 and tf-models-official 2.17 in an environment of its own (packages that the latter
imports but these parts do not use may be stand-ins):

    TF_USE_LEGACY_KERAS=1 python tests/golden/record_tf_detectors.py

Weights are drawn by `fill.py` from the keys of hrbench's networks, so that nothing but samples of outputs is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fill
import numpy as np
import tensorflow as tf
import tf_keras
from official.vision.modeling.backbones import resnet
from official.vision.modeling.decoders import fpn
from official.vision.modeling.heads import dense_prediction_heads, instance_heads
from official.vision.modeling.layers import detection_generator, roi_aligner, roi_generator
from official.vision.ops import anchor

HERE = Path(__file__).parent
CHANNELS, WIDTH, CONVS, LINEAR, CLASSES = 16, 24, 2, 32, 5
LEVELS, SIZE, IMAGE = range(3, 8), 128, (100, 128)


def weight(key: str, torch_shape: tuple[int, ...]) -> np.ndarray:
    value = fill.tensor(key, torch_shape)
    assert value is not None
    return value


def conv(layer: Any, key: str) -> None:
    """Kernel (h, w, in, out) from (out, in, h, w)."""
    h, w, inputs, outputs = layer.kernel.shape
    values = [weight(f"{key}.weight", (outputs, inputs, h, w)).transpose(2, 3, 1, 0)]
    layer.set_weights([*values, weight(f"{key}.bias", (outputs,))] if layer.use_bias else values)


def deconv(layer: Any, key: str) -> None:
    """Kernel (h, w, out, in) from (in, out, h, w)."""
    h, w, outputs, inputs = layer.kernel.shape
    kernel = weight(f"{key}.weight", (inputs, outputs, h, w)).transpose(2, 3, 1, 0)
    layer.set_weights([kernel, weight(f"{key}.bias", (outputs,))])


def linear(layer: Any, key: str, crop: int = 0) -> None:
    """Kernel (in, out) from (out, in); after a crop, rows are y, x, channel there and channel, y, x here."""
    inputs, outputs = layer.kernel.shape
    kernel = weight(f"{key}.weight", (outputs, inputs))
    if crop:
        kernel = kernel.reshape(outputs, -1, crop, crop).transpose(0, 2, 3, 1).reshape(outputs, inputs)
    layer.set_weights([kernel.T, weight(f"{key}.bias", (outputs,))])


def norm(layer: Any, key: str) -> None:
    shape = tuple(layer.gamma.shape)
    layer.set_weights([weight(f"{key}.{name}", shape) for name in ("weight", "bias", "running_mean", "running_var")])


def features(name: str, channels: int) -> dict[str, tf.Tensor]:
    """(1, H / 2^l, W / 2^l, channels) by level, drawn as (1, channels, ...) under the name {name}_P{l}."""
    shapes = {level: (1, channels, SIZE >> level, SIZE >> level) for level in LEVELS}
    drawn = {str(level): fill.image(shape, name=f"{name}_P{level}") for level, shape in shapes.items()}
    return {level: tf.constant(value.transpose(0, 2, 3, 1)) for level, value in drawn.items()}


def sample(value: tf.Tensor) -> dict[str, Any]:
    """Of (..., h, w, c), as (..., c, h, w)."""
    return fill.sample(np.moveaxis(np.asarray(value), -1, -3))


def anchors(size: float, scales: int) -> dict[str, tf.Tensor]:
    boxes = anchor.Anchor(3, 7, scales, [0.5, 1.0, 2.0], size, (SIZE, SIZE)).multilevel_boxes
    return {level: tf.cast(value[None], tf.float64) for level, value in boxes.items()}


def mask_rcnn() -> dict[str, Any]:
    """The heads one by one, then all steps as MaskRCNNModel makes them."""
    common = {"num_convs": CONVS, "num_filters": WIDTH}
    rpn = dense_prediction_heads.RPNHead(3, 7, 3, **common)
    box = instance_heads.DetectionHead(CLASSES, num_fcs=1, fc_dims=LINEAR, **common)
    mask = instance_heads.MaskHead(CLASSES, **common)
    maps = features("mask_rcnn", CHANNELS)
    rpn(maps)
    box(tf.zeros((1, 1, 7, 7, CHANNELS), tf.float64))
    mask([tf.zeros((1, 1, 14, 14, CHANNELS), tf.float64), tf.zeros((1, 1), tf.int32)])
    for i in range(CONVS):
        conv(rpn._convs[i], f"rpn_head.convs.{i}")
        for level, norms in zip(LEVELS, rpn._norms, strict=True):
            norm(norms[i], f"rpn_head.bns.{level}.{i}")
        for head, name in ((box, "box_head"), (mask, "mask_head")):
            conv(head._convs[i], f"{name}.convs.{i}")
            norm(head._conv_norms[i], f"{name}.bns.{i}")
    conv(rpn._classifier, "rpn_head.scores")
    conv(rpn._box_regressor, "rpn_head.boxes")
    linear(box._fcs[0], "box_head.fc", crop=7)
    norm(box._fc_norms[0], "box_head.fc_bn")
    linear(box._classifier, "box_head.scores")
    linear(box._box_regressor, "box_head.boxes")
    deconv(mask._deconv, "mask_head.deconv")
    norm(mask._deconv_bn, "mask_head.deconv_bn")
    conv(mask._mask_regressor, "mask_head.logits")

    scores, deltas = rpn(maps)
    shape = tf.constant([IMAGE], tf.float64)
    rois, _ = roi_generator.MultilevelROIGenerator()(deltas, scores, anchors(3.0, 1), shape, training=False)
    rois = tf.cast(rois, tf.float64)
    logits, moves = box(roi_aligner.MultilevelROIAligner(7)(maps, rois))
    generator = detection_generator.DetectionGenerator(nms_version="v2")
    found = generator(moves, logits, rois, shape, [10.0, 10.0, 5.0, 5.0])
    count = int(found["num_detections"][0])
    chosen = tf.cast(found["detection_boxes"], tf.float64)
    masks = mask([roi_aligner.MultilevelROIAligner(14)(maps, chosen), found["detection_classes"]])
    return {
        "config": {"channels": CHANNELS, "width": WIDTH, "convs": CONVS, "linear": LINEAR, "classes": CLASSES},
        "image": IMAGE,
        "rpn_scores": {level: sample(value) for level, value in scores.items()},
        "rpn_boxes": {level: sample(value) for level, value in deltas.items()},
        "proposals_yxyx": np.asarray(rois[0, :50]).tolist(),
        "detections": {
            "boxes_yxyx": np.asarray(chosen[0, :count]).tolist(),
            "scores": np.asarray(found["detection_scores"][0, :count]).tolist(),
            "classes": np.asarray(found["detection_classes"][0, :count]).tolist(),
        },
        "masks": fill.sample(np.asarray(tf.sigmoid(masks[0, :count])), 256),
    }


def retinanet_selection() -> dict[str, Any]:
    """MultilevelDetectionGenerator on drawn logits and deltas."""
    logits = {level: 2 * value - 2 for level, value in features("logits", 9 * CLASSES).items()}
    deltas = {level: value / 2 for level, value in features("deltas", 9 * 4).items()}
    generator = detection_generator.MultilevelDetectionGenerator(nms_version="v2")
    found = generator(deltas, logits, anchors(4.0, 3), tf.constant([IMAGE], tf.float64))
    count = int(found["num_detections"][0])
    return {
        "config": {"classes": CLASSES, "anchor_size": 4.0, "logits": "2 x fill - 2", "deltas": "fill / 2"},
        "image": IMAGE,
        "boxes_yxyx": np.asarray(found["detection_boxes"][0, :count]).tolist(),
        "scores": np.asarray(found["detection_scores"][0, :count]).tolist(),
        "classes": np.asarray(found["detection_classes"][0, :count]).tolist(),
    }


def resnet_fpn() -> dict[str, Any]:
    body = resnet.ResNet(50, tf_keras.layers.InputSpec(shape=[None, SIZE, SIZE, 3]))
    neck = fpn.FPN(body.output_specs)
    conv(next(x for x in body.layers if isinstance(x, tf_keras.layers.Conv2D)), "backbone.stem.conv")
    norm(next(x for x in body.layers if isinstance(x, tf_keras.layers.BatchNormalization)), "backbone.stem.bn")
    blocks = iter([x for x in body.layers if type(x).__name__ == "BottleneckBlock"])
    for group, count in enumerate((3, 4, 6, 3)):
        for i in range(count):
            block, key = next(blocks), f"backbone.groups.{group}.{i}"
            for k in (1, 2, 3):
                conv(getattr(block, f"_conv{k}"), f"{key}.conv{k}")
                norm(getattr(block, f"_norm{k}"), f"{key}.bn{k}")
            if i == 0:
                conv(block._shortcut, f"{key}.downsample.conv")
                norm(block._norm0, f"{key}.downsample.bn")
    layers = {"lateral_": "lateral", "post_hoc_": "post", "coarser_": "coarser"}
    for layer in neck.layers:
        name = next((name for name in layers if layer.name.startswith(name)), None)
        if name:
            conv(layer, f"decoder.{layers[name]}.{layer.name[len(name) :]}")
        elif layer.name.startswith("norm_"):
            norm(layer, f"decoder.bns.{layer.name[len('norm_') :]}")
    image = fill.image((1, 3, SIZE, SIZE))
    levels = neck(body(tf.constant(image.transpose(0, 2, 3, 1)), training=False), training=False)
    trainable = sum(int(np.prod(v.shape)) for net in (body, neck) for v in net.trainable_variables)
    return {"parameters": trainable, **{f"P{level}": sample(value) for level, value in sorted(levels.items())}}


def main() -> None:
    tf_keras.backend.set_floatx("float64")
    record = {
        "source": "tf-models-official 2.17.0, official/vision/modeling (heads, decoders/fpn.py, backbones/resnet.py, "
        "layers/{detection_generator,roi_generator,roi_aligner}.py), tensorflow 2.17.1, float64; the suppression of "
        "boxes there computes in float32 whatever it is given",
        "mask_rcnn": mask_rcnn(),
        "retinanet_selection": retinanet_selection(),
        "resnet_fpn": resnet_fpn(),
    }
    (HERE / "data/spinenet/parity_tf_detectors.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
