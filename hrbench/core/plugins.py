"""Names a person types: the nearest known one, and what lies behind a reference, without importing it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Sequence
from functools import cache, partial, reduce
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from hrbench.core import modules
from hrbench.core.modules import module_file
from hrbench.core.text import suggestion
from hrbench.errors import EntryError, MissingError, UsageError

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def is_reference(name: str) -> bool:
    """Whether `name` has the form "package.module:attribute" and what stands before the colon is no source.

    >>> is_reference("ourpkg.nets:pose"), is_reference("pose_hrnet"), is_reference("timm:hrnet_w18")
    (True, False, False)
    """
    return _REFERENCE.fullmatch(name) is not None and source_of(name) is None


# Sources whose networks are files; of other sources a name that begins like a path is one.
FILE_SOURCES = ("onnx", "exported")


@cache
def sources() -> dict[str, str]:
    """Source of networks -> its callable as "module:attribute": the entry points of hrbench.sources. Imports nothing.

    A source goes before a module of the same name.
    """
    return {point.name: point.value for point in entry_points(group="hrbench.sources")}


def source_of(use: str) -> tuple[str, str] | None:
    """A source and what it is asked for, None where what stands before the colon is no source.

    >>> source_of("timm:hrnet_w18"), source_of("ourpkg.nets:pose")
    (('timm', 'hrnet_w18'), None)
    """
    source, colon, asked = use.partition(":")
    return (source, asked) if colon and asked and source in sources() else None


def source_path(use: str) -> Path | None:
    """The file or folder that a source is asked for, None where it is asked for a name.

    >>> source_path("onnx:nets/pose.onnx").as_posix(), source_path("transformers:./vitpose").as_posix()
    ('nets/pose.onnx', 'vitpose')
    >>> source_path("transformers:usyd-community/vitpose-base") is None
    True
    """
    found = source_of(use)
    if found is None:
        return None
    source, asked = found
    return Path(asked) if source in FILE_SOURCES or asked.startswith(("./", "../", "/", "~")) else None


def short_name(use: str) -> str:
    """What a network is called by its `use` alone: the last part of a name, a file's without its ending.

    >>> short_name("ourpkg.nets:pose"), short_name("onnx:nets/pose.onnx"), short_name("transformers:org/vitpose-base")
    ('pose', 'pose', 'vitpose-base')
    """
    path, found = source_path(use), source_of(use)
    if path is not None:
        return path.stem if path.suffix in (".onnx", ".pt2") else path.name
    return found[1].rpartition("/")[2] if found is not None else use.rpartition(":")[2].rpartition(".")[2]


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
    """Names of the arguments a callable takes, told from its source, or None; see `hrbench.core.modules.arguments`."""
    if _full(group) == "hrbench.models" and (found := source_of(name)) is not None:
        taken = modules.arguments(sources()[found[0]], folders)
        return None if taken is None else tuple(key for key in taken[1:] if key not in OFFERED)
    point = _points(_full(group)).get(name)
    reference = name if is_reference(name) else "" if point is None else point.value
    return modules.arguments(reference, folders) if reference else None


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
    return "data set" if last == "datasets" else last.removesuffix("s")
