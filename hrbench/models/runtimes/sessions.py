"""A network that hrbench exported, in a session of onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from hrbench.errors import EntryError, UnavailableError
from hrbench.models.adapters.onnx import OnnxNetwork
from hrbench.models.adapters.onnx_graph import read_graph


class Session(nn.Module):
    """The network of a file that was exported just now, with outputs in the form of the network's own.

    path: of the file, which is needed only while this is made.
    net: the network that was exported.
    input: (N, 3, H, W), an example; the session is opened on its device.
    provider: of onnxruntime; "" for that of the device.

    Raises UnavailableError if onnxruntime has no such provider, or does not run the file.
    """

    def __init__(self, path: Path, net: nn.Module, input: Tensor, provider: str = "") -> None:
        super().__init__()
        example = input[:1]
        with torch.no_grad():
            outputs, self.form = tree_flatten(net(example))
        if not all(isinstance(each, Tensor) for each in outputs):
            raise UnavailableError("the network returns more than tensors, which an ONNX file cannot")
        self.file = OnnxNetwork(path, read_graph(path), "", provider).to(input.device)
        try:
            self.file(example)
        except EntryError as error:
            told = str(error).replace(str(path), "the network that torch exported")
            raise UnavailableError(told.replace(f"onnx:{path.name}", "the network")) from error

    def notes(self) -> list[str]:
        """What ran the network and where (contracts.HasNotes)."""
        return self.file.notes()

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """One that tells dtype and device: the values are in the session's own memory."""
        yield nn.Parameter(self.file.placeholder, requires_grad=False)

    def forward(self, images: Tensor) -> Any:
        """The network's output for a batch of any size."""
        outputs = self.file(images)
        return tree_unflatten(list(outputs.values()) if isinstance(outputs, dict) else [outputs], self.form)
