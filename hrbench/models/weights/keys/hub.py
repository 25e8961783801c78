"""Files of timm and torchvision: ResNets as backbones, and torchvision's own networks. (timm's HRNets are official.)"""

from __future__ import annotations

from torch import nn

from hrbench.models.weights.key_maps import BuildRequirement, KeyMap, State

CLASSIFIER = (r"fc\.(weight|bias)", "the classifier, which a backbone does without")
FROZEN = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn", "retinanet_resnet50_fpn")


def without_eps(state: State, net: nn.Module) -> tuple[State, str]:
    """Variances lowered by what the network's norms add to them, so that they divide by the file's own.

    torchvision's first detectors were trained with frozen norms that added nothing, and torchvision sets this again
    where it loads their weights (`overwrite_eps`). Such a file counts no batches.
    """
    if any(key.endswith("num_batches_tracked") for key in state):
        return state, ""
    added = {f"{name}.running_var": each.eps for name, each in net.named_modules() if isinstance(each, nn.BatchNorm2d)}
    changed = {key: value - added[key] if key in added else value for key, value in state.items()}
    return changed, "norms without eps, as torchvision's frozen ones had none that this file is of"


MAPS = (
    KeyMap(
        "timm and torchvision",
        ("timm", "torchvision"),
        ("resnet",),
        ignored=(CLASSIFIER,),
        requires=(BuildRequirement("style", "pytorch"),),
    ),
    KeyMap("torchvision", ("torchvision",), tuple(f"torchvision:{name}" for name in FROZEN), convert=without_eps),
    KeyMap(
        "torchvision",
        ("torchvision",),
        ("torchvision:",),
        ignored=((r"aux_classifier\..+", "the auxiliary classifier, which only training uses"),),
    ),
)
