"""How timm feeds a network: its `pretrained_cfg`, as `timm.data.resolve_data_config` and `create_transform` read it.

Mean, std, interpolation, crop share and crop mode, and the size if a suite gives none. Where the input is the
configuration's size for testing, the crop share is that for testing, as in timm's validate.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hrbench.core.text import suggestion
from hrbench.errors import UsageError
from hrbench.types import LibraryInput

MODES = {"center": "centre", "squash": "squash", "border": "border"}


def library_input(
    name: str,
    *,
    task: str,
    input: tuple[int, int] | None,
    args: Mapping[str, Any],
    weights: str = "",
    fetch: bool = False,
) -> LibraryInput | None:
    """What the configuration of timm's network of that name says; None for another task, or without a configuration.

    A name with a tag ("resnet50.a1_in1k") means that configuration, a name without one timm's default. Raises
    UsageError for an unknown name, and for a way of feeding that is not offered here.
    """
    if task != "classification":
        return None
    import timm

    if not timm.is_model(name):
        raise UsageError(f"timm {timm.__version__} has no model {name!r}; {suggestion(name, timm.list_models())}")
    config: Any = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if config is None:
        return None
    size = tuple(config.input_size[1:]) if input is None else tuple(input)
    tests = config.test_input_size is not None and tuple(config.test_input_size[1:]) == size != config.input_size[1:]
    share = float((config.test_crop_pct if tests else None) or config.crop_pct or 0.875)
    protocol = {
        "name": "timm",
        "crop_fraction": share,
        "interpolation": config.interpolation or "bicubic",
        "crop_mode": MODES[config.crop_mode or "center"],
    }
    if share > 1:  # less than the input is made of the image, and the rest is black
        protocol |= {"crop_fraction": 1.0, "resized_to": [math.floor(side / share) for side in size]}
    if size[0] != size[1] and protocol["crop_mode"] == "centre":
        protocol["rounding"] = "nearest"
    tag = f".{config.tag}" if getattr(config, "tag", "") else ""
    return LibraryInput(
        stated_by=f"timm {config.architecture or name.partition('.')[0]}{tag}",
        input=(size[0], size[1]),
        mean=tuple(map(float, config.mean)),
        std=tuple(map(float, config.std)),
        protocol=protocol,
    )
