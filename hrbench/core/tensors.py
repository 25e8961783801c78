"""Tensors in what networks return, compared one by one. torch is loaded when they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def tensors_in(output: Any) -> list[Tensor]:
    """The tensors of an output, which may be lists and mappings of them, in their order."""
    from torch import Tensor
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


def shapes_of(output: Any) -> list[tuple[int, ...]]:
    """The shapes of the tensors of an output."""
    return [tuple(each.shape) for each in tensors_in(output)]


def differences(reference: Any, other: Any, not_finite_alike: bool = False) -> list[tuple[float, float]]:
    """Of each pair of tensors the largest absolute difference, and the largest finite absolute value of the first.

    reference, other: outputs whose tensors have the same shapes; empty ones are left out.
    not_finite_alike: whether what is infinite or no number in both counts as equal; otherwise the difference is
        infinite, unless both are the same infinity.
    """
    return [
        _difference(one, two, not_finite_alike)
        for one, two in zip(tensors_in(reference), tensors_in(other), strict=True)
        if one.numel()
    ]


def _difference(one: Tensor, two: Tensor, not_finite_alike: bool) -> tuple[float, float]:
    import torch

    first, second = one.double().cpu(), two.double().cpu()
    same = first == second
    if not_finite_alike:
        same |= ~first.isfinite() & ~second.isfinite()
    apart = torch.where(same, 0.0, (first - second).abs()).nan_to_num(nan=math.inf, posinf=math.inf)
    return apart.max().item(), first.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs().max().item()
