"""What a measurement ran on: the name of a device, and the numeric settings that change its speed or its bits."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

_CPUINFO = Path("/proc/cpuinfo")


def device_name(device: torch.device | str, cpuinfo: Path = _CPUINFO) -> str:
    """A GPU's product name, or the CPU's model name; the machine's architecture where the system gives no model.

    >>> device_name("cpu", Path("no such file")) != ""
    True
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return str(device)
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == "model name")
    return next((model for model in models if model), platform.processor() or platform.machine() or "cpu")


def numeric_flags() -> dict[str, Any]:
    """Settings of torch in force now: TF32, cuDNN's autotuner, determinism, threads. Plain values."""
    return {
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_allow_tf32": bool(torch.backends.cudnn.allow_tf32),
        "cudnn_benchmark": bool(torch.backends.cudnn.benchmark),
        "cudnn_deterministic": bool(torch.backends.cudnn.deterministic),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "mkldnn": bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled),  # type: ignore[attr-defined]
        "threads": torch.get_num_threads(),
    }
