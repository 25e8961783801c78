"""What is told of an entry whose preprocessing nothing states: it has the defaults of hrbench."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hrbench.contracts import TellsInput
from hrbench.core.plugins import resolve
from hrbench.types import Entry, Note, Remark

KIND = "default_preprocessing"


def assumed_notes(entry: Entry) -> list[Note]:
    """A note that names the settings with their values, if there are any.

    A network that was trained on images prepared otherwise has lower scores, and nothing else shows it.
    """
    if not entry.assumed or not entry.protocol:
        return []
    model = {name: getattr(entry.variant, name) for name in ("colour", "mean", "std")}
    values = {
        **{f"model.{name}": value for name, value in model.items()},
        **{f"protocol.{name}": value for name, value in entry.protocol.items()},
    }
    said = "; ".join(f"{name.partition('.')[2]} {_text(values[name])}" for name in entry.assumed if name in values)
    protocol = entry.protocol.get("name")
    what = (
        f"nothing states how images are prepared for this network: {_fed_size(entry)} by the defaults of hrbench "
        f"(protocol {protocol}; {said})"
    )
    effect = "a network trained on images prepared otherwise scores lower than it can"
    options = {
        part: ", ".join(f"{name.partition('.')[2]}: ..." for name in entry.assumed if name.startswith(f"{part}."))
        for part in ("model", "protocol")
    }
    option = ", ".join(f"{part}: {{{names}}}" for part, names in options.items() if names)
    return [Note(KIND, what, effect=effect, option=option)]


def _fed_size(entry: Entry) -> str:
    """At which size images go in, as the entry's task says it."""
    task = resolve("hrbench.tasks", entry.variant.task)
    if isinstance(task, TellsInput):
        return f"they go in {task.fed_size(entry.protocol, entry.variant.input)},"
    height, width = entry.variant.input
    return f"to its input of {height}x{width}"


def told_anew(notes: Iterable[Remark], entry: Entry) -> tuple[Remark, ...]:
    """Notes of a stored result with that of the entry as the suite has it now, which may state what it left out."""
    kept = [note for note in notes if not (isinstance(note, Note) and note.kind == KIND)]
    return (*assumed_notes(entry), *kept)


def _text(value: Any) -> str:
    return ", ".join(f"{number:g}" for number in value) if isinstance(value, (list, tuple)) else str(value)
