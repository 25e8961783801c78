"""torch.compile: the network's code traced and compiled by TorchInductor, at its first call.

It needs a C++ compiler on a CPU, and Triton on a GPU. A shape that is new is compiled when it first comes, so that a
last, smaller batch would be compiled for a single call: it is filled up to a size that is known. After some sizes of
images torch compiles once for all of them (`dynamic=None`, its default).
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from hrbench.core.text import suggestion
from hrbench.errors import UnavailableError, UsageError
from hrbench.models.runtimes.availability import check_available

if TYPE_CHECKING:
    from torch import nn

MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
"""Those of torch, but "lite", which compiles nearly nothing."""

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
        if mode and mode not in MODES:
            raise UsageError(f"torch.compile has no mode {mode!r}; {suggestion(mode, MODES)}")
        self.mode = mode

    def unavailable(self, device: str, dtype: str, is_detector: bool) -> str:
        """Why nothing can be compiled here: there is no compiler; "" if there is one."""
        return without_compiler(device)

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network, compiled when it is called. Raises UnavailableError without a compiler.

        Torch would silently go on with eager code where a function was compiled for too many sizes: here that is an
        error of the call, by torch's own option, and by its counters in case it does not take the option.
        """
        import torch
        from torch import _dynamo

        from hrbench.models.runtimes.filled import Filled

        check_available(self, input)
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
        return Filled(torch.compile(net.eval(), mode=self.mode or None), _EagerCode())

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


class _EagerCode:
    """Called after each call of a compiled network: raises UnavailableError if torch ran it as eager code.

    Torch counts functions that it began to compile, and those of which it made something; the difference stays eager.
    Some may from the first call on, which is no more than a graph break; later ones were compiled before, for other
    sizes.
    """

    def __init__(self) -> None:
        self.eager: int | None = None

    def __call__(self) -> None:
        from torch._dynamo.utils import counters

        eager = counters["frames"]["total"] - counters["frames"]["ok"]
        if eager == self.eager:
            return
        if not counters["stats"]["unique_graphs"]:
            raise UnavailableError("torch.compile compiled nothing of the network: it runs as eager code")
        if self.eager is not None:
            raise UnavailableError(
                "torch.compile went on with eager code, since a function of the network was compiled too often"
            )
        self.eager = eager


def without_compiler(device: str) -> str:
    """Why TorchInductor cannot compile on this kind of device ("cpu", "cuda"); "" if it can."""
    if device == "cuda":
        missing = importlib.util.find_spec("triton") is None
        return "torch.compile needs Triton on a GPU: pip install triton" if missing else ""
    from torch._inductor import cpp_builder, exc

    try:
        cpp_builder.get_cpp_compiler()
    except exc.InvalidCxxCompiler:
        return "torch.compile needs a C++ compiler on a CPU, and there is none: install g++, or name one in CXX"
    return ""
