"""How segmentation-models-pytorch feeds a network: the `preprocessing_params` of its encoder's weights.

They are mean, std, the range of the values and the order of the channels. Of an encoder with several weights those of
ImageNet count, or the first where there are none of that name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hrbench.errors import InputError
from hrbench.models.adapters.snapshots import forbidden
from hrbench.models.inputs.numbers import LEAST_STD, is_number, of_colours, short
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
    """What the encoder's weights were trained with; None if the library says nothing of it.

    fetch: whether the file that says it may be downloaded (since 0.6 it is on the hub). Raises InputError if that file
        is damaged.
    """
    import segmentation_models_pytorch as smp

    encoder = str(args.get("encoder_name") or args.get("encoder") or "resnet34")
    weights_of = smp.encoders.encoders.get(encoder, {}).get("pretrained_settings") or {}
    pretrained = "imagenet" if encoder.startswith("tu-") or "imagenet" in weights_of else next(iter(weights_of), "")
    if not pretrained:
        return None
    found = _of_timm(encoder) if encoder.startswith("tu-") else _settings(weights_of[pretrained], fetch)
    named = f"smp {encoder} {pretrained}"
    if found is None:
        return LibraryInput(
            f"ImageNet's mean and std, as those of {named} are not on this disk", protocol={"name": "plain"}
        )
    mean, std = _of_values_up_to_1(named, found)
    order = found.get("input_space") or "RGB"
    if order not in ("RGB", "BGR"):
        raise _damaged(named, f"input_space {short(order)}")
    return LibraryInput(
        stated_by=named,
        colour="bgr" if order == "BGR" else "rgb",
        mean=mean,
        std=std,
        protocol={"name": "plain"},
    )


def _of_values_up_to_1(named: str, stated: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std of values in [0, 1]. Raises InputError if they are not three numbers each.

    named: whose they are, for the message.
    stated: mean and std of values in an `input_range`.
    """
    limits = stated.get("input_range") or [0, 1]
    top = limits[-1] if isinstance(limits, (list, tuple)) else None
    mean, std = of_colours(stated["mean"]), of_colours(stated["std"])
    if mean is not None and std is not None and is_number(top) and top > 0:
        std = tuple(value / top for value in std)
        if all(LEAST_STD < abs(value) < math.inf for value in std):
            return tuple(value / top for value in mean), std
    given = f"input_range {short(limits)}, mean {short(stated['mean'])}, std {short(stated['std'])}"
    raise _damaged(named, given)


def _damaged(named: str, found: str) -> InputError:
    return InputError(
        f"the config.json of {named} in the hub's cache is damaged: {found}; remove it, and it is fetched again"
    )


def _of_timm(encoder: str) -> Mapping[str, Any] | None:
    """The configuration of an encoder of timm's."""
    import timm

    config = timm.get_pretrained_cfg(encoder.removeprefix("tu-"), allow_unregistered=True)
    return None if config is None else {"mean": config.mean, "std": config.std}


def _settings(stated: Mapping[str, Any], fetch: bool) -> Mapping[str, Any] | None:
    """Mean, std and so on of an encoder's weights: in the package, or since 0.6 in a file of the hub; None without it.

    fetch: whether that file may be downloaded.
    """
    if "mean" in stated:
        return stated
    from huggingface_hub import hf_hub_download

    try:
        file = hf_hub_download(
            stated["repo_id"], "config.json", revision=stated.get("revision"), local_files_only=not fetch or forbidden()
        )
        found = json.loads(Path(file).read_bytes())
    except Exception:  # of many kinds: not in the cache, no network, a damaged file; the note says what was taken
        return None
    return found if isinstance(found, dict) and found.get("mean") and found.get("std") else None
