"""Flushes the caches of a device, for latencies that are measured cold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

TIMES = 2
"""So many times the size of the last cache are written, since a cache need not drop its oldest lines first."""

UNKNOWN = 64 * 1024 * 1024
"""Bytes that are taken for the last cache of a device that does not tell its size."""

CPUS = Path("/sys/devices/system/cpu")


def flusher(device: torch.device) -> Callable[[], object]:
    """A function that writes a buffer larger than the device's last cache, so that weights and inputs leave it."""
    size = _of_gpu(device) if device.type == "cuda" else last_cache()
    buffer = torch.zeros(TIMES * (size or UNKNOWN) // 4, dtype=torch.float32, device=device)
    return lambda: buffer.add_(1.0)  # reads and writes each line; on a GPU it is queued before the pass


def _of_gpu(device: torch.device) -> int:
    return int(getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0))


def last_cache(cpus: Path = CPUS) -> int:
    """Bytes of all caches of the highest level of a machine's processors together; 0 if the system does not tell.

    cpus: the folder in which the system describes them.
    """
    found: dict[tuple[int, str], int] = {}
    for folder in cpus.glob("cpu[0-9]*/cache/index[0-9]*"):
        try:
            level = int((folder / "level").read_text())
            shared = (folder / "shared_cpu_list").read_text().strip()
            text = (folder / "size").read_text().strip()
        except (OSError, ValueError):
            continue
        unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 0)
        if unit and text[:-1].isdigit():
            found[level, shared] = int(text[:-1]) * unit
    highest = max((level for level, _ in found), default=0)
    return sum(size for (level, _), size in found.items() if level == highest)
