"""Networks that `torch.export.save` wrote: `use: "exported:net.pt2"`.

torch.export: pytorch.org/docs/stable/export.html. The file holds network and weights. It is a program of torch's
operators, and a file with more than that is refused before torch reads it (`exported_archive.py`): nothing but tensors
is unpickled, nothing compiled is loaded. It takes one input (N, 3, H, W), of which
N, H and W may be fixed: with a fixed N batches are split, a fixed H and W must be the variant's. It computes
in the dtype that it was exported in, and in no other. Parameters are those of its state; operations are counted like
any network's.
"""

from __future__ import annotations

import inspect
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.errors import EntryError, InputError, MissingError, UsageError
from hrbench.models.adapters.exported_archive import check_archive
from hrbench.models.adapters.shared import check_task, checked, fixed_size, in_fixed_batches
from hrbench.types import TASKS

FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def build(name: str, *, task: str = "", input: tuple[int, int] | None = None) -> nn.Module:
    """The network in a file, images (N, 3, H, W), normalised, -> what its task's networks return.

    It returns that itself, or for segmentation torchvision's dictionary of "aux" and "out"; for detection it takes one
    image as a batch of 1 and returns boxes (M, 4), scores (M,), labels (M,) and, where there are any, masks (M, h, w)
    or mask_crops (M, s, s), in that order or as a dictionary. input: (height, width) of the images it will get.
    Raises MissingError if there is no file, InputError for a damaged file or one of another format, UsageError if its
    input has another size or form.
    """
    path = Path(name).expanduser()
    check_task(task, TASKS, f"exported:{path.name}")
    if not path.is_file():
        raise MissingError(f"the network's file {path} is not there")
    program = _read(path)
    shape, dtype = _input(path, program)
    fixed_size(f"the file {path.name}", shape, input)
    return ExportedNetwork(path, program, shape[0], dtype, task)


def _read(path: Path) -> Any:
    check_archive(path)
    logged: list[BaseException] = []
    try:
        with torch.device("cpu"), _only_tensors(), _captured_log(logged), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions of the format
            return torch.export.load(path)
    except Exception as error:  # a damaged archive raises nearly anything
        cause = logged[0] if logged else error
        first = " ".join(str(cause).split())[:200]
        raise InputError(
            f"{path}: torch {torch.__version__} cannot read it (of a newer torch?): {type(cause).__name__}: {first}"
        ) from error


@contextmanager
def _captured_log(logged: list[BaseException]) -> Iterator[None]:
    """Collects the errors that torch logs: what it raises only points to its log."""

    def keep(record: logging.LogRecord) -> bool:
        logged.extend([record.exc_info[1]] if record.exc_info and record.exc_info[1] else [])
        return False

    logger = logging.getLogger("torch.export")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


@contextmanager
def _only_tensors() -> Iterator[None]:
    """Makes torch refuse a file that asks for more than tensors; otherwise it would unpickle everything."""
    before = os.environ.get(FORCE)
    os.environ[FORCE] = "1"
    try:
        yield
    finally:
        del os.environ[FORCE]
        if before is not None:
            os.environ[FORCE] = before


def _input(path: Path, program: Any) -> tuple[tuple[int | None, ...], torch.dtype]:
    """Shape, None for a dynamic dimension, and dtype of the one input. Raises UsageError for any other."""
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
    """An exported program as a network.

    precision: the dtype it computes in, whatever `.to` was called with. fixed_batch: images that it takes at once, None
    for any number.
    """

    def __init__(self, path: Path, program: Any, batch: int | None, dtype: torch.dtype, task: str) -> None:
        super().__init__()
        self.path, self.fixed_batch, self.precision, self.task = path, batch, dtype, task
        unguarded = {"check_guards": False} if "check_guards" in inspect.signature(program.module).parameters else {}
        self.net = program.module(**unguarded)

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
        if self.fixed_batch in (None, len(images)):
            return checked(self._taken(self.net(images)), self.task, self._label)
        if images.is_meta:  # a batch that is filled up would count for more than it is
            raise EntryError(f"operations are not counted: {self.path.name} takes {self.fixed_batch} images at once")
        outputs: list[Any] = []

        def run(piece: Tensor) -> list[Tensor]:
            outputs.append(checked(self._taken(self.net(piece)), self.task, self._label))
            return outputs[-1] if isinstance(outputs[-1], list) else [outputs[-1]]

        whole = in_fixed_batches(images, self.fixed_batch, run)
        return whole if isinstance(outputs[0], list) else whole[0]

    @property
    def _label(self) -> str:
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
            whole = len(output) == 4 and output[3].shape[-2:] == image.shape[-2:]
            names = ("boxes", "scores", "labels", "masks" if whole else "mask_crops")
            output = dict(zip(names, output, strict=False))
        if not isinstance(output, dict):
            raise EntryError(
                f"{self._label} returned a {type(output).__name__}; a detector returns boxes, scores, labels"
            )
        return checked([output], "detection", self._label)[0]


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
