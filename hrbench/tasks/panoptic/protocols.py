"""How panoptic segments are made of a network's classes and masks: the settings, and two published ways by name.

`mask2former` is that of its paper (Cheng et al., CVPR 2022) and of its code (mask2former/maskformer_model.py,
`panoptic_inference`; configs/coco/panoptic-segmentation: thresholds of 0.8). `transformers` is that of the library's
image processors (`post_process_panoptic_segmentation` of MaskFormer, Mask2Former and OneFormer, transformers 5.24),
with a threshold of 0.5 unless a suite states another. They differ in which masks are enlarged to what, in what a
query's overlap is a share of, and in which pixels a segment keeps (`fusion.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hrbench.contracts import AT_INPUT, LATER, PREPARES
from hrbench.errors import UsageError
from hrbench.formats.pil_images import Interpolation
from hrbench.tasks.segmentation.protocols import Inference


def _squashes(settings: Mapping[str, Any]) -> bool:
    return settings["size"] == "squash"


@dataclass(frozen=True, slots=True)
class Fusion:
    """The protocol; `version` is raised by hand whenever a prediction may change. Sizes are in pixels.

    size: how the image is resized by Pillow before it is normalised. "own": not at all. "squash": to `crop`. "short
        side": its short side to `short`, or to less if its long side would exceed `long`.
    short, long: for "short side"; `long` null for any.
    crop: (height, width) for "squash"; where nothing states it, the network's input.
    to_multiple: sides of a resized image are rounded up to multiples of it, by resizing.
    multiple: inputs are padded at the right and the bottom, with zeros after they are normalised, to multiples of it.
    interpolation: Pillow's filter.
    rule: by whose rule segments are made: "mask2former" or "transformers"; see `fusion.py`.
    threshold: queries whose best class has at most this probability find nothing.
    mask_threshold: from which value on a pixel belongs to a mask.
    overlap: a query whose pixels are a smaller share of its mask finds nothing.
    masks_to: (height, width) that masks are enlarged to before the sigmoid by the rule "transformers", as Mask2Former's
        processor does; null for not at all.
    stated_by: the configuration of a library that these settings come from; "" if they come from elsewhere.
    """

    name: str = "mask2former"
    version: int = 1
    size: Literal["own", "squash", "short side"] = field(default="short side", metadata=PREPARES)
    short: int | None = field(default=800, metadata=PREPARES)
    long: int | None = field(default=1333, metadata=PREPARES)
    crop: tuple[int, int] = field(default=(1024, 2048), metadata={AT_INPUT: _squashes})
    to_multiple: int = 1
    multiple: int = 32
    interpolation: Interpolation = "bilinear"
    rule: Literal["mask2former", "transformers"] = "mask2former"
    threshold: float = 0.8
    mask_threshold: float = 0.5
    overlap: float = 0.8
    masks_to: tuple[int, int] | None = None
    stated_by: str = field(default="", metadata=LATER)

    def sizes(self) -> Inference:
        """The same resizing as semantic segmentation has it, for `segmentation.geometry`."""
        return Inference(
            size=self.size,
            short=self.short,
            long=self.long,
            crop=self.crop,
            to_multiple=self.to_multiple,
            multiple=1,
            resizer="pillow",
            interpolation=self.interpolation,
        )


MASK2FORMER = Fusion()
TRANSFORMERS = Fusion("transformers", rule="transformers", threshold=0.5, multiple=1)
NAMED = (MASK2FORMER, TRANSFORMERS)


def fed_size(protocol: Mapping[str, Any], input: tuple[int, int]) -> str:
    """At which size an image goes in, in words; the network's input is only what costs are measured at.

    >>> fed_size({}, (800, 1333))
    'with a short side of 800 pixels, padded to multiples of 32, and not to its input of 800x1333'
    """
    made = Fusion(**{key: value for key, value in protocol.items() if key in Fusion.__dataclass_fields__})
    crop = f"{made.crop[0]}x{made.crop[1]}"
    said = {
        "own": "at their own size",
        "squash": f"resized to {crop}",
        "short side": f"with a short side of {made.short} pixels",
    }
    padded = f", padded to multiples of {made.multiple}" if made.multiple > 1 else ""
    end = "" if made.size == "squash" else f", and not to its input of {input[0]}x{input[1]}"
    return f"{said[made.size]}{padded}{end}"


def checked(protocol: Fusion) -> Fusion:
    """The protocol. Raises UsageError if its settings are invalid."""
    shares = {name: getattr(protocol, name) for name in ("threshold", "mask_threshold", "overlap")}
    faults = {
        **{f"{name}: from 0 to 1": not 0 <= value <= 1 for name, value in shares.items()},
        "short: a number, which size: short side resizes to": protocol.size == "short side" and not protocol.short,
        "long: at least short": protocol.long is not None and protocol.long < (protocol.short or 1),
        "crop: [height, width], both above 0": len(protocol.crop) != 2 or min(protocol.crop) < 1,
        "masks_to: [height, width], both above 0": protocol.masks_to is not None
        and (len(protocol.masks_to) != 2 or min(protocol.masks_to) < 1),
        "multiple and to_multiple: at least 1": min(protocol.multiple, protocol.to_multiple) < 1,
    }
    wrong = [rule for rule, broken in faults.items() if broken]
    if wrong:
        raise UsageError(f"protocol {protocol.name} of panoptic cannot be followed: {'; '.join(wrong)}")
    return protocol
