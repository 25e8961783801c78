"""Files of the papers' own code, whose keys are ours: leoxiaobin/deep-high-resolution-net.pytorch,
microsoft/human-pose-estimation.pytorch, HRNet/HRNet-{Semantic-Segmentation, Image-Classification, Object-Detection,
Facial-Landmark-Detection} and DrSleep/refinenet-pytorch.
"""

from __future__ import annotations

from torch import nn

from hrbench.models.weights.key_maps import BuildRequirement, KeyMap, State

COUNTER = "num_batches_tracked"
SCALE = 1e-5
LOSS = (r"(module\.)?loss\..+", "the training loss, kept in one file with the network (FullModel)")
SOURCES = ("official", "simple-baseline")
FCOS_OUTPUT = (r"bbox_head\.fcos_(cls|reg|centerness)\.(.+)", r"bbox_head.conv_\1.\2")  # up to mmdetection 2.0
DETECTORS = ("faster_rcnn", "mask_rcnn", "cascade_rcnn", "cascade_mask_rcnn", "fcos")


def inplace_abn(state: State, net: nn.Module) -> tuple[State, str]:
    """Scales of batch norms as the code of 2019 applied them, where a file was written by it.

    The branch master of HRNet-Semantic-Segmentation trained under PyTorch 0.4.1 with in-place activated batch norms
    (Rota Bulo, Porzi, Kontschieder, CVPR 2018), which scale by |weight| + eps, eps = 1e-5, and count no batches: such a
    file is told by its lack of counters.
    """
    if any(key.rpartition(".")[2] == COUNTER for key in state):
        return state, ""
    scales = {f"{name}.weight" for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)}
    changed = {key: value.abs() + SCALE if key in scales else value for key, value in state.items()}
    return changed, "norms scaled by |weight| + 1e-5, as the in-place ABN of PyTorch 0.4.1 did that this file is of"


MAPS = (
    KeyMap("the official code", SOURCES, ("pose_hrnet", "face_hrnet", "pose_resnet", "refinenet")),
    # timm's classifiers are these, key for key.
    KeyMap(
        "the official code",
        (*SOURCES, "timm"),
        ("cls_hrnet",),
        zeroed=(
            (
                r"(downsamp_modules\.\d+|final_layer)\.0\.bias",
                "the ssld variants, which come from PaddlePaddle, have no such biases",
            ),
        ),
    ),
    KeyMap(
        "the official code",
        SOURCES,
        ("seg_hrnet", "seg_hrnet_ocr"),
        ignored=(LOSS,),
        convert=inplace_abn,
    ),
    # HRNet-Object-Detection is mmdetection of early 2019: heads of regions at the top level, necks without ConvModule.
    KeyMap(
        "HRNet-Object-Detection and mmdetection 1",
        ("official", "openmmlab"),
        DETECTORS,
        rules=(
            (r"neck\.reduction_conv\.(?:0|conv)\.(.+)", r"neck.reduction_conv.conv.\1"),
            (r"neck\.fpn_conv\.(\d+)\.(.+)", r"neck.fpn_convs.\1.conv.\2"),
            FCOS_OUTPUT,
            (r"(bbox_head\.(?:cls_convs|reg_convs|scales)\..+)", r"\1"),
            (r"(mask_head\..+)", r"roi_head.\1"),
            (r"(bbox_head\.(?:\d+\.)?(?:shared_fcs|fc_cls|fc_reg)\..+)", r"roi_head.\1"),
            (r"((?:backbone|neck|rpn_head)\..+)", r"\1"),
        ),
        requires=(BuildRequirement("convention", "mmdet1"),),
    ),
)
