"""How segmentation-models-pytorch feeds a network: the `preprocessing_params` of its encoder's weights.

They are mean, std, the range of the values and the order of the channels. Of an encoder with several weights those of
ImageNet count, or the first where there are none of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hrbench.types import LibraryInput


def library_input(
    name: str,
    *,
    task: str,
    input: tuple[int, int] | None,
    args: Mapping[str, Any],
    weights: str = "",
    fetch: bool = False,
) -> LibraryInput | None:
    """What the encoder's weights were trained with; None if the library says nothing of it."""
    import segmentation_models_pytorch as smp

    encoder = str(args.get("encoder_name") or args.get("encoder") or "resnet34")
    known = smp.encoders.encoders.get(encoder, {})
    settings = known.get("pretrained_settings") or {}
    pretrained = "imagenet" if encoder.startswith("tu-") or "imagenet" in settings else next(iter(settings), "")
    if not pretrained:
        return None
    try:
        found: Mapping[str, Any] = smp.encoders.get_preprocessing_params(encoder, pretrained=pretrained)
    except (ValueError, KeyError, RuntimeError):  # no such weights; an unknown encoder is told when it is built
        return None
    if not found.get("mean") or not found.get("std"):
        return None
    top = (found.get("input_range") or [0, 1])[-1]
    return LibraryInput(
        stated_by=f"smp {encoder} {pretrained}",
        colour="bgr" if str(found.get("input_space", "RGB")).upper() == "BGR" else "rgb",
        mean=tuple(float(value) / top for value in found["mean"]),
        std=tuple(float(value) / top for value in found["std"]),
        protocol={"name": "plain"},
    )
