"""torch.compile: the network's code traced and compiled by TorchInductor, at its first call.

It needs a C++ compiler on a CPU, and Triton on a GPU. A shape that is new is compiled when it first comes, so that a
last, smaller batch would be compiled for a single call: it is filled up to a size that is known. After some sizes of
images torch compiles once for all of them (`dynamic=None`, its default).
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from hrbench.errors import UnavailableError

if TYPE_CHECKING:
    import torch
    from torch import nn

SIZES = 64
"""Compilations of one function after which torch gives up (its default is 8)."""


class Compiled:
    """Compiles a network (contracts.Runtime, CountsCompilations, HasNotes).

    mode: of torch.compile: "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"; "" for its default.
    """

    name = "compile"
    version = 1
    takes = ("mode", "channels_last", "fused_bn", "tf32", "threads")

    def __init__(self, mode: str = "") -> None:
        self.mode = mode

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network, compiled when it is called. Raises UnavailableError without a compiler, or for an unknown mode.

        Torch would silently go on with eager code where a function was compiled for too many sizes: here that is an
        error of the call.
        """
        import torch
        from torch import _dynamo

        from hrbench.models.runtimes.filled import Filled

        check_compiler(_device(input))
        modes = [mode for mode in torch._inductor.list_mode_options() if mode != "lite"]
        if self.mode and self.mode not in modes:
            raise UnavailableError(f"torch.compile has no mode {self.mode!r}; it has {', '.join(modes)}")
        for name, value in (
            ("recompile_limit", SIZES),
            ("cache_size_limit", SIZES),  # its name before torch 2.7
            ("fail_on_recompile_limit_hit", True),
            ("fail_on_cache_limit_hit", True),
        ):
            if hasattr(_dynamo.config, name):
                setattr(_dynamo.config, name, value)
        _dynamo.reset()  # else a class that was compiled before, at another size, is compiled for any size
        _dynamo.utils.counters.clear()
        return Filled(torch.compile(net.eval(), mode=self.mode or None))

    def compilations(self) -> int:
        """Functions that were traced since the network was prepared."""
        from torch._dynamo.utils import counters

        return counters["frames"]["total"]

    def notes(self) -> list[str]:
        """Where the network's code could not be compiled in one piece."""
        from torch._dynamo.utils import counters

        breaks = sum(counters["graph_break"].values())
        if not breaks:
            return []
        pieces = "1 place" if breaks == 1 else f"{breaks} places"
        return [f"torch.compile left Python code in {pieces} (graph breaks)"]


def _device(input: Any) -> torch.device:
    return (input[0] if isinstance(input, list) else input).device


def check_compiler(device: torch.device) -> None:
    """Raises UnavailableError if TorchInductor has nothing to compile with on this kind of device."""
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise UnavailableError("torch.compile needs Triton on a GPU: pip install triton")
        return
    from torch._inductor import cpp_builder, exc

    try:
        cpp_builder.get_cpp_compiler()
    except exc.InvalidCxxCompiler:
        raise UnavailableError(
            "torch.compile needs a C++ compiler on a CPU, and there is none: install g++, or name one in CXX"
        ) from None
