"""The network of an entry, ready to be called, and what a result says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hrbench.contracts import FixedPrecision
from hrbench.core.plugins import libraries, runtime_libraries
from hrbench.models.runtimes.configured import Configured
from hrbench.runner.detection_limits import network_limit_notes
from hrbench.runner.device import _device_name, device_of, runtime
from hrbench.runner.prepare import Assembled, load_network, weights_record
from hrbench.runner.settings import Settings
from hrbench.types import Provenance, Remark

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True, slots=True)
class PreparedNetwork:
    """A network that is ready to be called.

    net: what is called.
    notes: sentences from loading it.
    runtime: what prepared it, with further notes once it was called.
    """

    net: Any
    notes: list[Remark]
    runtime: Configured

    def runtime_notes(self) -> list[str]:
        """What the runtime says of the network, once it was called."""
        return [f"runtime {self.runtime.name}: {note}" for note in self.runtime.notes()]


def prepared_network(parts: Assembled, settings: Settings) -> PreparedNetwork:
    """The entry's network as the runtime prepares it, in the entry's dtype on its device."""
    import torch

    entry = parts.entry
    net: nn.Module
    net, notes = load_network(parts) if parts.network is None else (parts.network, [])
    requested: torch.dtype = getattr(torch, entry.dtype)
    dtype = net.precision if isinstance(net, FixedPrecision) else requested
    if dtype != requested:
        notes.append(f"computed in {str(dtype).removeprefix('torch.')}, as the network's file does")
    notes += network_limit_notes(net, entry.protocol, parts.metrics)
    example = torch.zeros(1, 3, *entry.variant.input, device=device_of(settings), dtype=dtype)
    made = runtime(entry.runtime)
    prepared = made.prepare(net, list(example) if entry.variant.task == "detection" else example)
    return PreparedNetwork(prepared, notes, made)


def made_by(parts: Assembled, net: nn.Module, warning: str = "") -> Provenance:
    """The part of the provenance that describes the network.

    warning: why its scores are not comparable with published ones; "" if they are.
    """
    return Provenance(
        weights=weights_record(parts),
        libraries=libraries(parts.entry.variant.use) | runtime_libraries(parts.entry.runtime.name),
        device=_device_name(next(iter(net.parameters()), None)),
        not_comparable=warning,
    )
