"""What is told of a pipeline: the time of an image, that of each stage of it, and images per second. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hrbench.core.stages import STAGES
from hrbench.types import Quantity

_GROUP = "End to end (ms)"
_EACH = "Mean over images of the interquartile mean of an image's runs; one image at a time, nothing overlapping."

_DESCRIPTIONS = {
    "decode": "Reads the image file and decodes it.",
    "preprocess": "From the image's pixels to normalised inputs of the network.",
    "transfer": "Copies inputs to the device, and what was found back to main memory.",
    "forward": "Runs the network, without suppression where that is told apart.",
    "suppression": "Drops duplicates among what was found (NMS).",
    "pasting": "Puts masks of boxes on the image.",
    "postprocess": "All else up to the prediction in the image's frame.",
}

WHOLE = Quantity(
    "end-to-end", "End to end", "seconds", "lower",
    f"Time from an image file to its prediction, timed as a whole. {_EACH}", heading="total", group=_GROUP,
)  # fmt: skip
RATE = Quantity(
    "frames-per-second", "Frames per second", "rate", "higher",
    "Images per second of the whole pipeline, one image at a time: images / their time end to end.",
    heading="Frames/s",
)  # fmt: skip
STAGE: Mapping[str, Quantity] = MappingProxyType(
    {
        name: Quantity(
            f"end-to-end-{name}", f"End to end: {name}", "seconds", "lower",
            f"{_DESCRIPTIONS[name]} {_EACH}", heading=name, group=_GROUP,
        )
        for name in STAGES
    }
)  # fmt: skip
"""Stage -> its quantity."""

WITHIN = {
    "decode": "preprocess",
    "preprocess": "forward",
    "transfer": "forward",
    "forward": "",
    "suppression": "forward or postprocess",
    "pasting": "postprocess",
    "postprocess": "forward",
}
"""Stage -> the stage in which its time is if the code does not tell it apart."""
