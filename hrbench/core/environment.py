"""What machine, versions and numeric flags a result was made with."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from hrbench.core.packages import packages, unmet
from hrbench.version import __version__


def environment() -> dict[str, Any]:
    """Plain values: hrbench and Python, packages and what of them hrbench does not work with ("unmet", if anything),
    processor and memory, GPUs with driver, numeric flags of torch.

    Imports no framework: flags are read only from a torch that is loaded already.
    """
    return {
        "hrbench": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": packages(),
        **({"unmet": problems} if (problems := unmet()) else {}),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "gpus": gpus(),
        "torch": torch_flags(),
    }


def gpus() -> list[dict[str, Any]]:
    """Name, memory in bytes and driver of every NVIDIA GPU; empty where there is none."""
    import pynvml

    def ask(question: Callable[[], Any]) -> Any:
        try:
            return question()
        except pynvml.NVMLError:  # some boards and virtual machines answer only part of the questions
            return None

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = ask(pynvml.nvmlSystemGetDriverVersion)
        handles = [
            ask(partial(pynvml.nvmlDeviceGetHandleByIndex, i)) for i in range(ask(pynvml.nvmlDeviceGetCount) or 0)
        ]
        return [
            {
                "name": ask(partial(pynvml.nvmlDeviceGetName, handle)),
                "memory": ask(lambda handle=handle: int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)),
                "driver": driver,
            }
            for handle in handles
            if handle is not None
        ]
    finally:
        ask(pynvml.nvmlShutdown)


def limit_spin_waiting() -> None:
    """Lets waiting OpenMP threads spin for some microseconds only; to be called before torch is loaded.

    By default they spin for milliseconds, and on a machine with other work each spinning thread keeps the one it waits
    for from running: passes of a small network then took twenty times as long. On a quiet machine nothing changes. A
    setting of one's own stays, and it is noted among the flags.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def threads() -> int:
    """CPU threads that a framework started here would use: what the environment says, or the cores one may run on."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdigit() and int(said) else len(os.sched_getaffinity(0))


def threads_in_force() -> int:
    """CPU threads that this process computes with now: torch's own count, which a network may have set, once loaded."""
    count = getattr(sys.modules.get("torch"), "get_num_threads", None)
    return threads() if count is None else count()


CPUINFO = Path("/proc/cpuinfo")


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model name, or the machine's architecture where the system gives no model.

    >>> processor(Path("no such file")) != ""
    True
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == "model name")
    return next((model for model in models if model), platform.processor() or platform.machine() or "cpu")


def torch_flags() -> dict[str, Any]:
    """Settings of torch that decide its speed or how its numbers round; empty where torch is not loaded."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    return {
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.cuda.is_available() else None,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_allow_tf32": bool(torch.backends.cudnn.allow_tf32),
        "cudnn_benchmark": bool(torch.backends.cudnn.benchmark),
        "cudnn_deterministic": bool(torch.backends.cudnn.deterministic),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "mkldnn": bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled),
        "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT"),
    }
