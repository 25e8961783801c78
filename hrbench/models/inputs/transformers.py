"""How transformers feeds a network: its image processor, read from preprocessor_config.json beside config.json.

    task             read                                                    protocol `transformers`
    classification   size, crop, resample, and the rule of the processor     crop_mode, crop_fraction, resized_to
    segmentation     size, resample, size_divisor, do_reduce_labels          size, short, long, to_multiple
    panoptic         size, resample, size_divisor                            size, short, long, to_multiple, masks_to
    detection        size, resample, sides of YOLOS                          resize, short, long, round_down_to

Rescaling and normalisation become mean and std of values in [0, 1]; `do_flip_channel_order` becomes the colour. Without
such a file the defaults of the kind's processor count: all of them for classifiers; colours alone for segmenters, whose
images then go in whole; and the detector's own size, or the entry's input where it is one size for all.

Processors are known by name, since their rules are in their code: another one is refused, with the way to go on. Sizes
and rules: transformers 5.24, image_processing_backends.py, image_transforms.py and the processors of `KNOWN`. Its two
backends differ in a grey level of a resized pixel, where pixels here are Pillow's ("pil"); and where a crop is larger
than the image, in the side that gets an odd row of padding, where it is torchvision's here.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hrbench.errors import InputError, UsageError
from hrbench.models.adapters.snapshots import config_in, folder_of, forbidden
from hrbench.models.inputs.processor import Processor, colours
from hrbench.types import NOT_READ, LibraryInput

FILE = "preprocessor_config.json"
PLAIN = ("ViT", "Bit", "CLIP", "DeiT", "Beit", "Pvt", "MobileNetV1", "MobileNetV2", "Segformer", "EfficientNet")
CLASSIFIERS = (*PLAIN, "Siglip", "Siglip2", "ConvNext", "Levit", "PoolFormer", "MobileViT")
SEGMENTERS = (*PLAIN, "DPT", "MaskFormer", "Mask2Former", "OneFormer", "MobileViT")
DETECTORS = ("Detr", "ConditionalDetr", "DeformableDetr", "RTDetr", "Yolos")
FUSERS = ("MaskFormer", "Mask2Former", "OneFormer")
KNOWN = {
    "classification": CLASSIFIERS,
    "segmentation": SEGMENTERS,
    "panoptic": FUSERS,
    "detection": DETECTORS,
}
"""Task -> its processors whose rules are known, without the ending "ImageProcessor"."""


def library_input(
    name: str,
    *,
    task: str,
    input: tuple[int, int] | None,
    args: Mapping[str, Any],
    weights: str = "",
    fetch: bool = False,
) -> LibraryInput | None:
    """What the processor of a folder, repository or kind does; None for a task or kind without a processor.

    fetch: whether a repository's configuration may be downloaded; one that is not on this disk is `NOT_READ`. Raises
    UsageError for a processor or setting that is not offered here, InputError for a damaged file.
    """
    if task not in KNOWN:
        return None
    import transformers

    folder = None if name in transformers.CONFIG_MAPPING else folder_of(name, fetch=fetch, weights=False)
    if folder is not None and not isinstance(folder, Path):
        if fetch or forbidden() or "/" not in name.strip("./"):
            return None  # the network cannot be built either, which says why
        return LibraryInput(NOT_READ, protocol={"name": "transformers"})
    config = {"model_type": name} if folder is None else config_in(folder)
    model = config.get("model_type", "")
    if not isinstance(model, str):
        raise InputError(f"{name}/config.json: model_type is a {type(model).__name__}; it should be a name")
    processor, kind = _processor(transformers, name, folder, model, task)
    if processor is None:
        return None
    stated = f"transformers {kind}ImageProcessor" + ("" if folder is None else f" ({name})")
    own = folder is not None and (folder / FILE).is_file()
    if model == "oneformer" and folder is None:
        raise UsageError(
            "transformers:oneformer takes a text that tells its task, whose tokens are in the folder of its weights: "
            "name that folder, or its repository, or leave the data set out to measure costs"
        )
    make = _READ[task]
    known = Processor(processor, kind, f"transformers:{name}", model, own)
    size, protocol = make(known, input, _labels(config))
    colour, mean, std = colours(known)
    return LibraryInput(stated, size, colour, mean, std, {"name": "transformers", **protocol})


def _processor(transformers: Any, name: str, folder: Path | None, model: str, task: str) -> tuple[Any, str]:
    """The processor and its kind; (None, "") for a network without one. model: the kind of network."""
    if folder is not None and (folder / FILE).is_file():
        try:
            made = transformers.AutoImageProcessor.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # a damaged file raises nearly anything, by its content
            raise InputError(f"{folder / FILE} cannot be read: {_line(error)}") from error
    else:
        names = importlib.import_module("transformers.models.auto.image_processing_auto").IMAGE_PROCESSOR_MAPPING_NAMES
        found: Any = names.get(model) or ALIKE.get(model)
        if isinstance(found, Mapping):
            found = found.get("torchvision") or found.get("pil")
        if isinstance(found, tuple):  # of releases before 5: (slow, fast)
            found = next((each for each in found if each), None)
        if found is None or not hasattr(transformers, found):
            return None, ""
        made = getattr(transformers, found)()
    kind = type(made).__name__.removesuffix("Pil").removesuffix("Fast").removesuffix("ImageProcessor")
    kind = kind.removesuffix("FeatureExtractor")
    if kind not in KNOWN[task]:
        raise UsageError(
            f"transformers:{name} is fed by {type(made).__name__}, whose rules hrbench does not know for {task}: "
            "name a protocol and its settings (`protocol: {name: ...}`)"
        )
    return made, kind


ALIKE = {
    "d_fine": "RTDetrImageProcessor", "rt_detr_v2": "RTDetrImageProcessor", "dab-detr": "ConditionalDetrImageProcessor",
    "dinov2_with_registers": "BitImageProcessor",
}  # fmt: skip
"""Kinds without a processor of their own name -> that of their published checkpoints."""


def _line(error: Exception) -> str:
    """The beginning of a message of a library, as a line that can be printed: a file may hold halves of letters."""
    return " ".join(str(error).split())[:200].encode("utf-8", "backslashreplace").decode()


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    """The names of a network's outputs in its configuration, by number; {} if it has none."""
    named = config.get("id2label", {})
    return {str(key): str(value) for key, value in named.items()} if isinstance(named, Mapping) else {}


