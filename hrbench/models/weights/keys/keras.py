"""Files of TensorFlow's SpineNet (tensorflow/models, official/vision): its variables by their Keras names.

`spinenet_keras.py` lists those of the backbone, `HEADS` those of RetinaNet and Mask R-CNN on it. A file holds name ->
array, kernels as (height, width, inputs, outputs): .npz, or .h5 as `model.save_weights` writes it. A variable goes by
its name in Keras ("conv2d/kernel:0", with or without ":0") or by its path in a checkpoint
("model/backbone/layer_with_weights-0/kernel", with or without "/.ATTRIBUTES/VARIABLE_VALUE").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from hrbench.models.weights.key_maps import BuildRequirement, KeyMap, State

COUNTER = "num_batches_tracked"
CHECKPOINT = "/.ATTRIBUTES/VARIABLE_VALUE"
# A checkpoint names a variable by the shortest way to it, which is not the same in every model.
HOLDERS = tuple(f"{root}{holder}" for root in ("", "model/") for holder in ("", "_", "_config_dict/"))
TRAINING = (
    r".+/\.OPTIMIZER_SLOT/.+|(?:optimizer|global_step|save_counter)(?:/.+)?",
    "what the training kept beside the network",
)
CELLS = 7  # of a side of the features that the box head flattens

# Our layer, its path in a checkpoint, its name in Keras. {0}, {1}: what the parentheses match; {place}: level - 3.
HEADS = tuple(
    (re.compile(ours), path, name)
    for ours, path, name in (
        *(
            each
            for box, net, predictor, boxes in (
                ("cls", "classnet", "_classifier", "scores"),
                ("box", "boxnet", "_box_regressor", "boxes"),
            )
            for each in (
                (rf"head\.{box}\.convs\.(\d+)", f"head/_{box}_convs/{{0}}", f"retina_net_head/{net}-conv_{{0}}"),
                (
                    rf"head\.{box}\.bns\.(\d+)\.(\d+)",
                    f"head/_{box}_norms/{{place}}/{{1}}",
                    f"retina_net_head/{net}-conv-norm_{{0}}_{{1}}",
                ),
                (rf"head\.{box}\.predictor", f"head/{predictor}", f"retina_net_head/{boxes}"),
            )
        ),
        (r"rpn_head\.convs\.(\d+)", "rpn_head/_convs/{0}", "rpn_head/rpn-conv_{0}"),
        (r"rpn_head\.bns\.(\d+)\.(\d+)", "rpn_head/_norms/{place}/{1}", "rpn_head/rpn-conv-norm_{0}_{1}"),
        (r"rpn_head\.scores", "rpn_head/_classifier", "rpn_head/rpn-scores"),
        (r"rpn_head\.boxes", "rpn_head/_box_regressor", "rpn_head/rpn-boxes"),
        (r"box_head\.convs\.(\d+)", "detection_head/_convs/{0}", "detection_head/detection-conv_{0}"),
        (r"box_head\.bns\.(\d+)", "detection_head/_conv_norms/{0}", "detection_head/detection-conv-bn_{0}"),
        (r"box_head\.fc", "detection_head/_fcs/0", "detection_head/detection-fc_0"),
        (r"box_head\.fc_bn", "detection_head/_fc_norms/0", "detection_head/detection-fc-bn_0"),
        (r"box_head\.scores", "detection_head/_classifier", "detection_head/detection-scores"),
        (r"box_head\.boxes", "detection_head/_box_regressor", "detection_head/detection-boxes"),
        (r"mask_head\.convs\.(\d+)", "mask_head/_convs/{0}", "mask_head/mask-conv_{0}"),
        (r"mask_head\.bns\.(\d+)", "mask_head/_conv_norms/{0}", "mask_head/mask-conv-bn_{0}"),
        (r"mask_head\.deconv", "mask_head/_deconv", "mask_head/mask-upsampling"),
        (r"mask_head\.deconv_bn", "mask_head/_deconv_bn", "mask_head/mask-deconv-bn"),
        (r"mask_head\.logits", "mask_head/_mask_regressor", "mask_head/mask-logits"),
    )
)
LAYER = {"weight": "kernel", "bias": "bias"}
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def backbone_names(target: Mapping[str, Tensor]) -> Mapping[str, str]:
    """Every name that a variable of the backbone goes by -> our key, for the size of SpineNet that has exactly these.

    Empty where it is none of them (an ablation, a scale-permuted ResNet).
    """
    from hrbench.models.spinenet import SCALINGS  # the network's file: wanted only where its weights are
    from hrbench.models.weights.keys.spinenet_keras import keras_variables

    wanted = {key for key in target if key.rpartition(".")[2] != COUNTER}
    for variant in SCALINGS:
        variables = keras_variables(variant)
        if {each.key for each in variables} == wanted:
            break
    else:
        return {}
    listed = {}
    for each in variables:
        listed |= dict.fromkeys(spelled(each.name, "backbone", each.path), each.key)
        listed |= {each.path: each.key, each.path + CHECKPOINT: each.key}  # of a checkpoint of the backbone alone
        listed |= {f"model/{each.path}": each.key, f"model/{each.path}{CHECKPOINT}": each.key}
    return listed


def detector_names(target: Mapping[str, Tensor]) -> Mapping[str, str]:
    """The same for a detector: its backbone's names, and those of its heads."""
    inner = {key.removeprefix("backbone."): value for key, value in target.items() if key.startswith("backbone.")}
    listed = {name: f"backbone.{key}" for name, key in backbone_names(inner).items()}
    for key in target:
        layer, _, leaf = key.rpartition(".")
        theirs = (NORM if f"{layer}.running_mean" in target else LAYER).get(leaf)
        for pattern, path, name in HEADS:
            found = pattern.fullmatch(layer)
            if found is None or theirs is None:
                continue
            place = int(found[1]) - 3 if found.groups() else 0
            part, _, rest = path.format(*found.groups(), place=place).partition("/")
            name = name.format(*found.groups())
            listed |= dict.fromkeys(spelled(f"{name}/{theirs}:0", part, f"{rest}/{theirs}"), key)
    return listed


