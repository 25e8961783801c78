"""Networks of timm (github.com/huggingface/pytorch-image-models): `use: "timm:hrnet_w18"`.

Wightman: PyTorch Image Models, 2019. For classification, and as backbones (timm's `features_only`). The weights of
timm's catalogue are files of the same keys, also with a tag ("hrnet_w18.ms_aug_in1k"), which decides nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from hrbench.core.text import suggestion
from hrbench.errors import UsageError
from hrbench.models.adapters.shared import check_task, library, with_checked_output, without_weight_args


def build(name: str, *, task: str = "", input: tuple[int, int] | None = None, **args: Any) -> nn.Module:
    """timm's network of that name with random weights and timm's own keys.

    Classification: images (N, 3, H, W) -> logits (N, classes). Backbone: -> maps (N, channels[i], H / strides[i],
    W / strides[i]), finest first, also of networks that keep channels last inside. input: given to networks that
    are built for one size (`img_size`). args: of `timm.create_model`, such as num_classes or out_indices.
    Raises UsageError for an unknown name or another task.
    """
    check_task(task, ("classification", "backbone"), f"timm:{name}")
    timm = library("timm")
    if not timm.is_model(name):
        raise UsageError(f"timm {timm.__version__} has no model {name!r}; {suggestion(name, timm.list_models())}")
    args = {**_size(timm, name, input), **without_weight_args(args, ("pretrained", "checkpoint_path"), f"timm:{name}")}
    if task == "backbone":
        net = timm.create_model(name, pretrained=False, features_only=True, **args)
        net.channels, net.strides = net.feature_info.channels(), net.feature_info.reduction()
        return with_checked_output(net, task, f"timm:{name}", partial(channels_first, net.channels))
    net = timm.create_model(name, pretrained=False, **args)
    return with_checked_output(net, "classification", f"timm:{name}")


def _size(timm: Any, name: str, input: tuple[int, int] | None) -> dict[str, Any]:
    """`img_size` of a network that is made for one size of input, where another is wanted."""
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if input is None or config is None or not config.fixed_input_size or tuple(config.input_size[1:]) == tuple(input):
        return {}
    return {"img_size": tuple(input)}


def channels_first(channels: list[int], maps: list[Tensor]) -> list[Tensor]:
    """Maps (N, C, h, w), of which timm keeps some as (N, h, w, C) (Swin). channels: of each, to tell them by."""
    return [
        each.permute(0, 3, 1, 2) if each.shape[1] != count and each.shape[-1] == count else each
        for each, count in zip(maps, channels, strict=True)
    ]
