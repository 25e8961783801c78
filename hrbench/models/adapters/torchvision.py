"""Networks of torchvision.models: `use: "torchvision:fcn_resnet50"`.

Classifiers, segmenters, detectors, and backbones (`args: {nodes: [layer1, ...]}` names the modules whose outputs are
its maps; a ResNet's four stages where none are named). Video, optical flow and quantised networks have no task here.

A detector of torchvision normalises and resizes its images itself, and numbers classes from 1, 0 being the
background. Here the task has prepared the images, so both are switched off: images come as they are, (3, h, w) and
normalised, and are only padded to a batch; boxes are in their pixels. Labels are the model's own minus one: contiguous
from 0, in the model's order without the background. Of COCO's weights that is the category id minus one, unused ids
included (90 classes).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.core.stages import stage
from hrbench.core.text import suggestion
from hrbench.errors import UsageError
from hrbench.models.adapters.shared import (
    argument_names,
    as_backbone,
    check_task,
    library,
    refuse_unknown,
    with_checked_output,
    without_weight_args,
)

LOADING = ("weights", "weights_backbone", "pretrained")
STAGES = ("layer1", "layer2", "layer3", "layer4")
UNCOUNTED = "anchors, box decoding, top-k, NMS"


def build(
    name: str,
    *,
    task: str = "",
    input: tuple[int, int] | None = None,
    nodes: Sequence[str] | None = None,
    **args: Any,
) -> nn.Module:
    """torchvision's network of that name with random weights and torchvision's own keys.

    Classification: images (N, 3, H, W) -> logits (N, classes). Segmentation: -> logits (N, classes, H, W), or with
    `aux_loss: true` a list of the auxiliary ones and these. Detection: a list of images (3, h, w) -> a dictionary for
    each: boxes (M, 4) x1 y1 x2 y2 in its pixels, scores (M,), labels (M,) from 0, and mask_crops (M, 28, 28),
    probabilities in each box, where there are any. Pose, of Keypoint R-CNN: (N, 3, h, w) or a list of images -> as
    detection, with keypoints (M, K, 3) in pixels of the image. Backbone: -> maps at `nodes`, finest first. args: of
    torchvision's builder, such as num_classes.
    Raises UsageError for an unknown name or argument, or another task.
    """
    models = library("torchvision.models")
    kinds = {
        "detection": models.list_models(module=models.detection),
        "segmentation": models.list_models(module=models.segmentation),
        "classification": models.list_models(module=models),
    }
    kind = next((kind for kind, names in kinds.items() if name in names), None)
    if kind is None:
        known = [each for names in kinds.values() for each in names]
        raise UsageError(f"torchvision has no image model {name!r}; {suggestion(name, known)}")
    also = {"classification": ("backbone",), "detection": ("pose",) if name.startswith("keypointrcnn") else ()}
    check_task(task, (kind, *also.get(kind, ())), f"torchvision:{name}")
    args = {**_size(name, input), **without_weight_args(args, LOADING, f"torchvision:{name}")}
    builder = models.get_model_builder(name)
    refuse_unknown(args, _known(builder, kind) - {"progress", *LOADING}, f"torchvision:{name}")
    nothing: dict[str, Any] = {"weights": None}
    if "weights_backbone" in inspect.signature(builder).parameters:
        nothing["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):  # they would be initialised by SciPy, which takes most of a minute
        nothing["init_weights"] = False
    net = models.get_model(name, **nothing, **args)
    if task == "backbone":
        return _backbone(net, f"torchvision:{name}", nodes)
    if nodes is not None:
        raise UsageError(f"torchvision:{name}: nodes are those of a backbone; the task here is {kind}")
    if kind == "detection":
        return _detector(net, f"torchvision:{name}", "pose" if task == "pose" else kind)
    return with_checked_output(net, kind, f"torchvision:{name}", _heads if kind == "segmentation" else None)


def _known(builder: Any, kind: str) -> set[str]:
    """Names of the arguments that a builder, or what it hands the others on to, does something with.

    Builders take any: those of segmenters pass over what they do not name themselves, and so do the constructors of
    detectors.
    """
    found = argument_names(builder)
    if kind == "segmentation":
        return found
    inner = inspect.unwrap(builder)
    helpers = [inner.__globals__.get(name) for name in inner.__code__.co_names if name.startswith("_")]
    found |= argument_names(*(each for each in helpers if inspect.isfunction(each)))
    made = inspect.signature(builder).return_annotation
    own = [each for each in getattr(made, "__mro__", ()) if each.__module__.startswith("torchvision.")]
    found |= argument_names(*own)
    return found | {"size_divisible"} if kind == "detection" else found


def _size(name: str, input: tuple[int, int] | None) -> dict[str, Any]:
    """The size of input that a network is made for, of those that are made for one."""
    if input is None or not name.startswith(("vit_", "maxvit_")):
        return {}
    if name.startswith("maxvit_"):
        return {"input_size": tuple(input)}
    if input[0] != input[1]:
        raise UsageError(f"torchvision:{name} takes square images, not {input[0]}x{input[1]}")
    return {"image_size": input[0]}


def _heads(output: dict[str, Tensor]) -> Any:
    """The logits, after the auxiliary ones where there are any: the last is what is used."""
    return [output["aux"], output["out"]] if "aux" in output else output["out"]


# --- backbones -------------------------------------------------------------------------------------------------------


def _backbone(net: nn.Module, network_name: str, nodes: Sequence[str] | None) -> nn.Module:
    """The part of a classifier up to the last of `nodes`, under the classifier's keys."""
    if nodes is None and not all(hasattr(net, stage) for stage in STAGES):
        names = ", ".join(name for name, _ in net.named_children())
        raise UsageError(
            f"{network_name} as a backbone: say which modules give its maps with `nodes`; it consists of {names}"
        )
    extraction = library("torchvision.models.feature_extraction")
    asked = list(STAGES if nodes is None else nodes)
    try:
        with torch.device("cpu"):
            part = extraction.create_feature_extractor(net.eval(), {node: node for node in asked})
    except ValueError as error:
        raise UsageError(f"{network_name}: {' '.join(str(error).split())[:200]}") from None
    for node in part.graph.nodes:  # a hook would be lost when the network is copied, so the graph itself is told
        if node.op == "output":
            node.args = (list(node.args[0].values()),)
    return as_backbone(torch.fx.GraphModule(part, part.graph).eval())


