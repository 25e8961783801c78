"""The device that a run was asked for, in the words that torch takes."""

from __future__ import annotations

import re
from typing import Any

from hrbench.contracts import Runtime
from hrbench.core.plugins import resolve
from hrbench.errors import UsageError
from hrbench.runner.settings import Settings


def device_of(settings: Settings) -> str:
    """The device in words that torch takes; "auto" is the first GPU, or the processor where there is none.

    Raises UsageError for a device that there is not. Loads torch only where a GPU might be meant.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", settings.device):
        raise UsageError(f"there is no device {settings.device!r}: use auto, cpu, cuda or cuda:N")
    if settings.device == "cpu":
        return "cpu"
    import torch

    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(settings.device.partition(":")[2] or 0) >= count:
        raise UsageError(f"device {settings.device} was asked for; torch sees {count} CUDA devices")
    return settings.device


def runtime() -> Runtime:
    """What networks are run by, while they predict and while they are timed: eager PyTorch."""
    return resolve("hrbench.runtimes", "eager")()


def _device_name(parameter: Any) -> str:
    """The device a parameter lies on: "cpu", or the GPU's own name."""
    if parameter is None or parameter.device.type != "cuda":
        return "cpu" if parameter is None else str(parameter.device)
    import torch

    return torch.cuda.get_device_name(parameter.device)