# --- by task ----------------------------------------------------------------------------------------------------------


def _classification(
    p: Processor, input: tuple[int, int] | None, labels: Mapping[str, str]
) -> tuple[tuple[int, int], dict[str, Any]]:
    """The crop's size, and how it is made."""
    if not p.flag("do_resize"):
        raise p.refused("do_resize: false")
    size, cut = p.sides("size"), p.sides("crop_size") if p.flag("do_center_crop") else {}
    edge = size.get("shortest_edge", 0)
    mode = "centre" if edge else "squash"
    full = (edge, edge) if edge else (size.get("height", 0), size.get("width", 0))
    crop = (cut["height"], cut["width"]) if {"height", "width"} <= cut.keys() else None
    if p.kind == "ConvNext":
        crop = (edge, edge)
        mode = "centre" if edge < 384 else "squash"
        full = _square(int(edge / p.share("crop_pct"))) if edge < 384 else crop
    elif p.kind == "Levit" and edge:
        full = _square(int(256 / 224 * edge))
    elif p.kind == "PoolFormer" and p.has("crop_pct") and full[0] == full[1]:
        mode, full = "centre", _square(int(full[0] / p.share("crop_pct")))
    elif p.kind == "EfficientNet" and not p.flag("do_center_crop"):
        crop = None
    if crop is None and mode == "squash":
        crop = full
    if crop is None or not all(full) or size.get("longest_edge"):
        raise p.refused(f"size {size} and no crop to one size")
    wanted = crop if input is None else (input[0], input[1])
    protocol: dict[str, Any] = {
        "crop_mode": mode, "crop_fraction": min(1.0, crop[0] / full[0]), "interpolation": p.interpolation,
    }  # fmt: skip
    if wanted == crop and full != crop:
        protocol["resized_to"] = list(full)
    if labels.get("0", "").lower() == "background":
        protocol["label_offset"] = 1
    return wanted, protocol


