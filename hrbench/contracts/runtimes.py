"""What turns a network into a callable, and what else it may offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from hrbench.types import RuntimeSettings


@runtime_checkable
class Runtime(Protocol):
    """Turns a network into a callable: eager PyTorch, a compiler, another library.

    Constructed with those of "mode" and "provider" that it takes, or without arguments; its module imports without
    torch. The constructor raises UsageError for a mode that there is not. Optional capabilities: `HasNotes`, on what
    became of the network; `CountsCompilations`; `Foresees`.

    name: its name in results.
    version: raised by hand when a number measured with it can change.
    takes: fields of `types.RuntimeSettings` that it honours: "mode" and "provider" by itself; "channels_last",
        "fused_bn", "tf32" and "threads" if it may be given a network to which they were applied.
    """

    name: str
    version: int
    takes: tuple[str, ...]

    def prepare(self, net: Any, input: Any) -> Callable[..., Any]:
        """The network ready to be called, in eval mode.

        net: a torch module on the input's device, which may be moved or changed.
        input: an example of what it will be called with, (N, 3, H, W), or a list of images (3, H, W) for a detector;
            it may be called with others.

        Returns a callable, which shows its device and dtype by `HasParameters`. Raises UnavailableError, with the
        reason, if this machine or this network cannot be run so.
        """
        ...


@runtime_checkable
class HasSettings(Protocol):
    """A runtime with what is applied to a network before it prepares it.

    checked: seconds that preparing the last network spent on checking its outputs.
    """

    settings: RuntimeSettings
    checked: float


@runtime_checkable
class CountsCompilations(Protocol):
    """A runtime that compiles when it is called with something new: a pass in which it did so is no sample."""

    def compilations(self) -> int:
        """How often it has compiled in this process."""
        ...


@runtime_checkable
class Foresees(Protocol):
    """A runtime that knows without a network whether this machine can run one: `hrbench check` asks it."""

    def unavailable(self, device: str, dtype: str, is_detector: bool) -> str:
        """Why no network can be run, in the words that `prepare` raises UnavailableError with; "" if one may be.

        device: its kind, "cpu" or "cuda".
        dtype: of the images: "float32".
        is_detector: whether a network takes a list of images.

        Raises UsageError for a setting that is wrong on every machine.
        """
        ...
