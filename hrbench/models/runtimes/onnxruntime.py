"""onnxruntime: the network exported to ONNX by torch, and run by Microsoft's runtime."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.core.modules import module_file
from hrbench.core.text import suggestion
from hrbench.errors import UsageError
from hrbench.models.runtimes.availability import check_available, no_detector, no_provider

if TYPE_CHECKING:
    from torch import nn

NEEDED = ("onnx", "onnxruntime", "onnxscript")


class OnnxRuntime:
    """Exports a network and runs it (contracts.Runtime, HasNotes).

    provider: of onnxruntime, "CPUExecutionProvider" or another that it has; "" for that of the device.
    """

    name = "onnxruntime"
    version = 1
    takes = ("provider", "fused_bn", "threads")

    def __init__(self, provider: str = "") -> None:
        self.provider = provider
        self._of_file: list[str] = []

    def notes(self) -> list[str]:
        """Which release ran the network that was prepared last, on which provider, and in which precision."""
        return list(self._of_file)

    def unavailable(self, device: str, dtype: str, is_detector: bool) -> str:
        """A package or provider that is missing, or what is not exported; "" if there is nothing.

        Raises UsageError for a provider that onnxruntime does not know.
        """
        missing = [name for name in NEEDED if module_file(name) is None]
        if missing:
            return f"onnxruntime needs {', '.join(missing)}, which is not installed: pip install 'hrbench[onnx]'"
        if is_detector:
            return no_detector("onnx:FILE")
        if dtype == "bfloat16":
            return "onnxruntime takes no bfloat16 from NumPy: use float32 or float16"
        return _without(self.provider)

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network in a session of onnxruntime, for batches of any size.

        Raises UnavailableError if a package or the provider is missing, or the network cannot be exported; UsageError
        for a provider that onnxruntime does not know.
        """
        check_available(self, input)
        from hrbench.models.runtimes.programs import write_onnx
        from hrbench.models.runtimes.sessions import Session

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            write_onnx(net.eval(), input, path)
            session = Session(path, net, input, self.provider)
        self._of_file = session.notes()
        return session


def _without(provider: str) -> str:
    """Why there is no session with a provider, as the adapter of ONNX files says it; "" if it is installed."""
    if not provider:
        return ""
    import onnxruntime

    if provider not in (known := onnxruntime.get_all_providers()):
        raise UsageError(f"onnxruntime has no provider {provider!r}; {suggestion(provider, known)}")
    there = onnxruntime.get_available_providers()
    return "" if provider in there else no_provider(onnxruntime.__version__, provider, there)
