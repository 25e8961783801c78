"""What the adapters have in common: libraries imported late, and outputs in the form that a task's networks return.

A library's network is returned itself, with hooks, not wrapped: so its state-dict keys are the library's own.
"""

from __future__ import annotations

import copy
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.core.text import suggestion
from hrbench.errors import EntryError, UsageError

EXPECTED_OUTPUT = {
    "pose": "heatmaps (N, K, h, w); or in one stage a list of dictionaries with keypoints (M, K, 3) and scores (M,), "
    "or candidates (N, 5 + 3 K, A)",
    "segmentation": "logits (N, C, h, w), or a list of such whose last is used",
    "panoptic": "a dictionary of class_logits (N, Q, C + 1) and mask_logits (N, Q, h, w) of Q queries",
    "classification": "logits (N, C)",
    "landmarks": "heatmaps (N, L, h, w)",
    "detection": "a list of dictionaries with boxes (M, 4), scores (M,) and labels (M,), one for each image",
    "backbone": "a list of maps (N, C, h, w), finest first",
}


def library(name: str) -> Any:
    """A module, imported on the CPU: tensors that it makes for itself must not be on the meta device of a caller."""
    with torch.device("cpu"):
        return importlib.import_module(name)


def check_task(task: str, tasks: Sequence[str], network_name: str) -> None:
    """Raises UsageError unless a source has networks for the task ("" asks for none in particular)."""
    if task and task not in tasks:
        raise UsageError(
            f"{network_name} is for {' and '.join(tasks)}, not for {task}: give it the task it is made for"
        )


def without_weight_args(args: Mapping[str, Any], loading: Sequence[str], network_name: str) -> dict[str, Any]:
    """The arguments without those by which a library loads weights; UsageError if one of them asks for weights.

    loading: names of these arguments. Weights are loaded as the suite says, so that results can name them.
    """
    asked = next((name for name in loading if args.get(name)), None)
    if asked is not None:
        raise UsageError(
            f"{network_name} is built without weights: leave {asked!r} out, and give the entry `weights: PATH`"
        )
    return {name: value for name, value in args.items() if name not in loading}


def refuse_unknown(args: Iterable[str], known: Iterable[str], network_name: str) -> None:
    """Raises UsageError for an argument that the library does not know and would ignore."""
    known = set(known)
    for name in args:
        if name not in known:
            raise UsageError(f"{network_name} takes no argument {name!r}; {suggestion(name, known)}")


def argument_names(*callables: Callable[..., Any]) -> set[str]:
    """Names of the arguments of functions or classes; those of `*args` and `**kwargs` have none.

    >>> sorted(argument_names(check_task, without_weight_args))
    ['args', 'loading', 'network_name', 'task', 'tasks']
    """
    found = {each for one in callables for each in inspect.signature(one).parameters.values()}
    return {each.name for each in found if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)} - {"self"}


def with_checked_output(
    net: nn.Module, task: str, network_name: str, take: Callable[[Any], Any] | None = None
) -> nn.Module:
    """The network itself, returning from now on what `take` makes of its output, checked to be what the task says.

    what: the network in words, for errors. Outputs of task "" are not checked.
    """
    net.register_forward_hook(partial(_taken, task, network_name, take))
    return net


def _taken(
    task: str, network_name: str, take: Callable[[Any], Any] | None, net: nn.Module, given: Any, output: Any
) -> Any:
    return checked(output if take is None else take(output), task, network_name)


def checked(output: Any, task: str, network_name: str) -> Any:
    """The output, where it is what networks of the task return; a tuple of maps as a list. EntryError otherwise."""
    if isinstance(output, tuple) and task in ("segmentation", "backbone"):
        output = list(output)
    if not task or _is_right(output, task):
        return output
    raise EntryError(
        f"{network_name} returned {described(output)}; a network for {task} returns {EXPECTED_OUTPUT.get(task, task)}"
    )


def _is_right(output: Any, task: str) -> bool:
    if task == "detection":
        named = {"boxes", "scores", "labels"}
        return isinstance(output, list) and all(isinstance(one, Mapping) and named <= set(one) for one in output)
    if task == "panoptic":
        return isinstance(output, Mapping) and {"class_logits", "mask_logits"} <= set(output)
    if task == "pose" and isinstance(output, list):
        return all(isinstance(one, Mapping) and {"keypoints", "scores"} <= set(one) for one in output)
    if task == "pose" and isinstance(output, Tensor) and output.ndim == 3:
        return True
    if isinstance(output, list):
        return task in ("segmentation", "backbone") and bool(output) and all(map(_is_map, output))
    if not isinstance(output, Tensor) or task == "backbone":
        return False
    return output.ndim == 2 if task == "classification" else _is_map(output)


def _is_map(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 4


def described(output: Any) -> str:
    """Type and shapes of what a network returned, in a few words.

    >>> described({"out": torch.zeros(1, 2)}), described([torch.zeros(3)])
    ('a dict of out (1, 2)', 'a list of (3,)')
    """
    if isinstance(output, Tensor):
        return str(tuple(output.shape))
    kind = type(output).__name__
    if isinstance(output, Mapping):
        return f"a {kind} of " + ", ".join(f"{key} {described(value)}" for key, value in list(output.items())[:6])
    if isinstance(output, (list, tuple)) and output:
        return f"a {kind} of " + ", ".join(described(value) for value in output[:6])
    return f"a {kind}"


def as_backbone(net: nn.Module) -> nn.Module:
    """The network with what a detector asks of its backbone: channels and strides of its maps, finest first.

    They are read off a pass over meta tensors of 256x256, unless the library's network has them.
    """
    side = 256
    with torch.inference_mode():
        maps = copy.deepcopy(net).eval().to("meta")(torch.empty(1, 3, side, side, device="meta"))
    if not hasattr(net, "channels"):
        net.channels = tuple(each.shape[1] for each in maps)  # type: ignore[assignment]
    net.strides = tuple(side // each.shape[2] for each in maps)  # type: ignore[assignment]
    return net


# --- networks in files -----------------------------------------------------------------------------------------------


def fixed_size(network_name: str, shape: Sequence[int | None], input: tuple[int, int] | None) -> None:
    """Raises UsageError if a file's input (N, 3, H, W), None for an open dimension, is not of the size asked for."""
    sizes = tuple(shape[2:])
    if input is not None and any(size not in (None, side) for size, side in zip(sizes, input, strict=True)):
        stated = "x".join("any" if size is None else str(size) for size in sizes)
        asked = "x".join(map(str, input))
        raise UsageError(
            f"{network_name} takes images of {stated} (height x width), not of {asked}: set `input` accordingly"
        )


def in_fixed_batches(images: Tensor, batch: int | None, run: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:
    """Outputs of a batch of any size by a network whose batch is fixed: run piece by piece, the last one filled up.

    batch: images that the network takes at once, None for any number. run: images -> outputs, all with N first.
    """
    if batch is None or len(images) == batch:
        return run(images)
    found = []
    for piece in images.split(batch):
        fill_count = batch - len(piece)
        whole = torch.cat([piece, piece[-1:].expand(fill_count, *piece.shape[1:])]) if fill_count else piece
        found.append([output[: len(piece)] for output in run(whole)])
    return [torch.cat(parts) for parts in zip(*found, strict=True)]
