"""Networks of transformers (github.com/huggingface/transformers): `use: "transformers:facebook/detr-resnet-50"`.

Wolf et al.: Transformers: State-of-the-Art Natural Language Processing, EMNLP 2020 (system demonstrations). A network
is named in one of three ways: a folder with config.json and weights ("./vitpose"; written like a path), a repository of
the Hugging Face hub, or a kind that the library knows ("segformer"), built from its default configuration. Of the hub
its cache is looked through first; what is not in it is fetched, except with --offline or where HF_HUB_OFFLINE is set.

What the library returns becomes what the task's networks return:

    task              from                        made of it
    pose              heatmaps                    as they are (ViTPose); data set 0 of a network with experts
    classification    logits                      as they are
    segmentation      logits                      as they are, mostly at 1/4 of the input (SegFormer, UPerNet, BEiT)
                      class and mask queries      sum over queries q of softmax(class_q)[c] x sigmoid(mask_q)[h, w],
                                                  Mask2Former's masks enlarged to 384x384 before the sigmoid,
                                                  "no object" left out (Cheng et al., MaskFormer, NeurIPS 2021, 3.3)
    panoptic          class and mask queries      as they are: class_logits (N, Q, C + 1), mask_logits (N, Q, h, w)
    detection         logits with "no object"     softmax; each query's best class (DETR, YOLOS, Table Transformer)
                      logits without              sigmoid; the Q best of all pairs of query and class (Deformable DETR,
                                                  RT-DETR and others, which so choose 100 or Q of them)
    backbone          feature maps                as they are

Labels of detectors are the configuration's, from 0; boxes are in pixels of each image as it was given.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.core.text import suggestion
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.models.adapters.shared import (
    argument_names,
    as_backbone,
    check_task,
    library,
    refuse_unknown,
    with_checked_output,
)
from hrbench.models.adapters.snapshots import CONFIG, config_in, folder_of, forbidden
from hrbench.types import Missing

AUTO = {
    "classification": ("AutoModelForImageClassification",),
    "segmentation": ("AutoModelForSemanticSegmentation", "AutoModelForUniversalSegmentation"),
    "detection": ("AutoModelForObjectDetection",),
    "pose": ("AutoModelForPoseEstimation",),
    "panoptic": ("AutoModelForUniversalSegmentation",),
    "backbone": ("AutoBackbone",),
}


def build(name: str, *, task: str = "", weights: bool = False, offline: bool = False, **args: Any) -> nn.Module:
    """The library's network with the library's own keys; see the top of this file for what it returns.

    name: a folder, a repository, or a model type of the library.
    task: one of `AUTO`, or "" for the first that fits.
    weights: whether the weights of the folder or repository are loaded, strictly; otherwise they are randomly
        initialised.
    offline: whether a repository must be on this disk.
    args: fields of the configuration, such as num_labels.

    Raises UsageError for an unknown name or field or another task, MissingError if a repository is not on this disk,
    InputError if weights do not fit.
    """
    check_task(task, tuple(AUTO), f"transformers:{name}")
    transformers = library("transformers")
    folder = folder_of(name, fetch=not offline and not forbidden(), weights=weights)
    config = _config(transformers, name, folder, args)
    kind = _kind(transformers, config, task, name)
    net = _loaded(kind, folder, config) if weights and isinstance(folder, Path) else kind._from_config(config)
    what = f"transformers:{name}"
    chosen = task or _task_of(transformers, config)
    return _adapted(net, chosen, what, _task_text(transformers, config, folder, weights, chosen))


def _config(transformers: Any, name: str, folder: Path | Missing, args: Mapping[str, Any]) -> Any:
    """The configuration in a folder, or the default one of a kind of network, with some fields replaced."""
    if isinstance(folder, Path):
        stated = config_in(folder)
        try:
            _refuse_kernels(name, stated)
            _refuse_counts(name, stated)
            config = transformers.AutoConfig.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, **args
            )
        except UsageError:
            raise
        except Exception as error:  # of many kinds, by the field that is damaged
            if "trust_remote_code" in str(error):
                raise UsageError(
                    f"{name} is built by code of its own, which is not run: "
                    "name that code in a module of yours, as `use: package.module:callable`"
                ) from None
            raise InputError(f"{folder / CONFIG}: {_line(error)}") from error
    elif name in transformers.CONFIG_MAPPING:
        _refuse_counts(name, dict(args))
        config = transformers.AutoConfig.for_model(name, **args)
    elif "/" in name:
        raise MissingError(str(folder))
    else:
        hint = suggestion(name, transformers.CONFIG_MAPPING.keys())
        raise UsageError(f"transformers {transformers.__version__} knows no kind {name!r}, which is no folder; {hint}")
    _refuse_kernels(name, dict(args))
    if args:
        _refuse_fields(name, config, _plain(transformers, name, folder), args)
    if hasattr(config, "use_pretrained_backbone"):
        config.use_pretrained_backbone = False  # it would be fetched, only to be written over
    return config


def _plain(transformers: Any, name: str, folder: Path | Missing) -> Any:
    """The configuration without any field replaced."""
    if not isinstance(folder, Path):
        return transformers.AutoConfig.for_model(name)
    return transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


def _refuse_fields(name: str, made: Any, plain: Any, fields: Mapping[str, Any]) -> None:
    """Raises UsageError for fields that a configuration has not got, which it would keep without a use for them.

    made, plain: the configuration with and without the fields. What is a field only of those given was kept; what is
    none of either was understood.
    """
    known = {*plain.to_dict(), *plain.attribute_map, *argument_names(type(plain)), "num_labels", "attn_implementation"}
    for key, value in fields.items():
        if key not in known and not _has(plain, key) and _has(made, key):
            what = f"transformers:{name} ({plain.model_type})"
            refuse_unknown([key], {each for each in known if not each.startswith("_")}, what)
        inner, under = getattr(made, key, None), getattr(plain, key, None)
        kind = type(inner)
        bare = getattr(kind, "has_no_defaults_at_init", False)
        if isinstance(value, Mapping) and hasattr(inner, "model_type") and not bare:
            _refuse_fields(name, inner, under if kind is type(under) else kind(), value)


def _has(config: Any, key: str) -> bool:
    return hasattr(config, key) and not callable(getattr(config, key))


def _refuse_kernels(name: str, fields: Any) -> None:
    """Raises UsageError if a configuration names a repository of compiled code, for its attention for example."""
    for key, value in fields.items() if isinstance(fields, Mapping) else ():
        if isinstance(value, Mapping):
            _refuse_kernels(name, value)
        if str(key).endswith("_implementation") and "/" in str(value):
            raise UsageError(f"{name} asks for code of {value} to run its {key.strip('_')}, which is not run")


MOST_LABELS, MOST_LAYERS = 1_000_000, 1_000
LABELS = ("num_classes", "num_labels")
LAYERS = re.compile(r"depths?|(num_)?(\w+_)?(layers|blocks)")


def _refuse_counts(name: str, fields: Any) -> None:
    """Raises UsageError for a number of labels or layers that no network has.

    The library makes a name of each label and a module of each layer, one after the other, until memory ends.
    """
    for key, value in fields.items() if isinstance(fields, Mapping) else ():
        if isinstance(value, Mapping):
            _refuse_counts(name, value)
        most = MOST_LABELS if key in LABELS else MOST_LAYERS if LAYERS.fullmatch(str(key)) else math.inf
        for count in value if isinstance(value, list) else [value]:
            if isinstance(count, (int, float)) and count > most:
                raise UsageError(f"{name} is to have {key}: {count:g}; a network has at most {most:,}")


def _kind(transformers: Any, config: Any, task: str, name: str) -> Any:
    """The class of network that the task takes for this configuration."""
    known = []
    for auto in AUTO.get(task or _task_of(transformers, config), ()):
        mapping = getattr(getattr(transformers, auto, None), "_model_mapping", {})
        if type(config) in mapping:
            found = mapping[type(config)]
            return found[0] if isinstance(found, tuple) else found
        known += [each.model_type for each in mapping.keys()]  # noqa: SIM118 (no dictionary: it imports as it goes)
    if task == "pose" and config.model_type == "vitpose":  # before there was an automatic class for poses
        return transformers.VitPoseForPoseEstimation
    raise UsageError(
        f"transformers:{name} is a {config.model_type}, of which transformers has none for {task or 'any task here'}; "
        + suggestion(config.model_type, known)
    )


def _task_of(transformers: Any, config: Any) -> str:
    """The first task that there is a network of this configuration for, the ones saved with it first."""
    named = " ".join(config.architectures or ())
    for task, autos in AUTO.items():
        for auto in autos:
            mapping = getattr(getattr(transformers, auto, None), "_model_mapping", {})
            if type(config) in mapping and (not named or mapping[type(config)].__name__ in named):
                return task
    return ""


def _loaded(kind: Any, folder: Path, config: Any) -> nn.Module:
    """The network with the weights of its folder; InputError if a key is missing or left over."""
    try:
        with torch.device("cpu"):
            net, report = kind.from_pretrained(
                str(folder),
                config=config,
                output_loading_info=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # they are told below, all at once
                dtype=torch.float32,
            )
    except Exception as error:  # a damaged file raises nearly anything, by its format
        raise InputError(
            f"the weights in {folder} cannot be read (damaged?): {type(error).__name__}: {_line(error)}"
        ) from error
    wrong = [
        f"{len(report[key])} {what}: {', '.join(sorted(map(str, report[key]))[:5])}"
        for key, what in (
            ("missing_keys", "missing from the file"),
            ("unexpected_keys", "left over"),
            ("mismatched_keys", "of another shape"),
        )
        if report.get(key)
    ]
    if wrong:
        raise InputError(f"the weights in {folder} do not fit {kind.__name__}; {'; '.join(wrong)}")
    return net


def _line(error: Exception) -> str:
    """The beginning of a message of the library, as a line that can be printed: a file may hold halves of letters."""
    return " ".join(str(error).split())[:300].encode("utf-8", "backslashreplace").decode()


# --- what goes in and what comes out ---------------------------------------------------------------------------------


def _adapted(net: Any, task: str, what: str, tokens: list[int] | None = None) -> nn.Module:
    """tokens: of OneFormer: the text that names its task."""
    taken = inspect.signature(net.forward).parameters
    if task == "detection":
        net.register_forward_pre_hook(partial(_together, "pixel_mask" in taken, what), with_kwargs=True)
        net.label_count = int(net.config.num_labels)
        queries = next((name for name in QUERIES if isinstance(getattr(net.config, name, None), int)), None)
        if queries is not None:
            net.most_detections, net.most_option = getattr(net.config, queries), ""  # weights are of so many
        net.register_forward_hook(partial(_boxes, net.label_count))
        return with_checked_output(net, task, what)
    if tokens is not None:
        net.register_forward_pre_hook(partial(_semantic_task, tokens), with_kwargs=True)
    experts = getattr(getattr(net.config, "backbone_config", None), "num_experts", 1)
    if task == "pose" and (experts or 1) > 1 and "dataset_index" in taken:
        net.register_forward_pre_hook(_first_data_set, with_kwargs=True)
    takes = {
        "pose": lambda output: output.get("heatmaps", output),
        "classification": lambda output: output["logits"],
        "segmentation": partial(_semantic, ENLARGED.get(net.config.model_type)),
        "panoptic": _queries,
        "backbone": lambda output: list(output["feature_maps"]),
    }
    net = with_checked_output(net, task, what, takes.get(task))
    return as_backbone(net) if task == "backbone" else net


def _task_text(transformers: Any, config: Any, folder: Path | Missing, weights: bool, task: str) -> list[int] | None:
    """The tokens of "the task is semantic", or "panoptic", which OneFormer takes beside its images; None for others.

    A network with random weights, whose costs alone are of interest, takes zeros. Raises InputError if the folder of
    one with weights has no tokenizer.
    """
    if config.model_type != "oneformer":
        return None
    length = int(config.task_seq_len)
    if not weights or not isinstance(folder, Path):
        return [0] * length
    try:
        tokenizer = transformers.CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # of many kinds, by what is missing or damaged
        raise InputError(
            f"{folder} has no tokenizer (vocab.json, merges.txt) for the text that tells OneFormer its task: "
            f"{_line(error)}"
        ) from error
    word = "panoptic" if task == "panoptic" else "semantic"
    made = tokenizer(f"the task is {word}", padding="max_length", max_length=length, truncation=True)
    return list(made["input_ids"])


def _semantic_task(tokens: list[int], net: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
    text = torch.tensor([tokens], device=given[0].device).expand(len(given[0]), -1)
    return given, {"task_inputs": text, **named}


def _first_data_set(net: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
    return given, {"dataset_index": torch.zeros(len(given[0]), dtype=torch.long, device=given[0].device), **named}


QUERIES = ("num_queries", "num_detection_tokens")
"""Fields of configurations that say how many queries a detector has, each of which finds one object at most."""

ENLARGED = {"mask2former": (384, 384)}
"""Kind -> (height, width) that its own post-processing enlarges mask logits to, before the sigmoid, whatever the image
(`Mask2FormerImageProcessor.post_process_semantic_segmentation`)."""


CLASSES, MASKS = ("class_queries_logits", "logits"), ("masks_queries_logits", "pred_masks")
"""By which names kinds of networks return the logits of their queries' classes and masks."""


