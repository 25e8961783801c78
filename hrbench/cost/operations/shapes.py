"""Outputs of the most common operators on meta tensors, without calling torch.

torch (2.15) derives many of them in Python, and first imports its compiler and sympy for it: three seconds and 160 MB,
ten times what counting a network takes. Each function here handles only plain arguments and returns None for anything
else: torch then computes it, or raises the error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from hrbench.cost.operations.calls import Shape

Arguments = Mapping[str, Any]
Rule = Callable[[Arguments, Tensor], Tensor | None]


def known_output(operator: str, arguments: Arguments, args: tuple[Any, ...]) -> Tensor | None:
    """The output of one call, a meta tensor, or None if it is not known here.

    arguments: by name with tensors as `Shape`s. args: as passed; the first is the main tensor, or a list that begins
    with it.
    """
    rule = _RULES.get(operator)
    if rule is None or not args:
        return None
    several = list(args[0]) if isinstance(args[0], list | tuple) else [args[0]]
    if not several or not all(isinstance(value, Tensor) for value in several):
        return None
    tensors = several + [value for value in args[1:] if isinstance(value, Tensor)]
    first = tensors[0]
    if any(not value.is_meta or value.dtype != first.dtype for value in tensors) or not first.is_floating_point():
        return None
    return rule(arguments, first)


def _twin(tensor: Tensor) -> Tensor:
    """As `empty_like`, which itself is derived in Python."""
    return tensor.new_empty_strided(tensor.shape, tensor.stride())


def _batch_norm(arguments: Arguments, image: Tensor) -> Tensor | None:
    """As its input, in eval mode."""
    channels = Shape(image.shape[1:2])
    others = (arguments[name] for name in ("weight", "bias", "running_mean", "running_var"))
    if arguments["training"] or image.dim() < 2 or any(shape not in (None, channels) for shape in others):
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


def _elementwise(arguments: Arguments, first: Tensor) -> Tensor | None:
    """A sum or product of two tensors of one shape, or of a tensor and a number."""
    other = arguments["other"]
    return _twin(first) if isinstance(other, int | float) or other == first.shape else None


def _addition_in_place(arguments: Arguments, first: Tensor) -> Tensor | None:
    return first if arguments["other"] == first.shape else None


def _upsampling(arguments: Arguments, image: Tensor) -> Tensor | None:
    """To the given size; for a factor, torch computes the size and calls again."""
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


def _average_pool(arguments: Arguments, image: Tensor) -> Tensor | None:
    """https://pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html: as the maximum, without dilation."""
    if arguments["divisor_override"] is not None:
        return None
    return _max_pool({**arguments, "dilation": 1}, image)


def _concatenation(arguments: Arguments, first: Tensor) -> Tensor | None:
    """Tensors of one shape except for one axis, contiguous."""
    shapes, axis = arguments["tensors"], arguments["dim"]
    if not isinstance(axis, int) or not -first.dim() <= axis < first.dim() or not first.is_contiguous():
        return None
    axis %= first.dim()
    rest = [(*shape[:axis], *shape[axis + 1 :]) for shape in shapes]
    if any(len(shape) != first.dim() for shape in shapes) or any(each != rest[0] for each in rest):
        return None
    sizes = list(first.shape)
    sizes[axis] = sum(shape[axis] for shape in shapes)
    return first.new_empty(sizes)


def _softmax(arguments: Arguments, first: Tensor) -> Tensor | None:
    axis = arguments["dim"]
    if arguments["half_to_float"] or not -first.dim() <= axis < first.dim() or not first.is_contiguous():
        return None
    return _twin(first)


def _mean(arguments: Arguments, first: Tensor) -> Tensor | None:
    """Over some axes."""
    axes = arguments.get("dim")
    if not isinstance(axes, tuple) or not axes or arguments["dtype"] is not None:
        return None
    if not all(-first.dim() <= axis < first.dim() for axis in axes) or not first.is_contiguous():
        return None
    gone = {axis % first.dim() for axis in axes}
    if len(gone) != len(axes):
        return None
    kept = 1 if arguments["keepdim"] else None
    sizes = [kept if axis in gone else size for axis, size in enumerate(first.shape)]
    return first.new_empty([size for size in sizes if size is not None])


def _product(left: str, right: str) -> Rule:
    """A product of matrices, (..., n, k) by (..., k, m), with equal leading axes; an added vector has length m."""

    def rule(arguments: Arguments, first: Tensor) -> Tensor | None:
        one, two = arguments[left], arguments[right]
        if len(one) < 2 or one[:-2] != two[:-2] or one[-1] != two[-2]:
            return None
        if left != "self" and arguments["self"] != two[-1:]:
            return None
        return first.new_empty((*one[:-1], two[-1]))

    return rule


def _along(values: Any, axis: int) -> int:
    """The value for an axis: there may be one for each, a list with one for all, or, as a default, an int."""
    if isinstance(values, int):
        return values
    return values[axis] if len(values) > 1 else values[0]


def _like(_: Arguments, first: Tensor) -> Tensor:
    return _twin(first)


def _itself(_: Arguments, first: Tensor) -> Tensor:
    return first


_RULES: dict[str, Rule] = {
    "aten::_softmax": _softmax,
    "aten::add": _elementwise,
    "aten::add_": _addition_in_place,
    "aten::addmm": _product("mat1", "mat2"),
    "aten::avg_pool2d": _average_pool,
    "aten::batch_norm": _batch_norm,
    "aten::bmm": _product("self", "mat2"),
    "aten::cat": _concatenation,
    "aten::convolution": _convolution,
    "aten::max_pool2d": _max_pool,
    "aten::mean": _mean,
    "aten::mm": _product("self", "mat2"),
    "aten::mul": _elementwise,
    "aten::relu": _like,
    "aten::relu_": _itself,
    "aten::sigmoid": _like,
    "aten::silu": _like,
    "aten::upsample_bilinear2d": _upsampling,
    "aten::upsample_nearest2d": _upsampling,
}
