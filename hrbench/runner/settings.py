"""Where things lie and what to run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hrbench.core.remote import mirror
from hrbench.types import IMAGES


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things lie and what to run on. Only the device can change a number, by rounding.

    data, weights: folders; one at an address is its mirror in the cache (`core.remote.mirror.local_folder`).
    device: "cpu", "cuda", "cuda:1" or "auto".
    workers: processes that prepare images and paste masks, 0 for threads, None to decide (`workers.usual_workers`).
    verify: judge by each metric's reference implementation too.
    offline: the network is never used; networks that would be fetched by their source (transformers:ID) are only
        looked for on this disk.
    rescore: score the stored predictions again; run no network and measure no cost.
    in_process: run entries in this process, for debuggers; recorded in every result made so.
    redo_unstable: measure stored costs that the machine disturbed again.
    images: how many images of each kind are rendered, as the suite says; no number depends on it.
    machine: what costs depend on of the machine that measures them (`cost_keys.machine_here`), if it is another one;
        None for this one.
    cluster: the Ray cluster on whose nodes networks run, as `executors.ray_cluster.address_of` gives it; None to run
        them on this machine.
    worker_memory: bytes of memory that each worker there asks for; None for no request.
    """

    data: Path = Path("data")
    weights: Path = Path("weights")
    device: str = "auto"
    workers: int | None = None
    verify: bool = False
    offline: bool = False
    rescore: bool = False
    in_process: bool = False
    redo_unstable: bool = False
    images: int = IMAGES
    machine: Mapping[str, Any] | None = None
    cluster: str | None = None
    worker_memory: int | None = None

    def plain(self) -> dict[str, Any]:
        """JSON values, for another process; `of_plain` gives back equal settings."""
        folders = {"data": mirror.plain(self.data), "weights": mirror.plain(self.weights)}
        since = mirror.began()
        return {**asdict(self), **folders, **({"listed_since": since} if since else {})}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Settings:
        """The settings of the process that asked; a folder at an address is looked for in this machine's cache."""
        values = dict(plain)
        since = values.pop("listed_since", 0)
        folders = {name: mirror.local_folder(values[name], since) for name in ("data", "weights")}
        return cls(**{**values, **folders})