def _class_and_mask_logits(output: Any) -> tuple[Tensor | None, Tensor | None]:
    """Logits (N, Q, C + 1) and (N, Q, h, w) of a network's queries; None for what it does not return."""
    classes, masks = (next((output[key] for key in keys if key in output), None) for keys in (CLASSES, MASKS))
    return classes, masks


def _queries(output: Any) -> Any:
    """{"class_logits": (N, Q, C + 1), "mask_logits": (N, Q, h, w)} of a network with queries; else its output."""
    classes, masks = _class_and_mask_logits(output)
    return output if classes is None or masks is None else {"class_logits": classes, "mask_logits": masks}


def _semantic(size: tuple[int, int] | None, output: Any) -> Tensor:
    """Logits, or scores (N, C, h, w) of class queries (N, Q, C + 1) and mask queries (N, Q, h, w).

    size: to which masks are enlarged before the sigmoid; None for not at all.
    """
    classes, masks = _class_and_mask_logits(output)
    if masks is None:
        return output["logits"] if classes is not None else output
    assert classes is not None
    if size is not None:
        masks = torch.nn.functional.interpolate(masks, size=size, mode="bilinear", align_corners=False)
    return torch.einsum("nqc,nqhw->nchw", classes.softmax(-1)[..., :-1], masks.sigmoid())


