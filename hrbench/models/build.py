"""A catalog row, or a network written in a suite, to a torch module: entry points, user-defined code, other sources."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench import catalog
from hrbench.core.nested_args import faults, is_network, merge_defaults
from hrbench.core.plugins import OFFERED, model_ref, resolve
from hrbench.core.remote.mirror import local_folder
from hrbench.core.text import suggestion
from hrbench.errors import EntryError, HrbenchError, MissingError, UsageError
from hrbench.models.weights.sources import OWN_WEIGHTS, SINGLE_FILE_SOURCES, WeightsFile, find_weights
from hrbench.types import Missing, Remark, Variant

if TYPE_CHECKING:
    from torch import nn

SOURCES_WITH_WEIGHTS = (*SINGLE_FILE_SOURCES, "transformers")
"""Sources whose networks come with their weights, which `build_loaded` reads."""


def build(
    model: str | Variant,
    weights: str | Path | Mapping[str, str] | None = None,
    folder: str | Path | None = None,
    *,
    task: str = "",
    input: tuple[int, int] | None = None,
    offline: bool = False,
    **overrides: Any,
) -> nn.Module:
    """The network of a catalog row or variant, in eval mode, with the official keys; or what a suite's `use` names.

    An argument that is a mapping with `use` is built first, so a detector gets its backbone as a module. It is merged
    into the row's backbone: `backbone={"args": {"variant": "96"}}` changes nothing else of it.

    model: a name of the catalog, "SOURCE:NAME" such as "timm:hrnet_w18", or "package.module:callable".
    weights: None for random ones; a file, or one of the row's sources ("official"). A file is read through the key maps
        of the network (`models.weights.load`), and every key must fit. {"file": ..., "key": "model_ema"} chooses a
        part of a training checkpoint.
    folder: where the files of sources lie; HRBENCH_WEIGHTS or weights/ if None.
    task: passed to a source instead of the row's task.
    input: (height, width), passed to a source instead of the row's input.
    offline: whether a source must find what it needs on this disk.
    overrides: replace arguments of the row; all arguments if there is no row.

    Raises UsageError for an unknown name, argument or source, and for a row whose network no source describes;
    MissingError for weights that are not there, InputError for weights that do not fit, are damaged or refused.
    """
    if isinstance(model, str):
        model = _named(model)
    model = with_arguments(replace(model, task=task or model.task, input=input or model.input), overrides)
    found = None if weights is None else _requested_weights(model, weights, folder)
    net = _built(model, model.args, weights=False, offline=offline)
    if found is not None:
        load_into(net, model, found)
    return net


def _named(name: str) -> Variant:
    """The row of that name, or for a name with "use" syntax a variant without an input, (0, 0)."""
    rows = catalog.variants()
    if name in rows:
        return rows[name]
    ref = model_ref(name)
    if ref.kind != "entry_point":
        return Variant(ref.short_name, name, "", (0, 0))
    raise UsageError(unknown(name))


def unknown(name: str) -> str:
    """The error message for a name that neither the catalog nor a source nor a module has."""
    ending = Path(name).suffix
    source = {".onnx": "onnx", ".pt2": "exported"}.get(ending.lower())
    if source is not None:
        return f"there is no model {name!r}: a network in a file is named by its source, {source}:{name}"
    return f"there is no model {name!r}: {suggestion(name, catalog.variants())}"


def with_arguments(variant: Variant, args: Mapping[str, Any]) -> Variant:
    """A variant with some arguments replaced or merged. Raises UsageError for an argument of the wrong form."""
    _check_form(variant.name, args, variant.args)
    return replace(variant, args=merge_defaults(variant.args, args))


def _check_form(name: str, args: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> None:
    """Raises UsageError if a network among the arguments is not written as one."""
    for _, message in faults(args, base):
        raise UsageError(f"{name}: {message}")


def _requested_weights(
    model: Variant, weights: str | Path | Mapping[str, str], folder: str | Path | None
) -> WeightsFile:
    """The file of weights that `build` was asked for."""
    if isinstance(weights, Mapping):
        if not {"file"} <= weights.keys() <= {"file", "key", "drop"}:
            raise UsageError(f"weights are a file, or a mapping of file, key and drop, not of {', '.join(weights)}")
        part = {name: weights[name] for name in ("key", "drop") if name in weights}
        return replace(_requested_weights(model, weights["file"], folder), **part)
    text = weights if isinstance(weights, str) else str(weights.absolute())
    if isinstance(weights, str) and text not in model.weights and not any(mark in text for mark in "./\\~"):
        hint = suggestion(text, model.weights)
        raise UsageError(f"{model.name} has no weights source {text!r}; {hint} (a file is written with its ending)")
    found = find_weights(model, text, local_folder(folder or os.environ.get("HRBENCH_WEIGHTS") or "weights"))
    if isinstance(found, Missing):
        raise MissingError(str(found))
    return found


def load_into(net: nn.Module, variant: Variant, found: WeightsFile) -> tuple[Remark, ...]:
    """Loads a variant's weights into its network, strictly; returns notes for readers of the results.

    Raises InputError for weights that do not fit, are damaged or refused; then nothing was loaded.
    """
    from hrbench.models.weights.load import load

    return load(net, found.path, source=found.source, use=variant.use, key=found.key, drop=found.drop).notes


def build_with_weights(variant: Variant, found: WeightsFile, offline: bool = False) -> tuple[nn.Module, list[Remark]]:
    """The network of a variant with the weights that were found, and notes from loading them.

    offline: whether a source must find what it needs on this disk. Raises what `build` and `load_into` raise.
    """
    if found.source == OWN_WEIGHTS:
        return build(variant, offline=offline), []
    if found.source in SOURCES_WITH_WEIGHTS:
        return build_loaded(variant, offline), []
    net = build(variant, offline=offline)
    return net, list(load_into(net, variant, found))


def build_loaded(variant: Variant, offline: bool = False) -> nn.Module:
    """The network of a source that keeps weights with its networks (`SOURCES_WITH_WEIGHTS`), with these weights."""
    return _built(variant, variant.args, weights=True, offline=offline)


@dataclass(frozen=True, slots=True)
class _BuildContext:
    """What a source gets besides the arguments of the network."""

    task: str
    input: tuple[int, int] | None
    weights: bool
    offline: bool


def _built(model: Variant, args: Mapping[str, Any], weights: bool, offline: bool) -> nn.Module:
    if model.absent:
        raise UsageError(f"{model.name} cannot be built: {model.absent}")
    _check_form(model.name, args)
    size = model.input if any(model.input) else None
    net = _call_builder(model.name, model.use, args, _BuildContext(model.task, size, weights, offline))
    from torch import nn

    if not isinstance(net, nn.Module):
        raise EntryError(f"{model.name}: {model.use} returned a {type(net).__name__}; it should return a torch module")
    return net.eval()


def _call_builder(name: str, use: str, args: Mapping[str, Any], about: _BuildContext) -> Any:
    """What `use` returns for these arguments, those that are networks themselves built before it."""
    within = _BuildContext("backbone", about.input, False, about.offline)
    given = {
        key: _call_builder(name, value["use"], value.get("args", {}), within) if is_network(value) else value
        for key, value in args.items()
    }
    make = resolve("hrbench.models", use)
    if model_ref(use).source:
        taken = inspect.signature(make).parameters
        given = {**{key: getattr(about, key) for key in OFFERED if key in taken}, **given}
    try:
        return make(**given)
    except HrbenchError:
        raise
    except TypeError as error:
        raise UsageError(f"{name}: {use} cannot be called so: {error}") from None
    except (Exception, SystemExit) as error:  # a network's own code must not end the whole run
        raise EntryError(f"{name}: building {use} failed: {type(error).__name__}: {error}") from error
