"""Names of plug-ins and references "package.module:attribute": whether they exist, and what they refer to."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial, reduce
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any

from hrbench.core import modules
from hrbench.core.modules import module_file
from hrbench.core.nested_args import is_network
from hrbench.core.text import suggestion
from hrbench.errors import EntryError, MissingError, UsageError
from hrbench.types import ModelRef

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


# Sources whose networks are files; for other sources, a name that begins like a path is one.
FILE_SOURCES = ("onnx", "exported")


@cache
def sources() -> dict[str, str]:
    """Source of networks -> its callable as "module:attribute": the entry points of hrbench.sources. Imports nothing.

    A source has priority over a module of the same name.
    """
    return {point.name: point.value for point in entry_points(group="hrbench.sources")}


def model_ref(use: str) -> ModelRef:
    """Parses the text of `use`, each text once.

    use: a name, "SOURCE:NAME", or "package.module:attribute". Any other text counts as the name of an entry point,
        which will not be found. Metrics and data sets are named in the same way, but have no sources.

    >>> model_ref("timm:hrnet_w18").source, model_ref("ourpkg.nets:pose").kind, model_ref("pose_hrnet").kind
    ('timm', 'reference', 'entry_point')
    >>> model_ref("onnx:nets/pose.onnx").path, model_ref("transformers:usyd-community/vitpose-base").path
    ('nets/pose.onnx', None)
    """
    return _parsed(use, use.partition(":")[0] in sources())


@cache
def _parsed(use: str, of_source: bool) -> ModelRef:
    """of_source: whether the text before the first colon is the name of a source, which has priority over a module."""
    source, colon, target = use.partition(":")
    if colon and target and of_source:
        is_path = source in FILE_SOURCES or target.startswith(("./", "../", "/", "~"))
        return ModelRef("source", target, source, target if is_path else None)
    return ModelRef("reference" if _REFERENCE.fullmatch(use) else "entry_point", use)


def networks(use: str, args: Mapping[str, Any]) -> Iterator[ModelRef]:
    """What builds a network, and what builds the networks among its arguments, at any depth.

    >>> [str(ref) for ref in networks("mask_rcnn", {"backbone": {"use": "timm:hrnet_w18"}, "classes": 80})]
    ['mask_rcnn', 'timm:hrnet_w18']
    """
    yield model_ref(use)
    for value in args.values():
        if is_network(value):
            yield from networks(str(value["use"]), value.get("args") or {})


# Source -> the modules it needs and the packages that may contain them; the extra has the name of the source.
LIBRARIES: dict[str, dict[str, tuple[str, ...]]] = {
    "timm": {"timm": ("timm",)},
    "torchvision": {"torchvision": ("torchvision",)},
    "transformers": {"transformers": ("transformers",)},
    "smp": {"segmentation_models_pytorch": ("segmentation-models-pytorch",)},
    "onnx": {"onnx": ("onnx",), "onnxruntime": ("onnxruntime", "onnxruntime-gpu")},
}
OFFERED = ("task", "input", "weights", "offline")
"""Facts about the network that a source may take in addition to its arguments."""


def names(group: str) -> tuple[str, ...]:
    """All entry-point names of a group, sorted; nothing is imported."""
    return tuple(sorted(_points(_full(group))))


def exists(group: str, name: str) -> bool:
    """Whether `name` is an entry point of the group, "module:attribute" with a module on `sys.path`, or of a source.

    Nothing is imported: only `resolve` finds out whether a module can be imported and has the attribute, and only a
    call of a source whether it has such a network.
    """
    ref = model_ref(name)
    if _full(group) == "hrbench.models" and ref.source:
        return True
    if ref.module:
        return module_file(ref.module) is not None
    return name in _points(_full(group))


def built_in_module(group: str, name: str) -> str:
    """The module of hrbench that an entry point refers to; "" for third-party ones. Imports nothing.

    >>> built_in_module("models", "pose_hrnet"), built_in_module("models", "ourpkg.nets:pose")
    ('hrbench.models.hrnet', '')
    """
    point = _points(_full(group)).get(name)
    module = "" if point is None else point.value.partition(":")[0]
    return module if module.partition(".")[0] == "hrbench" else ""


def arguments(group: str, name: str, folders: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Names of the arguments a callable takes, read from its source, or None; see `hrbench.core.modules.arguments`."""
    ref = model_ref(name)
    if _full(group) == "hrbench.models" and ref.source:
        taken = modules.arguments(sources()[ref.source], folders)
        return None if taken is None else tuple(key for key in taken[1:] if key not in OFFERED)
    point = _points(_full(group)).get(name)
    reference = name if ref.kind == "reference" else "" if point is None else point.value
    return modules.arguments(reference, folders) if reference else None