def _together(masked: bool, what: str, net: Any, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
    """A list of images (3, h, w), or a batch of them, as one batch with a mask of what is image.

    The sizes are kept for `_boxes`, which turns the answer back. Networks that take no mask need one size.
    """
    images = list(given[0])
    sizes = [tuple(image.shape[-2:]) for image in images]
    net.__dict__["_sizes"] = sizes
    if len(set(sizes)) == 1:
        return (torch.stack(images),), named
    if not masked:
        raise UsageError(f"{what} takes images of one size in a batch, not of {len(set(sizes))}: set batch to 1")
    height, width = (max(side) for side in zip(*sizes, strict=True))
    batch = images[0].new_zeros(len(images), 3, height, width)
    mask = torch.zeros(len(images), height, width, dtype=torch.long, device=batch.device)
    for row, image, (h, w) in zip(range(len(images)), images, sizes, strict=True):
        batch[row, :, :h, :w] = image
        mask[row, :h, :w] = 1
    return (batch,), {"pixel_mask": mask, **named}


def _boxes(classes: int, net: Any, given: Any, output: Any) -> list[dict[str, Tensor]]:
    """Logits (N, Q, C or C + 1) and boxes (N, Q, 4), centre and size in shares of the image, as detections."""
    logits, boxes = output["logits"], output["pred_boxes"]
    if logits.shape[-1] == classes + 1:
        scores, labels = logits.softmax(-1)[..., :-1].max(-1)  # (N, Q)
        queries = torch.arange(logits.shape[1], device=logits.device).expand_as(labels)
    else:
        scores, pairs = logits.sigmoid().flatten(1).topk(logits.shape[1])
        labels, queries = pairs % logits.shape[-1], pairs // logits.shape[-1]
    centres, sizes = boxes[..., :2], boxes[..., 2:]
    corners = torch.cat([centres - sizes / 2, centres + sizes / 2], -1)
    found = []
    for row, (height, width) in enumerate(net.__dict__.pop("_sizes")):
        scale = corners.new_tensor([width, height, width, height])
        taken = corners[row].gather(0, queries[row][:, None].expand(-1, 4))
        found.append({"boxes": taken * scale, "scores": scores[row], "labels": labels[row]})
    return found