def spelled(name: str, part: str, path: str) -> Iterator[str]:
    """All that a variable of this Keras name goes by, which lies at `path` within a part of the model."""
    yield from (name, name.removesuffix(":0"))
    for holder in HOLDERS:
        yield f"{holder}{part}/{path}"
        yield f"{holder}{part}/{path}{CHECKPOINT}"


def kernels(state: State, net: nn.Module) -> tuple[State, str]:
    """Kernels from (height, width, inputs, outputs) to (outputs, inputs, height, width), and as `turned` says."""
    return {key: turned(key, value) for key, value in state.items()}, (
        "kernels turned from height, width, inputs, outputs" if state else ""
    )


def turned(key: str, value: Tensor) -> Tensor:
    """A value as our state dict has it. Of a transposed convolution outputs and inputs change places in both.

    Linear layers: (inputs, outputs) to (outputs, inputs); the inputs of the box head's first one lie by y, x, channel
    there and by channel, y, x here.
    """
    if value.ndim == 2 and key == "box_head.fc.weight" and value.shape[0] % CELLS**2 == 0:
        return value.unflatten(0, (CELLS, CELLS, -1)).permute(3, 2, 0, 1).flatten(1).contiguous()
    axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(value.ndim)
    return value.permute(axes).contiguous() if axes else value


MAPS = (
    KeyMap(
        "TensorFlow's SpineNet",
        ("keras",),
        ("spinenet",),
        name_table=backbone_names,
        ignored=(TRAINING,),
        convert=kernels,
        requires=(BuildRequirement("padding", "tf2"),),
    ),
    KeyMap(
        "TensorFlow's detectors on SpineNet",
        ("keras",),
        ("retinanet", "spinenet_mask_rcnn"),
        name_table=detector_names,
        ignored=(TRAINING,),
        convert=kernels,
        requires=(BuildRequirement("backbone.padding", "tf2"),),
    ),
)
