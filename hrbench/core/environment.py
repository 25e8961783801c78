"""Machine, versions and numeric flags that a result was computed with."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import psutil

from hrbench.core.checkout import own_commit
from hrbench.core.native import loader
from hrbench.core.packages import packages, unmet
from hrbench.version import __version__


def environment() -> dict[str, Any]:
    """Plain values: hrbench and Python, packages, whether the compiled helper is used, processor and memory, GPUs with
    driver, numeric flags of torch.

    The key "commit" is there if hrbench is used from its checkout, and says whether that was changed; "unmet" if a
    loaded package is of a version that hrbench does not support. Imports no framework: flags are read only if torch is
    loaded already.
    """
    return {
        "hrbench": __version__,
        **({"commit": commit} if (commit := own_commit()) else {}),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": packages(),
        **({"unmet": problems} if (problems := unmet()) else {}),
        "compiled helper": loader.described(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "gpus": gpus(),
        "torch": torch_flags(),
    }


def gpus() -> list[dict[str, Any]]:
    """Name, memory in bytes and driver of every NVIDIA GPU; empty if there is none."""
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
    """Limits the spin-waiting of OpenMP threads (sets GOMP_SPINCOUNT). Call it before torch is loaded.

    By default, waiting threads spin for milliseconds. On a busy machine a spinning thread then blocks the thread that
    it waits for: forward passes of a small network took twenty times as long. On a quiet machine nothing changes. If
    the user has set the variable, its value is kept; it is stored among the flags.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def threads() -> int:
    """CPU threads that a framework would use here: OMP_NUM_THREADS, or the number of cores the process may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) else len(os.sched_getaffinity(0))


def threads_in_force() -> int:
    """CPU threads in use now: the count of torch if it is loaded (a network may have set it), else `threads()`."""
    count = getattr(sys.modules.get("torch"), "get_num_threads", None)
    return threads() if count is None else count()


CPUINFO = Path("/proc/cpuinfo")


@cache
def processor(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model name, or the machine's architecture if the system gives no model.

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
    """Settings of torch that affect its speed or its rounding; empty if torch is not loaded."""
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
