"""Networks whose values are never read, or all given afterwards: random ones take longer than all the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import init

INITIALISERS = [name for name in vars(init) if name.endswith("_") and not name.startswith("_")]


@contextmanager
def uninitialised() -> Iterator[None]:
    """Within it, the functions of `torch.nn.init` leave their tensors as they are."""
    kept = {name: getattr(init, name) for name in INITIALISERS}
    for name in kept:
        setattr(init, name, lambda tensor, *args, **more: tensor)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(init, name, function)


@contextmanager
def on_meta() -> Iterator[None]:
    """Within it, networks are built of shapes alone."""
    with torch.device("meta"), uninitialised():
        yield


def empty(make: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """What `make` returns, with memory of no particular content for all its parameters and buffers."""
    with on_meta():
        net = make(*args, **more)
    return net.to_empty(device="cpu")
