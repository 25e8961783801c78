"""Folds batch norms into the convolutions and linear layers before them, as deployment tools do.

    y = gamma (W x + b - mean) / sqrt(var + eps) + beta  is  W' x + b'  with  W' = gamma / sqrt(var + eps) W

Which layer comes before which norm is seen in one forward pass, whatever the network's code looks like: a norm is
folded if every input it got was an output of the same layer, and nothing else used these outputs or the layer's weight.
Only torch's own layers and norms are, without hooks: others may compute something else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import fusion, parametrize
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
"""Exactly these classes: one that is derived from them may do more, such as timm's norms with an activation."""


@dataclass(slots=True)
class _Pass:
    """What was seen in one forward pass.

    made: id of an output -> the layer that made it, and the output, kept so that its id stays its own.
    before: norm -> the layer that made each of its inputs, None for something else.
    inputs: norm -> its inputs, by id and by number of axes.
    calls: layer -> how often it was called.
    uses: id of a tensor -> how many operators read it.
    """

    made: dict[int, tuple[nn.Module, Tensor]] = field(default_factory=dict)
    before: dict[nn.Module, list[nn.Module | None]] = field(default_factory=lambda: defaultdict(list))
    inputs: dict[nn.Module, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    calls: Counter[nn.Module] = field(default_factory=Counter)
    uses: Counter[int] = field(default_factory=Counter)


class _CountUses(TorchDispatchMode):
    def __init__(self, uses: Counter[int]) -> None:
        super().__init__()
        self.uses = uses

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.uses.update(id(leaf) for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor))
        return func(*args, **(kwargs or {}))


def fold_norms(net: nn.Module, input: Any) -> tuple[int, int]:
    """Folds what can be folded, in place. Returns how many batch norms were folded, and how many the network has.

    net: in eval mode; its outputs change by rounding only.
    input: an example of what it is called with, on its device and in its dtype.
    """
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    folded = list(_pairs(net, _seen(net, input)))
    made = [_fused(layer, norm) for layer, norm in folded]
    for (layer, _), fused in zip(folded, made, strict=True):
        layer.weight, layer.bias = fused.weight, fused.bias
    _remove(net, {norm for _, norm in folded})
    return len(folded), len(norms)


def _fused(layer: Any, norm: Any) -> Any:
    if isinstance(layer, nn.Linear):
        return fusion.fuse_linear_bn_eval(layer, norm)
    return fusion.fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.modules.conv._ConvTransposeNd))


def _seen(net: nn.Module, input: Any) -> _Pass:
    seen = _Pass()

    def after_layer(layer: nn.Module, given: Any, output: Any) -> None:
        seen.calls[layer] += 1
        if isinstance(output, Tensor):
            seen.made[id(output)] = layer, output
            seen.uses[id(output)] = 0  # of a tensor that had this id before

    def before_norm(norm: nn.Module, given: Any) -> None:
        layer, _ = seen.made.get(id(given[0]), (None, None))
        seen.before[norm].append(layer)
        seen.inputs[norm].append((id(given[0]), given[0].ndim))

    hooks = [module.register_forward_hook(after_layer) for module in net.modules() if isinstance(module, LAYERS)]
    hooks += [
        module.register_forward_pre_hook(before_norm) for module in net.modules() if isinstance(module, _BatchNorm)
    ]
    try:
        with torch.no_grad(), _CountUses(seen.uses):
            output = net(input)
    finally:
        for hook in hooks:
            hook.remove()
    seen.uses.update(id(leaf) for leaf in tree_leaves(output))  # what is returned is used outside
    return seen


def _pairs(net: nn.Module, seen: _Pass) -> Iterator[tuple[Any, Any]]:
    """Each norm that can be folded, with the layer before it."""
    owners = Counter(id(value) for module in net.modules() for value in module.parameters(recurse=False))
    for norm, layers in seen.before.items():
        layer = layers[0]
        if (
            layer is not None
            and set(layers) == {layer}
            and seen.calls[layer] == len(layers)
            and type(layer) in LAYERS
            and type(norm) in NORMS
            and not _has_hooks(layer)
            and not _has_hooks(norm)
            and all(seen.uses[each] == 1 and axes == _axes(layer) for each, axes in seen.inputs[norm])
            and seen.uses[id(layer.weight)] == len(layers)
            and not (isinstance(layer, nn.modules.conv._ConvTransposeNd) and layer.groups > 1)
            and norm.running_mean is not None
            and not norm.training
            and not parametrize.is_parametrized(layer)
            and all(owners[id(value)] == 1 for value in layer.parameters(recurse=False))
        ):
            yield layer, norm


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _axes(layer: Any) -> int:
    """Axes of an output whose axis 1 has the layer's output channels."""
    return 2 if isinstance(layer, nn.Linear) else layer.weight.ndim


def _remove(net: nn.Module, norms: set[nn.Module]) -> None:
    """Replaces norms by nothing, wherever they are held."""
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if child in norms:
                setattr(module, name, nn.Identity())
