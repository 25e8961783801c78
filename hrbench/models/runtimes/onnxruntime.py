"""onnxruntime: the network exported to ONNX by torch, and run by Microsoft's runtime."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.core.modules import module_file
from hrbench.errors import UnavailableError

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
        self._said: list[str] = []

    def notes(self) -> list[str]:
        """Which release ran the network that was prepared last, and which provider its operators."""
        return list(self._said)

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network in a session of onnxruntime, for batches of any size.

        Raises UnavailableError if a package or the provider is missing, or the network cannot be exported.
        """
        missing = [name for name in NEEDED if module_file(name) is None]
        if missing:
            raise UnavailableError(
                f"onnxruntime needs {', '.join(missing)}, which is not installed: pip install 'hrbench[onnx]'"
            )
        if isinstance(input, list):
            raise UnavailableError(
                "hrbench exports no detector: it finds another number of boxes in each image; "
                'give a file of your own, use: "onnx:FILE"'
            )
        if str(input.dtype) == "torch.bfloat16":
            raise UnavailableError("onnxruntime takes no bfloat16 from NumPy: use float32 or float16")
        from hrbench.models.runtimes.programs import write_onnx
        from hrbench.models.runtimes.sessions import Session

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            write_onnx(net.eval(), input, path)
            session = Session(path, net, input, self.provider)
        self._said = session.notes()
        return session
