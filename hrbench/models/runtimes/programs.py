"""Exported programs of networks: as they are run, and as ONNX files."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.errors import UnavailableError

BATCH = 2
"""Images of the example with which a network is traced: torch takes a size of 1 as fixed."""


class Called(nn.Module):
    """Calls a network from outside, so that its own hooks, which adapters use, are part of what is traced."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Any:
        """The network's output."""
        return self.net(images)


class Program(nn.Module):
    """An exported program as a network.

    program: of `exported`.
    input: an example; its dtype and device are those of the program.
    """

    def __init__(self, program: Any, input: Tensor) -> None:
        super().__init__()
        unguarded = {"check_guards": False} if "check_guards" in inspect.signature(program.module).parameters else {}
        self.net = program.module(**unguarded)
        self.place = nn.Parameter(torch.empty((), dtype=input.dtype, device=input.device), requires_grad=False)

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """One that tells dtype and device; the program's own may be of others."""
        yield self.place

    def train(self, mode: bool = True) -> Program:
        """A program was exported in one mode and stays in it."""
        self.training = mode
        return self

    def forward(self, images: Tensor) -> Any:
        """The network's output for a batch of any size."""
        return self.net(images)


def exported(net: nn.Module, input: Tensor) -> Any:
    """A network's program, for batches of any size and images of the example's. Raises UnavailableError.

    net: in eval mode.
    input: (N, 3, H, W), an example.
    """
    with _quiet(), torch.no_grad():
        try:
            return torch.export.export(Called(net), (_example(input),), dynamic_shapes=(_any_batch(),))
        except Exception as error:  # what cannot be traced raises nearly anything
            raise UnavailableError(f"torch.export does not trace the network: {_first_line(error)}") from error


def write_onnx(net: nn.Module, input: Tensor, path: Path) -> None:
    """Writes a network as an ONNX file, for batches of any size. Raises UnavailableError if it cannot be exported.

    net: in eval mode.
    input: (N, 3, H, W), an example.
    path: of the file.
    """
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                Called(net), (_example(input),), dynamic_shapes=(_any_batch(),), dynamo=True, verbose=False
            )
            assert program is not None
            program.save(str(path))
        except Exception as error:
            raise UnavailableError(f"torch.onnx does not export the network: {_first_line(error)}") from error


def _example(input: Tensor) -> Tensor:
    return torch.zeros((BATCH, *input.shape[1:]), dtype=input.dtype, device=input.device)


def _any_batch() -> dict[int, Any]:
    return {0: torch.export.Dim("batch", min=1, max=65_536)}


def _first_line(error: BaseException) -> str:
    """The cause of an error in a line: exporters wrap it in advice for their own developers."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the messages that exporters print for their own developers."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
