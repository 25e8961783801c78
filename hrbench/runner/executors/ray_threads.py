"""A job that tells how many CPU threads torch uses on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def threads(emit: Callable[[Any], object]) -> int:
    """The number of threads of a pass."""
    import torch

    return torch.get_num_threads()
