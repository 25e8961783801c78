"""Weights that quantised modules keep packed in objects of torch's C++ classes, where `parameters()` does not see them.

torch's quantised layers (https://docs.pytorch.org/docs/stable/quantization.html): linear layers, convolutions and
embeddings unpack to a weight and a bias, recurrent cells to two packed linear layers and biases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def packed_tensors(holder: Any) -> list[Tensor]:
    """The tensors in one packed object (`torch.ScriptObject`), weight first; none if it does not tell them.

    A recurrent cell holds a bias twice, beside a packed weight and with it: it is returned once.
    """
    import torch

    found: dict[tuple[int, torch.Size], Tensor] = {}

    def visit(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            address = id(value) if value.is_quantized else value.data_ptr()
            found.setdefault((address, value.shape), value)
        elif isinstance(value, (list, tuple)):
            for item in value:
                visit(item)
        elif isinstance(value, torch.ScriptObject):
            visit(_content(value))

    visit(holder)
    return list(found.values())


def _content(holder: Any) -> Any:
    """What an object holds: of a layer, weight and bias; of a recurrent cell, its whole state."""
    try:
        return holder.unpack() if holder._has_method("unpack") else holder.__getstate__()
    except RuntimeError:  # another class, which says nothing
        return None


def packed_objects(net: nn.Module) -> Iterator[tuple[str, Any]]:
    """(path of the module, object) of all packed objects of a network, each once.

    TorchScript keeps its modules in such objects too; what they hold is not told.
    """
    import torch

    seen: set[int] = set()
    for path, module in net.named_modules():
        for value in vars(module).values():
            for item in value if isinstance(value, (list, tuple)) else (value,):
                packed = isinstance(item, torch.ScriptObject) and not isinstance(item, torch._C.ScriptModule)
                if packed and id(item) not in seen:
                    seen.add(id(item))
                    yield path, item
