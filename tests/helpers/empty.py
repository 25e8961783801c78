"""Networks whose values are all given afterwards: drawing random ones first takes longer than all the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def empty(make: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """What `make` returns, with memory of no particular content for all its parameters and buffers."""
    with torch.device("meta"):
        net = make(*args, **more)
    return net.to_empty(device="cpu")
