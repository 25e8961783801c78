"""Whether this machine can run networks in a runtime: asked before there is one, and again when it is prepared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hrbench.contracts import Foresees
from hrbench.errors import UnavailableError

THREADS_PER_CPU = 8
"""More threads than this for each processor are refused: they would measure how a system switches between them."""


def check_available(runtime: object, input: Any) -> None:
    """Raises UnavailableError if the runtime says that it cannot run a network here.

    input: an example of what the network is called with, (N, 3, H, W), or a list of images (3, H, W).
    """
    image = input[0] if isinstance(input, list) else input
    if why := unavailable(runtime, image.device.type, str(image.dtype).removeprefix("torch."), isinstance(input, list)):
        raise UnavailableError(why)


def unavailable(runtime: object, device: str, dtype: str, is_detector: bool) -> str:
    """What `Foresees.unavailable` gives; "" of a runtime that foresees nothing."""
    return runtime.unavailable(device, dtype, is_detector) if isinstance(runtime, Foresees) else ""


def no_detector(use: str) -> str:
    """Why a detector is not exported. use: how a suite names a file that was exported elsewhere."""
    return (
        "hrbench exports no detector: it finds another number of boxes in each image; "
        f'give a file of your own, use: "{use}"'
    )


def no_provider(version: str, provider: str, there: Sequence[str]) -> str:
    """Why onnxruntime has no session with a provider. there: those that this installation of it has."""
    return f"onnxruntime {version} has no {provider}; it has {', '.join(there)}"


def usable_cpus() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def too_many_threads(threads: int | None) -> str:
    """Why no number is measured with so many threads; "" if one is. threads: None for those of the process."""
    cpus = usable_cpus()
    if threads is None or threads <= THREADS_PER_CPU * cpus:
        return ""
    many = "1 processor" if cpus == 1 else f"{cpus} processors"
    return f"threads {threads} on {many}: at most {THREADS_PER_CPU} for each are taken, and one is usual"


def threads_in_words(threads: int | None) -> str:
    """A note on more threads than processors, which wait for one another; "" if there are not more."""
    cpus = usable_cpus()
    if threads is None or threads <= cpus:
        return ""
    return f"{threads} threads on {cpus} {'processor' if cpus == 1 else 'processors'}, so that they wait for each other"
