"""Where things lie and what to run on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things lie and what to run on. Only the device can change a number, by rounding.

    data, weights: folders. device: "cpu", "cuda", "cuda:1" or "auto". workers: preparing processes, 0 for threads,
    None to decide by the size of the set. verify: judge by each metric's oracle too. offline: the network is never
    used; networks that would be fetched by their source (transformers:ID) are only looked for on this disk.
    """

    data: Path = Path("data")
    weights: Path = Path("weights")
    device: str = "auto"
    workers: int | None = None
    verify: bool = False
    offline: bool = False
