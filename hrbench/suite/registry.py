"""The names of this installation, for `load_suite`: the catalog and the entry points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from hrbench import catalog
from hrbench.contracts import ChoosesProtocol, OffersProtocols
from hrbench.core import plugins
from hrbench.core.plugins import model_ref
from hrbench.errors import EntryError, MissingError, UsageError
from hrbench.suite.protocols import merge_settings
from hrbench.types import DatasetRow, Known, LibraryInput, Variant


def known(fetch: bool = False) -> Known:
    """Variants, data sets, protocols, metrics. Imports a task only when its protocol is needed.

    Never imports torch, except for a library that is asked how it feeds one of its networks.

    fetch: whether such a library may download a network's configuration.
    """
    return Known(
        variants=catalog.variants(),
        datasets=catalog.datasets(),
        protocols=Protocols(),
        metrics=plugins.names("hrbench.metrics"),
        exists=plugins.exists,
        arguments=plugins.arguments,
        named=named_protocols,
        costs=CostOptions(),
        runtimes=RuntimesTake(),
        library_input=partial(library_input, fetch),
        refused=refused,
    )


def named_protocols(task: str, use: str) -> dict[str, Any]:
    """A task's protocols by name, instances of its dataclass; first the default for a network of this `use`.

    Raises KeyError for an unknown task, EntryError if it does not import or has no protocol.
    """
    kind = Protocols()[task]
    offered = plugins.resolve("hrbench.tasks", task)
    every = offered.protocols if isinstance(offered, OffersProtocols) else (kind(),)
    protocols = {each.name: each for each in every}
    usual = offered.usual(use) if isinstance(offered, ChoosesProtocol) else next(iter(protocols))
    return {usual: protocols[usual], **protocols}


def library_input(
    fetch: bool, use: str, task: str, input: tuple[int, int] | None, args: Mapping[str, Any], weights: str
) -> LibraryInput | None:
    """How the library behind a source feeds its network (`Known.library_input`); None without such a library.

    A source says it by an entry point of hrbench.inputs of its name.
    """
    ref = model_ref(use)
    if ref.source not in plugins.names("hrbench.inputs"):
        return None
    try:
        plugins.require(use, ref.source)
    except MissingError:  # the network cannot be built either, which says what to install
        return None
    ask = plugins.resolve("hrbench.inputs", ref.source)
    return ask(ref.target, task=task, input=input, args=args, weights=weights, fetch=fetch)


def protocol_for(row: DatasetRow, variant: Variant | None = None) -> dict[str, Any]:
    """Every field of the protocol that evaluates a data set unless a suite changes it."""
    named = named_protocols(row.task, "" if variant is None else variant.use)
    preferred = "" if variant is None else variant.protocol.get("name", "")
    return merge_settings(named.get(preferred) or next(iter(named.values())), variant, row)


class Protocols(Mapping[str, type]):
    """Task name -> the frozen dataclass of its protocol, which the task's class names in its attribute `Protocol`.

    Raises KeyError for an unknown task, EntryError if a task does not import or names no such dataclass.
    """

    def __getitem__(self, task: str) -> type:
        if task not in plugins.names("hrbench.tasks"):
            raise KeyError(task)
        protocol = getattr(plugins.resolve("hrbench.tasks", task), "Protocol", None)
        if not isinstance(protocol, type) or not is_dataclass(protocol):
            raise EntryError(f"task {task!r} names no protocol: its attribute `Protocol` must be a frozen dataclass")
        missing = {"name", "version"} - {field.name for field in fields(protocol)}
        if missing:
            raise EntryError(f"the protocol of task {task!r} lacks the field {' and '.join(sorted(missing))}")
        return protocol

    def __iter__(self) -> Iterator[str]:
        return iter(plugins.names("hrbench.tasks"))

    def __len__(self) -> int:
        return len(plugins.names("hrbench.tasks"))


class CostOptions(Mapping[str, type]):
    """Name of a cost probe -> the frozen dataclass of its settings, its attribute `Options`.

    Raises KeyError for an unknown probe, EntryError if it does not import or names no such dataclass.
    """

    def __getitem__(self, name: str) -> type:
        if name not in plugins.names("hrbench.costs"):
            raise KeyError(name)
        options = getattr(plugins.resolve("hrbench.costs", name), "Options", None)
        if not isinstance(options, type) or not is_dataclass(options):
            raise EntryError(f"cost {name!r} names no settings: its attribute `Options` must be a frozen dataclass")
        return options

    def __contains__(self, name: object) -> bool:
        return name in plugins.names("hrbench.costs")

    def __iter__(self) -> Iterator[str]:
        return iter(plugins.names("hrbench.costs"))

    def __len__(self) -> int:
        return len(plugins.names("hrbench.costs"))


class RuntimesTake(Mapping[str, tuple[str, ...]]):
    """Name of a runtime -> the settings that it takes. Raises KeyError for an unknown one, EntryError on import."""

    def __getitem__(self, name: str) -> tuple[str, ...]:
        if name not in plugins.names("hrbench.runtimes"):
            raise KeyError(name)
        return tuple(plugins.resolve("hrbench.runtimes", name).takes)

    def __iter__(self) -> Iterator[str]:
        return iter(plugins.names("hrbench.runtimes"))

    def __len__(self) -> int:
        return len(plugins.names("hrbench.runtimes"))


def refused(name: str, settings: Mapping[str, str]) -> str:
    """Why a runtime does not take these settings of its own ("mode", "provider"); "" if it does."""
    try:
        plugins.resolve("hrbench.runtimes", name)(**settings)
    except UsageError as error:
        return str(error)
    return ""
