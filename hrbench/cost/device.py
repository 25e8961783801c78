"""The name of the device that a measurement ran on."""

from __future__ import annotations

import torch

from hrbench.machine import processor


def device_name(device: torch.device | str) -> str:
    """A GPU's product name, or the CPU's model name; the machine's architecture where the system gives no model."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor() if device.type == "cpu" else str(device)