# --- detectors -------------------------------------------------------------------------------------------------------


def _detector(net: Any, network_name: str, task: str) -> nn.Module:
    """A detector that takes normalised images as they are, numbers classes from 0 and can be counted by part."""
    net.transform = AsTheyAre(net.transform)
    heads = net.roi_heads if hasattr(net, "roi_heads") else net
    heads.postprocess_detections = MethodType(_postprocess_detections, heads)
    net.label_count = _labels(net)
    net.most_detections = int(heads.detections_per_img)
    net.most_option = "box_detections_per_img" if hasattr(net, "roi_heads") else "detections_per_img"
    net.count_parts = MethodType(count_two_stages if hasattr(net, "roi_heads") else count_one_stage, net)
    net.register_forward_pre_hook(lambda module, given: (list(given[0]), *given[1:]))  # a batch is a list of images too
    return with_checked_output(net, task, network_name, _from_zero)


def _labels(net: Any) -> int:
    """How many classes a detector tells apart without the background, whose score each of their heads has as well."""
    if hasattr(net, "roi_heads"):
        return int(net.roi_heads.box_predictor.cls_score.out_features) - 1
    head = net.head.classification_head
    return int(head.num_columns if hasattr(head, "num_columns") else head.num_classes) - 1  # SSD; RetinaNet, FCOS


def _postprocess_detections(self: Any, *args: Any, **options: Any) -> Any:
    """The method of the same name of a detector or its heads, as a stage: it chooses what is kept of what was found."""
    with stage("suppression"):
        return type(self).postprocess_detections(self, *args, **options)


class AsTheyAre(nn.Module):
    """In place of a detector's own transform: images as they come, padded to one batch; boxes as they are found."""

    def __init__(self, own: Any) -> None:
        super().__init__()
        self.own = own  # it pads images

    def forward(self, images: list[Tensor], targets: Any = None) -> tuple[Any, Any]:
        structure = library("torchvision.models.detection.image_list")
        sizes = [(image.shape[-2], image.shape[-1]) for image in images]
        return structure.ImageList(self.own.batch_images(images, self.own.size_divisible), sizes), targets

    def postprocess(self, found: Any, sizes: Any, originals: Any) -> Any:
        """Boxes stay in pixels of the images that the network saw, and masks as they are in their boxes."""
        return found


def _from_zero(found: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """Classes from 0 without the background, which RetinaNet's head has as a class like any other; masks as crops."""
    made = []
    for each in found:
        kept = {key: value[each["labels"] > 0] for key, value in each.items()}
        kept["labels"] = kept["labels"] - 1
        if "masks" in kept:
            kept["mask_crops"] = kept.pop("masks")[:, 0]  # probabilities (M, 1, 28, 28)
        made.append(kept)
    return made


def count_two_stages(net: Any, images: Tensor, proposals: int = 1000, masks: int = 100) -> dict[str, Any]:
    """Runs backbone, RPN head, box head on `proposals` and mask or joint head on `masks` regions of each image."""
    features = net.backbone(images)
    net.rpn.head(list(features.values()))
    heads, first = net.roi_heads, next(iter(features.values()))

    def regions(count: int, pool: Any) -> Tensor:
        return first.new_empty(count * len(images), first.shape[1], *pool.output_size)

    heads.box_predictor(heads.box_head(regions(proposals, heads.box_roi_pool)))
    conditions: dict[str, Any] = {"proposals": proposals}
    for kind in ("mask", "keypoint"):
        if getattr(heads, f"{kind}_head", None) is not None:
            pool = getattr(heads, f"{kind}_roi_pool")
            getattr(heads, f"{kind}_predictor")(getattr(heads, f"{kind}_head")(regions(masks, pool)))
            conditions["masks"] = masks
    pasted = ", pasting of masks" if "masks" in conditions else ""
    return {**conditions, "not counted": f"{UNCOUNTED}, RoIAlign{pasted}"}


def count_one_stage(net: Any, images: Tensor, proposals: int = 1000, masks: int = 100) -> dict[str, Any]:
    """Runs backbone and dense heads of RetinaNet, FCOS or SSD; there are neither proposals nor masks."""
    features = net.backbone(images)
    net.head([features] if isinstance(features, Tensor) else list(features.values()))
    return {"not counted": UNCOUNTED}
