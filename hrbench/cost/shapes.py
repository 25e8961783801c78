"""Outputs of the commonest operators on meta tensors, without asking torch.

torch (2.15) derives many of them in Python, and doing so first imports its compiler and sympy: three seconds and
160 MB, which is ten times what counting a network takes. Each function here answers only for plain arguments and
returns None for anything else, which then goes to torch, and fails there where it should.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from hrbench.cost.calls import Shape

Arguments = Mapping[str, Any]


def known_output(operator: str, arguments: Arguments, args: tuple[Any, ...]) -> Tensor | None:
    """The output of one call, a meta tensor, or None where it is not known here.

    arguments: by name with tensors as `Shape`s. args: as given; the first is the tensor that is computed on.
    """
    rule = _RULES.get(operator)
    tensors = [value for value in args if isinstance(value, Tensor)]
    if rule is None or not args or not isinstance(args[0], Tensor):
        return None
    first = args[0]
    if any(not value.is_meta or value.dtype != first.dtype for value in tensors) or not first.is_floating_point():
        return None
    return rule(arguments, first)


def _twin(tensor: Tensor) -> Tensor:
    """As `empty_like`, which itself is derived in Python."""
    return tensor.new_empty_strided(tensor.shape, tensor.stride())


def _batch_norm(arguments: Arguments, image: Tensor) -> Tensor | None:
    """As its input, in eval mode."""
    channels = Shape(image.shape[1:2])
    given = (arguments[name] for name in ("weight", "bias", "running_mean", "running_var"))
    if arguments["training"] or image.dim() < 2 or any(shape not in (None, channels) for shape in given):
        return None
    return _twin(image)


def _convolution(arguments: Arguments, image: Tensor) -> Tensor | None:
    """A batched convolution in 1 to 3 dimensions, https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html.

    Transposed: ...ConvTranspose2d.html. Both give the output's size along one axis.
    """
    weight, groups, transposed = arguments["weight"], arguments["groups"], arguments["transposed"]
    spatial = image.shape[2:]
    per_axis = [arguments[name] for name in ("stride", "padding", "dilation", "output_padding")]
    if image.dim() not in (3, 4, 5) or len(weight) != image.dim():
        return None
    if any(len(values) != len(spatial) for values in per_axis):
        return None
    inputs, outputs = (weight[0], weight[1] * groups) if transposed else (weight[1] * groups, weight[0])
    if inputs != image.shape[1] or outputs % groups or arguments["bias"] not in (None, (outputs,)):
        return None
    sizes = []
    for size, kernel, stride, padding, dilation, extra in zip(spatial, weight[2:], *per_axis, strict=True):
        reach = dilation * (kernel - 1) + 1
        if transposed:
            sizes.append((size - 1) * stride - 2 * padding + reach + extra)
        else:
            sizes.append((size + 2 * padding - reach) // stride + 1)
    if min(sizes) < 1:
        return None
    return image.new_empty((image.shape[0], outputs, *sizes))


def _addition(arguments: Arguments, first: Tensor) -> Tensor | None:
    """A sum of two tensors of one shape."""
    return _twin(first) if arguments["other"] == first.shape else None


def _addition_in_place(arguments: Arguments, first: Tensor) -> Tensor | None:
    return first if arguments["other"] == first.shape else None


def _upsampling(arguments: Arguments, image: Tensor) -> Tensor | None:
    """To the size that is asked for; where a factor is given, torch makes it a size and calls again."""
    size = arguments.get("output_size")
    if image.dim() != 4 or image.numel() == 0 or not isinstance(size, tuple) or len(size) != 2 or min(size) < 1:
        return None
    return image.new_empty((*image.shape[:2], *size))


def _max_pool(arguments: Arguments, image: Tensor) -> Tensor | None:
    """https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html, rounding down."""
    kernel, padding, dilation = (arguments[name] for name in ("kernel_size", "padding", "dilation"))
    stride = arguments["stride"] or kernel
    if image.dim() != 4 or arguments["ceil_mode"]:
        return None
    sizes = []
    for axis, size in enumerate(image.shape[2:]):
        k, s, p, d = (_along(values, axis) for values in (kernel, stride, padding, dilation))
        if 2 * p > k:
            return None
        sizes.append((size + 2 * p - d * (k - 1) - 1) // s + 1)
    return image.new_empty((*image.shape[:2], *sizes)) if min(sizes) > 0 else None


def _along(values: Any, axis: int) -> int:
    """One number for both axes may come as a list of one, or, as a default, bare."""
    if isinstance(values, int):
        return values
    return values[axis] if len(values) > 1 else values[0]


def _like(_: Arguments, first: Tensor) -> Tensor:
    return _twin(first)


def _itself(_: Arguments, first: Tensor) -> Tensor:
    return first


_RULES: dict[str, Callable[[Arguments, Tensor], Tensor | None]] = {
    "aten::add": _addition,
    "aten::add_": _addition_in_place,
    "aten::batch_norm": _batch_norm,
    "aten::convolution": _convolution,
    "aten::max_pool2d": _max_pool,
    "aten::relu": _like,
    "aten::relu_": _itself,
    "aten::sigmoid": _like,
    "aten::silu": _like,
    "aten::upsample_bilinear2d": _upsampling,
    "aten::upsample_nearest2d": _upsampling,
}
