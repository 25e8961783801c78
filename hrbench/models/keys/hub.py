"""Files of timm and torchvision, whose HRNets and ResNets have the official keys, but for what is named here."""

from __future__ import annotations

from hrbench.models.key_maps import KeyMap

CLASSIFIER = (r"fc\.(weight|bias)", "the classifier, which a backbone does without")

MAPS = (
    KeyMap(
        "timm",
        ("timm",),
        ("cls_hrnet",),
        zero=((r"(downsamp_modules\.\d+|final_layer)\.0\.bias", "timm's ssld variants have no such biases"),),
    ),
    KeyMap("timm and torchvision", ("timm", "torchvision"), ("resnet",), beside=(CLASSIFIER,)),
    KeyMap(
        "torchvision",
        ("torchvision",),
        ("torchvision:",),
        beside=((r"aux_classifier\..+", "the auxiliary classifier, which only training uses"),),
    ),
)
