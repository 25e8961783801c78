"""Checks a plug-in against its contract: missing members, and members that are most likely misspelt.

An optional member under a wrong name would be silently absent, so a name that resembles one is reported.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator
from functools import cache
from typing import Any

from hrbench.contracts import OPTIONAL, REQUIRED, members
from hrbench.errors import EntryError

MIN_SIMILARITY = 0.8
"""From which ratio on (difflib) two names count as alike: "schema" and "scheme" do, "names" and "notes" do not."""


def check_contract(group: str, name: str, plugin: Any) -> list[str]:
    """Sentences on members of a plug-in that are most likely mistakes; [] for every built-in one.

    group: of entry points, "hrbench.datasets".
    name: of the plug-in as it was requested, for the messages.
    plugin: the object.
    Raises EntryError if it lacks a member of its contract.
    """
    required = members(REQUIRED[group]) if group in REQUIRED else ()
    optional = {member: kind for kind in OPTIONAL.get(group, ()) for member in members(kind)}
    present = {member for member in (*required, *optional) if _has(plugin, member)}
    near = {member: own for own, member in _near(plugin, (*required, *optional)) if member not in present}
    absent = [member for member in required if member not in present]
    if absent:
        texts = [f"{member} (is {near[member]} meant?)" if member in near else member for member in absent]
        raise EntryError(f"{name} lacks {', '.join(texts)}: see contracts.{REQUIRED[group].__name__}")
    notes = [
        f"{name} has {own}, which hrbench does not use: is {member} meant (contracts.{optional[member].__name__})? "
        f"If not, call it _{own}"
        for member, own in near.items()
    ]
    return [*notes, *_incomplete_capabilities(group, name, present, near)]


def _incomplete_capabilities(group: str, name: str, present: set[str], near: dict[str, str]) -> Iterator[str]:
    """Capabilities of which a plug-in has some members and not all; such a capability is not used."""
    for kind in OPTIONAL.get(group, ()):
        absent = [member for member in members(kind) if member not in present]
        own = [member for member in members(kind) if member in present and not _shared(group, kind, member)]
        if absent and own and not near.keys() & set(absent):
            has, lacks = ", ".join(own), ", ".join(absent)
            yield f"{name} has {has} and not {lacks}, so {has} is not used: see contracts.{kind.__name__}"


def _shared(group: str, kind: type, member: str) -> bool:
    """Whether a member belongs to another capability too, and so says nothing of this one."""
    return any(member in members(other) for other in OPTIONAL[group] if other is not kind)


def _has(plugin: Any, member: str) -> bool:
    """Whether there is such a member; properties are not evaluated, since they might read files."""
    if inspect.getattr_static(plugin, member, None) is not None:
        return True
    return hasattr(type(plugin), "__getattr__") and hasattr(plugin, member)


def _near(plugin: Any, known: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each public member of a plug-in that is not known by its name, with the known one that it resembles most."""
    for own in sorted(_public(plugin) - set(known)):
        if best := _most_like(own, known):
            yield own, best


@cache  # a suite of many entries asks for the same names again and again
def _most_like(own: str, known: tuple[str, ...]) -> str:
    """Which of the known names a name resembles; "" for none."""
    alike = {member: difflib.SequenceMatcher(None, _plain(own), _plain(member)).ratio() for member in known}
    best = max(alike, key=lambda member: alike[member], default="")
    return best if best and alike[best] >= MIN_SIMILARITY else ""


def _public(plugin: Any) -> set[str]:
    """Names of the members that the plug-in's own code gives it, those of its class and its bases included."""
    kinds = [kind for kind in type(plugin).__mro__ if kind.__module__.partition(".")[0] not in ("builtins", "torch")]
    names = {name for kind in kinds for name in vars(kind)} | set(getattr(plugin, "__dict__", {}))
    return {name for name in names if not name.startswith("_")}


def _plain(name: str) -> str:
    """A name without what people write in several ways: `takesScales` and `takes_scales` are one."""
    return name.replace("_", "").lower()
