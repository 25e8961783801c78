"""Whether a network would run and fit its data and weights, found without running it on data.

The network is built without values (on the meta device) and one input passes through it; shapes and types of its output
are compared with what the data set's task needs, and keys, shapes and types of the weights with the network's own
(`models.weights.load.check_fit`, which reads no number). What depends on values is only looked at on request, by a pass
on the CPU with random weights: a detector's boxes, a network that reads values, and one whose file has its own runtime.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from hrbench.contracts import ChecksOutput, CountedByPart, DataSet, FixedBatch
from hrbench.core.plugins import FILE_SOURCES, model_ref, resolve
from hrbench.errors import HrbenchError
from hrbench.models.build import SOURCES_WITH_WEIGHTS, build
from hrbench.models.weights.sources import OWN_WEIGHTS, part_of, weights_of
from hrbench.runner.check_classes import class_notes
from hrbench.runner.data_access import dataset_of
from hrbench.runner.detection_limits import network_limit_notes
from hrbench.runner.prepare import metric_of
from hrbench.runner.settings import Settings
from hrbench.types import Entry, Missing

if TYPE_CHECKING:
    from torch import nn

DOING = "a pass of one image"


def check_network(entry: Entry, settings: Settings, values: bool = False) -> list[str]:
    """Sentences on what was found of an entry's network, none if all is well.

    values: whether to pass an image on the CPU where shapes alone tell nothing.

    Raises HrbenchError for a network that cannot be built or run, whose output the data set's task cannot take, or that
    the weights do not fit; and what the network's own code raises while it is built.
    """
    from hrbench.cost.operations.count import on_meta

    variant, writes = entry.variant, sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # a check leaves nothing beside the suite
    try:
        if not variant.absent:  # imported before, since tensors made on import would be on meta too
            resolve("hrbench.models", variant.use)
        net = on_meta(lambda: build(variant, offline=True))
        dataset = _dataset(entry, settings)
        return [
            *_output_notes(net, entry, _task(entry, dataset), values),
            *class_notes(net, dataset, entry),
            *_limit_notes(net, dataset, entry),
            *_weights_notes(net, entry, settings),
        ]
    finally:
        sys.dont_write_bytecode = writes


def _dataset(entry: Entry, settings: Settings) -> DataSet | None:
    """The entry's data set; None if there is none, or it cannot be read: the plan says so."""
    row = entry.dataset
    if row is None or entry.predictions:
        return None
    try:
        dataset: DataSet = dataset_of(row, settings.data)
    except HrbenchError:
        return None
    return dataset


def _task(entry: Entry, dataset: DataSet | None) -> ChecksOutput | None:
    """The task that takes the network's output, if it can check one and its data set names its classes or joints."""
    if dataset is None or entry.dataset is None:
        return None
    try:
        task = resolve("hrbench.tasks", entry.dataset.task)(entry.variant, dataset, entry.protocol)
    except (HrbenchError, OSError):  # its files are not there, or have a fault: the plan says so
        return None
    return task if isinstance(task, ChecksOutput) else None


def _limit_notes(net: nn.Module, dataset: DataSet | None, entry: Entry) -> list[str]:
    """What is told of a detector that finds fewer objects of an image than the entry's metrics judge."""
    if dataset is None or entry.variant.task != "detection":
        return []
    try:
        metrics = [metric_of(name, dataset) for name in entry.metrics]
    except (HrbenchError, OSError):  # its files are not there, or have a fault: the plan says so
        return []
    return [*map(str, network_limit_notes(net, entry.protocol, metrics))]


# --- one pass --------------------------------------------------------------------------------------------------------


def _output_notes(net: nn.Module, entry: Entry, task: ChecksOutput | None, values: bool) -> list[str]:
    """Passes one image through the network. Raises EntryError; returns why nothing was seen, if so."""
    from hrbench.cost.operations.recorder import ValuesNeeded

    variant = entry.variant
    if not any(variant.input):
        return []
    reads_values = model_ref(variant.use).source in FILE_SOURCES
    by_value = variant.task == "detection"
    try:
        if not reads_values and (not by_value or isinstance(net, CountedByPart)):
            output = _passed(net, entry, "meta")
            if task is not None and not by_value:
                task.check_output(output, [variant.input])
    except ValuesNeeded as error:
        if not values:
            what = str(error).partition("\n")[0].partition("; ")[0]
            return [f"its output was not looked at ({what}): hrbench check --deep passes an image on the CPU"]
        reads_values = True
    if values and (reads_values or by_value):
        net = build(variant, offline=True)
        count = net.fixed_batch if isinstance(net, FixedBatch) and net.fixed_batch else 1
        output = _passed(net, entry, "cpu", count)
        if task is not None:
            task.check_output(output, [variant.input] * count)
    return []


def _passed(net: nn.Module, entry: Entry, device: str, count: int = 1) -> Any:
    """The network's output for images of the entry's input; on the meta device of a detector only its parts are run.

    Raises EntryError that names the operator and module that failed; ValuesNeeded if it reads values on meta.
    """
    import torch

    from hrbench.cost.operations.count import MASKS, PROPOSALS, image
    from hrbench.cost.operations.recorder import Recorder

    recorder, detector = Recorder(), entry.variant.task == "detection"
    with ExitStack() as stack:
        stack.enter_context(recorder.following(net))
        stack.enter_context(torch.inference_mode())
        stack.enter_context(torch.device(device))
        images = image((count, 3, *entry.variant.input), device, net)
        stack.enter_context(recorder)
        try:
            if detector and device == "meta" and isinstance(net, CountedByPart):
                return net.count_parts(images, proposals=PROPOSALS, masks=MASKS)
            return net(list(images) if detector else images)
        except HrbenchError:
            raise
        except Exception as error:
            height, width = entry.variant.input
            raise recorder.failure(error, device, f"{DOING} of {height}x{width}") from error


# --- weights --------------------------------------------------------------------------------------------------------


def _weights_notes(net: nn.Module, entry: Entry, settings: Settings) -> list[str]:
    """Notes that loading the entry's weights would give. Raises InputError if they do not fit."""
    from hrbench.models.weights.load import check_fit

    unused = entry.weights == "none" or (entry.dataset is None and entry.weights is None) or entry.predictions
    found = None if unused else weights_of(entry.variant, entry.weights, settings.weights, False, **part_of(entry))
    if found is None or isinstance(found, Missing) or found.source in (OWN_WEIGHTS, *SOURCES_WITH_WEIGHTS):
        return []
    return [
        *map(
            str, check_fit(net, found.path, source=found.source, use=entry.variant.use, key=found.key, drop=found.drop)
        )
    ]
