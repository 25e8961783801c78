"""Networks that `torch.export.save` wrote: `use: "exported:net.pt2"`.

torch.export: pytorch.org/docs/stable/export.html. The file holds network and weights. It is a program, read without
unpickling anything but tensors: one with objects of other kinds is refused. It takes one input (N, 3, H, W), of which
N, H and W may be fixed: of a fixed N batches are run in pieces, a fixed H and W have to be the variant's. It computes
in the dtype that it was exported in, and in no other. Parameters are those of its state; operations are counted like
any network's.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.models.adapters.shared import checked, fits, fixed_size, pieces
from hrbench.types import EntryError, InputError, MissingError, UsageError

TASKS = ("pose", "segmentation", "classification", "detection", "backbone")
FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def build(name: str, *, task: str = "", input: tuple[int, int] | None = None) -> nn.Module:
    """The network in a file, images (N, 3, H, W), normalised, -> what its task's networks return.

    It returns that itself, or for segmentation torchvision's dictionary of "aux" and "out"; for detection it takes one
    image as a batch of 1 and returns boxes (M, 4), scores (M,), labels (M,) and, where there are any, masks (M, h, w),
    in that order or as a dictionary. input: (height, width) that it is going to be given. Raises MissingError where
    there is no file, InputError for one that is none or damaged, UsageError where its input is of another size or form.
    """
    path = Path(name).expanduser()
    fits(task, TASKS, f"exported:{path.name}")
    if not path.is_file():
        raise MissingError(f"the network's file {path} is not there")
    program = _read(path)
    shape, dtype = _input(path, program)
    fixed_size(f"the file {path.name}", shape, input)
    return ExportedNetwork(path, program, shape[0], dtype, task)


def _read(path: Path) -> Any:
    try:
        with torch.device("cpu"), _only_tensors(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions of the format
            return torch.export.load(path)
    except Exception as error:  # a damaged archive raises nearly anything
        first = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: not a whole file of torch.export.save (damaged, or of a newer torch?): "
            f"{type(error).__name__}: {first}"
        ) from error


@contextmanager
def _only_tensors() -> Iterator[None]:
    """Where a file asks for more than tensors torch would unpickle it all; it is told not to."""
    before = os.environ.get(FORCE)
    os.environ[FORCE] = "1"
    try:
        yield
    finally:
        del os.environ[FORCE]
        if before is not None:
            os.environ[FORCE] = before


def _input(path: Path, program: Any) -> tuple[tuple[int | None, ...], torch.dtype]:
    """Shape, None where a dimension is open, and dtype of the one input. Raises UsageError for any other."""
    names = list(program.graph_signature.user_inputs)
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(values) != 1 or not isinstance(values[0], Tensor):
        raise UsageError(
            f"{path.name} takes {len(names)} inputs ({', '.join(map(str, names))}); a network takes images"
        )
    shape = tuple(side if isinstance(side, int) else None for side in values[0].shape)
    if len(shape) != 4 or shape[1] not in (3, None) or not values[0].dtype.is_floating_point:
        stated = "x".join("?" if side is None else str(side) for side in shape)
        raise UsageError(f"{path.name} takes {values[0].dtype} of shape {stated}; images come as floats (N, 3, H, W)")
    return shape, values[0].dtype


class ExportedNetwork(nn.Module):
    """An exported program as a network. precision: the dtype it computes in, whatever `.to` was called with."""

    def __init__(self, path: Path, program: Any, batch: int | None, dtype: torch.dtype, task: str) -> None:
        super().__init__()
        self.path, self.batch, self.precision, self.task = path, batch, dtype, task
        self.net = program.module(check_guards=False)

    def train(self, mode: bool = True) -> ExportedNetwork:
        """A program was exported in one mode and stays in it."""
        self.training = mode
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> ExportedNetwork:
        """`.to(...)`: the weights move, and with them the devices that the program names; the dtype stays."""

        def moved(value: Tensor) -> Tensor:
            return value.to(fn(value).device)

        super()._apply(moved, recurse)
        _rename_devices(self.net, next((value.device for value in self.net.state_dict().values()), None))
        return self

    def forward(self, images: Any) -> Any:
        if self.task == "detection":
            return [self._detections(image) for image in images]
        if images.dtype != self.precision:
            wanted, given = (str(dtype).removeprefix("torch.") for dtype in (self.precision, images.dtype))
            raise RuntimeError(f"the file {self.path.name} computes in {wanted}, not in {given}")
        if self.batch in (None, len(images)):
            return checked(self._taken(self.net(images)), self.task, self._what)
        outputs: list[Any] = []

        def run(piece: Tensor) -> list[Tensor]:
            outputs.append(checked(self._taken(self.net(piece)), self.task, self._what))
            return outputs[-1] if isinstance(outputs[-1], list) else [outputs[-1]]

        whole = pieces(images, self.batch, run)
        return whole if isinstance(outputs[0], list) else whole[0]

    @property
    def _what(self) -> str:
        return f"exported:{self.path.name}"

    def _taken(self, output: Any) -> Any:
        if self.task == "segmentation" and isinstance(output, dict) and "out" in output:
            return [output["aux"], output["out"]] if "aux" in output else output["out"]
        if isinstance(output, (list, tuple)) and len(output) == 1 and self.task in ("pose", "classification"):
            return output[0]
        return output

    def _detections(self, image: Tensor) -> dict[str, Tensor]:
        output = self.net(image[None])
        if isinstance(output, (list, tuple)) and len(output) == 1 and isinstance(output[0], dict):
            output = output[0]
        if isinstance(output, (list, tuple)) and len(output) in (3, 4):
            output = dict(zip(("boxes", "scores", "labels", "masks"), output, strict=False))
        if not isinstance(output, dict):
            raise EntryError(
                f"{self._what} returned a {type(output).__name__}; a detector returns boxes, scores, labels"
            )
        return checked([output], "detection", self._what)[0]


def _rename_devices(net: Any, device: torch.device | None) -> None:
    """Tensors that a program makes for itself are made on the device named when it was exported."""
    graph = getattr(net, "graph", None)
    if graph is None or device is None:
        return
    for node in graph.nodes:
        if "device" in node.kwargs:
            node.kwargs = {**node.kwargs, "device": device}
        if node.op == "call_function" and any(isinstance(value, torch.device) for value in node.args):
            node.args = tuple(device if isinstance(value, torch.device) else value for value in node.args)
    net.recompile()
