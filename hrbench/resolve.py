"""A name or "package.module:attribute" -> the object behind it.

Names are entry points: strings in a distribution's metadata, imported only when resolved. Built-ins use the same
mechanism as strangers. Groups: "hrbench.models", "hrbench.datasets", "hrbench.tasks", "hrbench.metrics"; a group may
be given without the "hrbench." in front.

    net = resolve("hrbench.models", "pose_hrnet")(width=32)
    net = resolve("hrbench.models", "ourpkg.nets:pose")()

A model may also be named by a source, an entry point of "hrbench.sources": "timm:hrnet_w18" is what timm calls
hrnet_w18, not an attribute of the module timm. A source is called as `source(name, task=..., input=..., weights=...,
**args)` and takes of the three keywords those it has a use for: the task whose networks' outputs it should give, the
input (height, width), and whether weights that lie with the network are to be read (otherwise they are drawn).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cache, partial, reduce
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any

from hrbench import names as lookup
from hrbench.names import is_reference, module_file, source_of, sources, suggestion
from hrbench.types import EntryError, MissingError, UsageError

__all__ = ["arguments", "exists", "libraries", "names", "resolve", "suggestion"]

# Source -> the modules it needs and the distributions that may bring them; the extra is called like the source.
LIBRARIES: dict[str, dict[str, tuple[str, ...]]] = {
    "timm": {"timm": ("timm",)},
    "torchvision": {"torchvision": ("torchvision",)},
    "transformers": {"transformers": ("transformers",)},
    "smp": {"segmentation_models_pytorch": ("segmentation-models-pytorch",)},
    "onnx": {"onnx": ("onnx",), "onnxruntime": ("onnxruntime", "onnxruntime-gpu")},
}
OFFERED = ("task", "input", "weights")
"""What a source is told of the network beside its arguments."""


def names(group: str) -> tuple[str, ...]:
    """All entry-point names of a group, sorted; nothing is imported."""
    return tuple(sorted(_points(_full(group))))


def exists(group: str, name: str) -> bool:
    """Whether `name` is an entry point of the group, "module:attribute" with a module on `sys.path`, or of a source.

    Nothing is imported, so a module that fails to import, or lacks the attribute, is found out by `resolve`; and
    whether a source has what it is asked for, by calling it.
    """
    if _full(group) == "hrbench.models" and source_of(name) is not None:
        return True
    if is_reference(name):
        return module_file(name.partition(":")[0]) is not None
    return name in _points(_full(group))


def arguments(group: str, name: str, folders: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Names of the arguments a callable takes, told from its source, or None; see `hrbench.names.arguments`."""
    if _full(group) == "hrbench.models" and (found := source_of(name)) is not None:
        taken = lookup.arguments(sources()[found[0]], folders)
        return None if taken is None else tuple(key for key in taken[1:] if key not in OFFERED)
    point = _points(_full(group)).get(name)
    reference = name if is_reference(name) else "" if point is None else point.value
    return lookup.arguments(reference, folders) if reference else None


def resolve(group: str, name: str) -> Any:
    """The object behind an entry point or "package.module:attribute"; of a source, its callable bound to the name.

    Raises UsageError where there is no such name, EntryError (one line, with the cause) where it does not import, and
    MissingError where a source's library is not installed.
    """
    group = _full(group)
    if group == "hrbench.models" and (found := source_of(name)) is not None:
        _require(name, found[0])
        return partial(_loaded(sources()[found[0]], f"source {found[0]!r} ({sources()[found[0]]})"), found[1])
    if is_reference(name):
        reference = name
    elif name in _points(group):
        reference = _points(group)[name].value
    else:
        raise UsageError(f"no {_noun(group)} is called {name!r}; {suggestion(name, _points(group))}")
    return _loaded(reference, f"{_noun(group)} {name!r}" + ("" if name == reference else f" ({reference})"))


def libraries(use: str) -> dict[str, str]:
    """Versions of the libraries behind a source, by the name of their module; empty for what is of no source."""
    found = source_of(use)
    known = LIBRARIES.get(found[0], {}) if found is not None else {}
    return {module: told for module, names in known.items() if (told := _version(names))}


def _version(distributions: Sequence[str]) -> str:
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""


def _require(name: str, source: str) -> None:
    """Raises MissingError where a library of a source is not installed; imports nothing."""
    for module in LIBRARIES.get(source, {}):
        if module_file(module) is None or sys.modules.get(module, module) is None:
            what = f"{name} needs {module}, which is not installed"
            extra = "torchvision" if source == "torchvision" else f"'hrbench[{source}]'"
            raise MissingError(f"{what}: pip install {extra}")


def _loaded(reference: str, where: str) -> Any:
    """What "package.module:attribute" names; `where` begins the errors."""
    module, _, attribute = reference.partition(":")
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises while it is imported, as scripts do
        cause = " ".join(str(error).split())
        raise EntryError(f"{where} cannot be imported: {type(error).__name__}: {cause}") from error
    try:
        return reduce(getattr, attribute.split("."), found)
    except AttributeError as error:
        hint = suggestion(attribute, [key for key in vars(found) if not key.startswith("_")])
        raise EntryError(f"{where}: module {module} has no {attribute!r}; {hint}") from error


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _full(group: str) -> str:
    return group if "." in group else f"hrbench.{group}"


def _noun(group: str) -> str:
    last = group.rpartition(".")[2]
    return {"models": "model", "datasets": "data set", "tasks": "task", "metrics": "metric"}.get(last, last)
