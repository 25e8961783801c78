"""One operator call of a network: shapes and plain arguments, never values.

Calls form trees. A composite operator such as `aten::linear` consists of others (`aten::addmm`, views). Counting
conventions use different levels, so both are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any


class Shape(tuple[int, ...]):
    """The shape of a tensor argument; a separate class, so that it differs from a list such as a stride."""

    __slots__ = ()

    @property
    def elements(self) -> int:
        """How many numbers a tensor of this shape holds."""
        return prod(self)


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    operator: namespace and name without the overload, e.g. "aten::conv2d".
    arguments: by their name in the operator's schema, defaults filled in; a tensor is its `Shape`, a list of tensors a
        tuple of them.
    outputs: shapes of the tensors returned.
    parts: the calls that a composite operator made.
    idle: whether it computes nothing, since it is a view, a copy or a fill, or a composite of such calls.
    """

    operator: str
    arguments: Mapping[str, Any]
    outputs: tuple[Shape, ...]
    parts: tuple[Call, ...] = ()
    idle: bool = False

    def shape(self, argument: str) -> Shape:
        """Shape of a tensor argument; raises KeyError or TypeError if the operator has no such tensor."""
        value = self.arguments[argument]
        if not isinstance(value, Shape):
            raise TypeError(f"argument {argument} of {self.operator} is no tensor")
        return value

    @property
    def elements(self) -> int:
        """Elements of the first output."""
        return self.outputs[0].elements if self.outputs else 0


def aten(names: str) -> frozenset[str]:
    """Names of torch's own operators, written without their namespace."""
    return frozenset("aten::" + name for name in names.split())


# Operators that move or create numbers without computing. Views need no entry: they follow from the schema.
IDLE = aten(
    """
    _assert_async _assert_tensor_metadata _local_scalar_dense _reshape_copy _to_copy _unsafe_index _unsafe_view
    alias_copy arange as_strided cat channel_shuffle clone constant_pad_nd contiguous copy copy_ detach_ empty
    empty_like empty_permuted empty_strided expand_copy eye fill fill_ flip full full_like gather im2col index
    index_copy index_put index_put_ index_select is_same_size lift lift_fresh lift_fresh_copy linspace masked_fill
    masked_fill_ masked_select native_channel_shuffle new_empty new_empty_strided new_full new_ones new_zeros ones
    ones_like pixel_shuffle pixel_unshuffle reflection_pad1d reflection_pad2d reflection_pad3d repeat
    replication_pad1d replication_pad2d replication_pad3d resize_ roll rot90 scalar_tensor scatter select_scatter
    set_ slice_scatter split_copy split_with_sizes_copy squeeze_ stack sym_numel sym_size sym_storage_offset
    sym_stride t_ take transpose_ unbind_copy unfold_copy unsqueeze_ view_copy where zero_ zeros zeros_like
    """
)
