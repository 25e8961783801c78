"""How class maps are made from an image and a network: the settings, and the published protocols by name.

Sources: HRNet-Semantic-Segmentation (lib/datasets/base_dataset.py, cityscapes.py, lip.py, ade20k.py; lib/core/
function.py) on its branches master, pytorch-v1.1 and HRNet-OCR; DrSleep/refinenet-pytorch (the notebook of VOC) and the
paper of RefineNet (Lin et al., CVPR 2017). Those of HRNet are tested against golden records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hrbench.contracts import AT_INPUT, LATER, PREPARES
from hrbench.errors import UsageError
from hrbench.formats.pil_images import Interpolation


def _uses_crop(settings: Mapping[str, Any]) -> bool:
    """Whether an image is resized to `crop`, or cut into windows of it."""
    above = settings["windows"] == "shifted" and max(settings["scales"], default=1.0) > 1
    return settings["size"] == "squash" or settings["windows"] == "cut" or above


@dataclass(frozen=True, slots=True)
class Inference:
    """The protocol; `version` is raised by hand whenever a prediction may change. Sizes are in pixels.

    size: how the image is resized before it is normalised. "own": not at all. "squash": to `crop`, without keeping the
        aspect ratio (LIP). "short": its short side to `base`, then padded at the right and the bottom with the mean
        colour to multiples of 8 (branch HRNet-OCR). "short side": its short side to `short`, or to less if its long
        side would exceed `long` (torchvision, transformers).
    keep_padding: whether that padding stays in the scores that are resized to the image, as in the official code for
        ADE20K.
    base: the long side at scale 1 in pixels; None for the image's own long side.
    scales: of the normalised image: its long side becomes int(base * scale + 0.5).
    flip: whether the logits are averaged with those of the mirrored input; left and right classes of the data set, if
        it has any, are exchanged.
    combine: what is summed over scales: exp of the logits (HRNet; infinite in float32 for logits above 88, as in the
        official code), or probabilities (softmax; for one whole image at one scale logits are used, which have the same
        maximum).
    windows: "none": whole images. "shifted": whole images up to scale 1, above it windows of `crop`, the last of a row
        or column moved back inside (Cityscapes). "cut": always windows, those at the border padded with black; an image
        smaller than `crop` is padded to it. Scores of windows are averaged.
    crop: (height, width) of windows and of "squash". Where it is used and neither suite, data set nor network states
        it, the network's input.
    stride: from one window to the next, as a fraction of `crop`, rounded down to pixels.
    multiple: inputs are padded at the right and the bottom with the mean colour to multiples of it, for networks that
        need this.
    upsampling: of the logits to the input, bilinear or OpenCV's bicubic.
    align_corners: of all bilinear resizing of logits and scores.
    short, long: for "short side"; `long` null for any.
    to_multiple: sides of a resized image are rounded up to multiples of it, by resizing (Mask2Former).
    resizer: of the image: OpenCV without antialias, or Pillow with it, which then also decodes it.
    interpolation: Pillow's filter.
    logits_to: whether the network's output is resized to its input and then to the image, or to the image at once, as
        transformers does. At once only where an image is one input without padding, at one scale.
    reduced_labels: whether class 0 of the data set may be one that the network has no output for: where it has one
        output less than the data set has classes, its first output is class 1 (`do_reduce_labels`).
    outputs: what the network returns: logits of each class; class numbers (N, 1, h, w), of an ArgMax in an exported
        file; or one channel of a data set of two classes: a logit z of class 1 ("one logit"), taken as (0, z), or its
        probability p ("one probability"), taken as (0, log p / (1 - p)).
    stated_by: the configuration of a library that these settings come from; "" if they come from elsewhere.
    """

    name: str = "plain"
    version: int = 1
    size: Literal["own", "squash", "short", "short side"] = field(default="own", metadata=PREPARES)
    keep_padding: bool = False
    base: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    combine: Literal["exp", "softmax"] = "softmax"
    windows: Literal["none", "shifted", "cut"] = "none"
    crop: tuple[int, int] = field(default=(1024, 2048), metadata={AT_INPUT: _uses_crop})
    stride: float = 1.0
    multiple: int = 32
    upsampling: Literal["bilinear", "bicubic"] = "bilinear"
    align_corners: bool = False
    short: int | None = field(default=None, metadata=LATER)
    long: int | None = field(default=None, metadata=LATER)
    to_multiple: int = field(default=1, metadata=LATER)
    resizer: Literal["opencv", "pillow"] = field(default="opencv", metadata=LATER)
    interpolation: Interpolation = field(default="bilinear", metadata=LATER)
    logits_to: Literal["input", "image"] = field(default="input", metadata=LATER)
    reduced_labels: bool = field(default=False, metadata=LATER)
    outputs: Literal["logits", "classes", "one logit", "one probability"] = field(default="logits", metadata=LATER)
    stated_by: str = field(default="", metadata=LATER)


PLAIN = Inference()
HRNET = Inference("hrnet", combine="exp", windows="shifted", multiple=1)
HRNET_OCR = Inference("hrnet-ocr", combine="exp", windows="shifted", multiple=1, align_corners=True)
REFINENET = Inference("refinenet", multiple=1, upsampling="bicubic")
TORCHVISION = Inference("torchvision", size="short side", short=520, multiple=1, resizer="pillow")
TRANSFORMERS = Inference("transformers", multiple=1, resizer="pillow", logits_to="image")
NAMED_PROTOCOLS = (PLAIN, HRNET, HRNET_OCR, REFINENET, TORCHVISION, TRANSFORMERS)

_USUAL = {"seg_hrnet": HRNET.name, "seg_hrnet_ocr": HRNET_OCR.name, "refinenet": REFINENET.name}


def usual(use: str) -> str:
    """The name of the protocol for networks of that `use` if no other is named."""
    return _USUAL.get(use, PLAIN.name)


def fed_size(protocol: Mapping[str, Any], input: tuple[int, int]) -> str:
    """At which size an image goes in, in words; the network's input is only what costs are measured at.

    >>> fed_size({"size": "own", "multiple": 32}, (64, 64))
    'at their own size, padded to multiples of 32, and not to its input of 64x64'
    >>> fed_size({"size": "squash", "crop": [64, 64], "multiple": 1}, (64, 64))
    'resized to 64x64'
    """
    made = Inference(**{key: value for key, value in protocol.items() if key in Inference.__dataclass_fields__})
    crop = f"{made.crop[0]}x{made.crop[1]}"
    said = {
        "own": "at their own size",
        "squash": f"resized to {crop}",
        "short": f"with a short side of {made.base} pixels",
        "short side": f"with a short side of {made.short} pixels",
    }[made.size]
    if made.base is not None and made.size != "short":
        said += f", then with a long side of {made.base} pixels"
    if made.windows == "cut":
        said += f", in windows of {crop}"
    if made.multiple > 1:
        said += f", padded to multiples of {made.multiple}"
    return said if made.size == "squash" else f"{said}, and not to its input of {input[0]}x{input[1]}"


def checked(protocol: Inference) -> Inference:
    """The protocol, its lists made tuples. Raises UsageError if its settings are invalid."""
    faults = {
        "scales: at least one, all above 0": not protocol.scales or min(protocol.scales) <= 0,
        "base: above 0, or null for the image's own long side": protocol.base is not None and protocol.base < 1,
        "base: a number, which size: short resizes the short side to": protocol.size == "short" and not protocol.base,
        "short: a number, which size: short side resizes the short side to": protocol.size == "short side"
        and not protocol.short,
        "long: at least short": protocol.long is not None and protocol.long < (protocol.short or 1),
        "to_multiple: at least 1": protocol.to_multiple < 1,
        "crop: [height, width], both above 0": len(protocol.crop) != 2 or min(protocol.crop) < 1,
        "stride: above 0, at most 1": not 0 < protocol.stride <= 1,
        "stride: a pixel at least": int(min(protocol.crop, default=1) * protocol.stride + 1e-6) < 1,
        "multiple: at least 1": protocol.multiple < 1,
    }
    wrong = [rule for rule, broken in faults.items() if broken]
    if wrong:
        raise UsageError(f"protocol {protocol.name} of segmentation cannot be followed: {'; '.join(wrong)}")
    return protocol