def _square(side: int) -> tuple[int, int]:
    return side, side


def _segmentation(
    p: Processor, input: tuple[int, int] | None, labels: Mapping[str, str]
) -> tuple[tuple[int, int] | None, dict[str, Any]]:
    """The size that costs are of, and how images are resized."""
    protocol: dict[str, Any] = {"interpolation": p.interpolation}
    if p.flag("do_reduce_labels"):
        protocol["reduced_labels"] = True
    if not p.own and p.kind not in FUSERS:
        if p.model != "segformer":  # whose sides need no multiple; of others that is not known
            protocol["multiple"] = 32
        return input, protocol
    if not p.flag("do_resize"):
        return input, protocol
    if p.flag("do_center_crop"):
        raise p.refused("do_center_crop, which loses the image's border")
    if p.flag("keep_aspect_ratio"):
        raise p.refused("keep_aspect_ratio")
    size = p.sides("size")
    if {"height", "width"} <= size.keys():
        crop = (size["height"], size["width"])
        return input or crop, {**protocol, "size": "squash", "crop": list(crop)}
    if "shortest_edge" not in size:
        raise p.refused(f"size {size}")
    protocol |= {"size": "short side", "short": size["shortest_edge"], "long": size.get("longest_edge")}
    if p.kind in ("Mask2Former", "MaskFormer"):
        protocol["to_multiple"] = p.divisor("size_divisor", "size_divisibility")
    return input, protocol


def _panoptic(
    p: Processor, input: tuple[int, int] | None, labels: Mapping[str, str]
) -> tuple[tuple[int, int] | None, dict[str, Any]]:
    """As `_segmentation`, with the size that Mask2Former's processor enlarges masks to.

    Thresholds are no settings of a processor: they are the protocol's, as the library's method has them by default.
    """
    size, protocol = _segmentation(p, input, labels)
    kept = {key: value for key, value in protocol.items() if key != "reduced_labels"}
    enlarged = {"masks_to": list(MASKS_TO)} if p.kind == "Mask2Former" else {}
    return size, {"size": "own", **kept, **enlarged}


MASKS_TO = (384, 384)
"""(height, width) that `Mask2FormerImageProcessor.post_process_panoptic_segmentation` enlarges masks to, whatever the
image."""


def _detection(
    p: Processor, input: tuple[int, int] | None, labels: Mapping[str, str]
) -> tuple[tuple[int, int] | None, dict[str, Any]]:
    """The input's size where it is one for all images, and how images are resized."""
    protocol: dict[str, Any] = {"interpolation": p.interpolation}
    if labels.get("0") == "N/A":  # an output for each of COCO's ids, and one for 0
        protocol["labels"] = "id"
    if not p.flag("do_resize"):
        return input, {**protocol, "resize": "none"}
    size = p.sides("size")
    if {"height", "width"} <= size.keys():
        return input or (size["height"], size["width"]), {**protocol, "resize": "squash"}
    if "shortest_edge" not in size:
        raise p.refused(f"size {size}")
    protocol |= {"resize": "aspect", "short": size["shortest_edge"], "long": size.get("longest_edge") or 100_000}
    if p.kind == "Yolos":
        protocol["round_down_to"] = 16
    return input, protocol


_READ = {
    "classification": _classification,
    "segmentation": _segmentation,
    "panoptic": _panoptic,
    "detection": _detection,
}
