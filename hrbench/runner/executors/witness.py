"""What a job changes of its own process, in words: it is measured all the same, and nothing else is touched by it.

    before = state()
    ...
    changes(before, state())          # ("working folder", "torch's default dtype (float32 -> float64)")

The state of random generators is left out: every network changes it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hrbench.contracts import Outcome

ProcessState = dict[str, tuple[Any, str]]
"""What is looked at -> a value to compare, and what is shown of it ("" for nothing)."""

_SET_BY_LIBRARIES = ("TORCHINDUCTOR_", "_TORCHINDUCTOR_", "TORCH_", "TRITON_", "KMP_", "CUDA_MODULE_LOADING")
"""Beginnings of environment variables that torch sets for itself while it is imported or used."""

_ADDED_BY_LIBRARIES = (str(Path("setuptools", "_vendor")),)
"""Ends of folders that torch's compiler adds to `sys.path`: setuptools does when it is imported."""

_TORCH: dict[str, Callable[[Any], Any]] = {
    "torch's thread count": lambda torch: torch.get_num_threads(),
    "torch's thread count between operations": lambda torch: torch.get_num_interop_threads(),
    "torch's default dtype": lambda torch: str(torch.get_default_dtype()).removeprefix("torch."),
    "torch's default device": lambda torch: str(torch.get_default_device()),
    "torch's gradient mode": lambda torch: torch.is_grad_enabled(),
    "torch's inference mode": lambda torch: torch.is_inference_mode_enabled(),
    "torch's precision of float32 products": lambda torch: torch.get_float32_matmul_precision(),
    "torch's deterministic algorithms": lambda torch: torch.are_deterministic_algorithms_enabled(),
    "torch.backends.cudnn.benchmark": lambda torch: torch.backends.cudnn.benchmark,
    "torch.backends.cudnn.deterministic": lambda torch: torch.backends.cudnn.deterministic,
    "torch.backends.cudnn.allow_tf32": lambda torch: torch.backends.cudnn.allow_tf32,
    "torch.backends.mkldnn.enabled": lambda torch: torch.backends.mkldnn.enabled,
}


def state() -> ProcessState:
    """What the process is like now. torch is asked only if it is loaded."""
    return dict(_looked_at())


def _looked_at() -> Iterator[tuple[str, tuple[Any, str]]]:
    yield "working folder", (_asked(Path.cwd), "")
    yield "sys.path", (tuple(path for path in map(str, sys.path) if not path.endswith(_ADDED_BY_LIBRARIES)), "")
    mask = os.umask(0o077)
    os.umask(mask)
    yield "umask", (mask, f"{mask:03o}")
    yield "processor affinity", (_asked(lambda: frozenset(os.sched_getaffinity(0))), "")
    for number, name in ((1, "standard output"), (2, "standard error")):
        yield name, _stream(number, getattr(sys, "stdout" if number == 1 else "stderr"))
    for number in sorted(signal.valid_signals()):
        handler = signal.getsignal(number)
        known = number in signal.Signals.__members__.values()
        yield f"handler of {signal.Signals(number).name if known else f'signal {number}'}", (handler, "")
    for key, value in os.environ.items():
        if not key.startswith(_SET_BY_LIBRARIES):
            yield f"environment variable {key}", (value, "")
    torch = sys.modules.get("torch")
    for name, ask in _TORCH.items() if torch is not None else ():
        value = _asked(lambda ask=ask: ask(torch))
        yield name, (value, str(value))


def _asked(ask: Callable[[], Any]) -> Any:
    """The answer, None if there is none: an older torch, a working folder that was deleted."""
    try:
        return ask()
    except Exception:
        return None


def _stream(number: int, stream: Any) -> tuple[Any, str]:
    """A standard stream: the file behind its number, and whether Python's object for it can be written to."""
    try:
        status = os.fstat(number)
    except OSError:
        return "closed", "closed"
    if stream is None or getattr(stream, "closed", False):
        return "closed", "closed"
    return (status.st_dev, status.st_ino, status.st_rdev), "redirected"


def changes(before: ProcessState, after: ProcessState) -> tuple[str, ...]:
    """What differs, each in a few words.

    What could not be asked before (torch was not loaded yet) counts as unchanged; environment variables that are new
    or gone count as changed.
    """
    found = []
    for name in dict.fromkeys((*before, *after)):
        variable = name.startswith("environment variable ")
        if not variable and (name not in before or name not in after):
            continue
        (old, shown), (new, shown_now) = before.get(name, (None, "")), after.get(name, (None, ""))
        if old != new:
            found.append(_change(name, shown, shown_now))
    return tuple(found)


def _change(name: str, before: str, after: str) -> str:
    if not after:
        return name
    return f"{name} ({after if name.startswith('standard') else f'{before} -> {after}'})"


def notes(outcome: Outcome) -> tuple[str, ...]:
    """What is to be said beside a measurement of the process that it was made in: what was changed, what was printed.

    >>> notes(Outcome(changes=("working folder", "torch's default dtype (float32 -> float64)")))
    ("the network changed its process: working folder, torch's default dtype (float32 -> float64)",)
    """
    said = []
    if outcome.changes:
        said.append(f"the network changed its process: {', '.join(outcome.changes)}")
    if outcome.left_out:
        said.append(f"the network printed {outcome.output_bytes:,} bytes: the log keeps their beginning and their end")
    return tuple(said)
