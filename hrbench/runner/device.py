"""The requested device, in words that torch takes."""

from __future__ import annotations

import re
from typing import Any

from hrbench.core.plugins import resolve
from hrbench.errors import UsageError
from hrbench.models.runtimes.configured import Configured
from hrbench.runner.conformance import check_contract
from hrbench.runner.settings import Settings
from hrbench.types import RuntimeSettings


def device_of(settings: Settings) -> str:
    """The device in words that torch takes; "auto" is the first GPU, or the CPU if there is none.

    Raises UsageError for a device that does not exist. Loads torch only if the device may be a GPU.
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


def runtime(settings: RuntimeSettings | None = None) -> Configured:
    """A runtime with its settings; eager PyTorch if none are given.

    Raises UsageError if there is no such runtime, EntryError if it does not import or is none.
    """
    settings = settings or RuntimeSettings()
    kind = resolve("hrbench.runtimes", settings.name)
    named = {"mode": settings.mode, "provider": settings.provider}
    inner = kind(**{key: value for key, value in named.items() if key in kind.takes})
    check_contract("hrbench.runtimes", settings.name, inner)
    return Configured(inner, settings)


def runtime_version(settings: RuntimeSettings) -> int:
    """The version of a runtime. Raises UsageError if there is no such runtime, EntryError if it does not import."""
    return resolve("hrbench.runtimes", settings.name).version


def _device_name(parameter: Any) -> str:
    """The device of a parameter: "cpu", or the name of the GPU."""
    if parameter is None or parameter.device.type != "cuda":
        return "cpu" if parameter is None else str(parameter.device)
    import torch

    return torch.cuda.get_device_name(parameter.device)
