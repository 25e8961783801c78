"""A runtime with its settings: what is done to a network before it is prepared, and the flags that are in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hrbench.contracts import CountsCompilations, HasNotes, Runtime
from hrbench.errors import UnavailableError
from hrbench.types import RuntimeSettings

if TYPE_CHECKING:
    from torch import nn


@dataclass(slots=True)
class Configured:
    """A runtime as an entry asks for it (contracts.Runtime, HasSettings, HasNotes, CountsCompilations).

    inner: the runtime itself.
    settings: what is applied before it prepares a network.
    """

    inner: Runtime
    settings: RuntimeSettings
    name: str = field(init=False)
    version: int = field(init=False)
    takes: tuple[str, ...] = field(init=False)
    _said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name, self.version, self.takes = self.inner.name, self.inner.version, self.inner.takes

    def prepare(self, net: nn.Module, input: Any) -> Callable[..., Any]:
        """The network on the device and in the dtype of an input, changed as the settings say, ready to be called.

        net: a torch module, which is moved and changed.
        input: (N, 3, H, W), or a list of images (3, H, W).
        Raises UnavailableError, with the reason, if this machine or this network cannot be run so.
        """
        import torch

        image = input[0] if isinstance(input, list) else input
        if self.settings.tf32 is not None and image.device.type != "cuda":
            raise UnavailableError("tf32 is a mode of NVIDIA GPUs, and this is a CPU: leave it out")
        self._said.clear()
        net = net.to(image.device).eval()
        if self.settings.fused_bn:
            self._fold(net, input)
        net = net.to(image.dtype)
        if self.settings.channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # modules take it alone
        return self.inner.prepare(net, input)

    def compilations(self) -> int:
        """How often the runtime has compiled; 0 for one that compiles nothing while it is called."""
        return self.inner.compilations() if isinstance(self.inner, CountsCompilations) else 0

    def notes(self) -> list[str]:
        """What became of the network, in words."""
        return [*self._said, *(self.inner.notes() if isinstance(self.inner, HasNotes) else ())]

    def _fold(self, net: nn.Module, input: Any) -> None:
        from hrbench.models.runtimes.norms import fold_norms

        own = next((value.dtype for value in net.parameters() if value.is_floating_point()), None)
        example = input[:1]  # folded in the network's own dtype, since bfloat16 would round twice
        example = [each.to(own) for each in example] if isinstance(example, list) else example.to(own)
        folded, norms = fold_norms(net, example)
        if not folded:
            why = "it has none" if not norms else f"none of its {norms} follows a layer alone"
            raise UnavailableError(f"fused_bn: no batch norm of the network can be folded: {why}")
        self._said.append(f"{folded} of {norms} batch norms folded")


@contextmanager
def in_force(settings: RuntimeSettings) -> Iterator[None]:
    """Sets threads and TF32 as the settings say, and back again. Loads torch only if there is anything to set."""
    if settings.threads is None and settings.tf32 is None:
        yield
        return
    import torch

    threads = torch.get_num_threads()
    products, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        if settings.tf32 is not None:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = settings.tf32
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = products, convolutions