def resolve(group: str, name: str) -> Any:
    """The object that an entry point or "package.module:attribute" refers to; for a source, its callable with the name.

    Raises UsageError if there is no such name, EntryError (one line, with the cause) if it does not import, and
    MissingError if a source's library is not installed.
    """
    group = _full(group)
    ref = model_ref(name)
    if group == "hrbench.models" and ref.source:
        require(name, ref.source)
        builder = sources()[ref.source]
        return partial(_loaded(builder, f"source {ref.source!r} ({builder})"), ref.target)
    if ref.kind == "reference":
        reference = name
    elif name in _points(group):
        reference = _points(group)[name].value
    else:
        raise UsageError(f"no {_noun(group)} is called {name!r}; {suggestion(name, _points(group))}")
    return _loaded(reference, f"{_noun(group)} {name!r}" + ("" if name == reference else f" ({reference})"))


# Runtime -> the modules that it runs networks with, beside torch.
RUNTIME_LIBRARIES: dict[str, dict[str, tuple[str, ...]]] = {
    "onnxruntime": {**LIBRARIES["onnx"], "onnxscript": ("onnxscript",)},
}


def runtime_libraries(name: str) -> dict[str, str]:
    """Versions of the libraries that a runtime uses beside torch, by the name of their module."""
    known = RUNTIME_LIBRARIES.get(name, {})
    return {module: found for module, names in known.items() if (found := _version(names))}


def libraries(use: str) -> dict[str, str]:
    """Versions of the libraries that a source uses, by the name of their module; empty if `use` names no source."""
    known = LIBRARIES.get(model_ref(use).source, {})
    return {module: found for module, names in known.items() if (found := _version(names))}


@cache
def installed_version(name: str) -> str:
    """The version of an installed distribution, looked up once. Raises PackageNotFoundError."""
    return version(name)


def _version(distributions: Sequence[str]) -> str:
    for name in distributions:
        try:
            return installed_version(name)
        except PackageNotFoundError:
            continue
    return ""


def construct(make: Callable[..., Any], name: str, *given: Any, **settings: Any) -> Any:
    """What a callable makes of settings that a user wrote. Raises UsageError that names them if it cannot take them.

    name: of the callable, as the user wrote it.
    given: arguments that the user did not write.

    A text such as "no" is not taken for a truth value, which it would be in Python.
    """
    for key in _switches(make) & settings.keys():
        if not isinstance(settings[key], bool):
            raise UsageError(f"{name}: {key}: true or false was expected, not {settings[key]!r}")
    try:
        return make(*given, **settings)
    except (TypeError, ValueError, AttributeError) as error:
        stated = ", ".join(f"{key}: {value!r}" for key, value in settings.items())[:200]
        cause = " ".join(str(error).split())
        raise UsageError(f"{name} does not take these settings ({stated}): {cause}") from error


def _switches(make: Callable[..., Any]) -> set[str]:
    """The parameters of a callable that are annotated as truth values."""
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):  # of some built-in callables Python cannot tell
        return set()
    return {key for key, one in parameters.items() if one.annotation in (bool, "bool")}


def require(name: str, source: str) -> None:
    """Raises MissingError if a library of a source is not installed; imports nothing."""
    for module in LIBRARIES.get(source, {}):
        if module_file(module) is None or sys.modules.get(module, module) is None:
            what = f"{name} needs {module}, which is not installed"
            extra = "torchvision" if source == "torchvision" else f"'hrbench[{source}]'"
            raise MissingError(f"{what}: pip install {extra}")


def _loaded(reference: str, where: str) -> Any:
    """The object "package.module:attribute"; messages of errors begin with `where`."""
    module, _, attribute = reference.partition(":")
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a third-party module may raise anything on import, as scripts do
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
