"""What one kind of file is fuzzed by: valid files, how each is changed, how it is read, what a mutant may change."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hrbench.core import yaml
from tests.fuzz import damage, trees

Mutator = Callable[[bytes, Random], bytes]


class NonsenseError(Exception):
    """A mutant that was read although it must not be, or that gave a number that is wrong."""


@dataclass(frozen=True)
class Case:
    """One kind of file.

    name: of the case.
    make: writes valid files into an empty folder.
    mutators: glob below the folder -> how such a file is changed; of those that match, one file is changed.
    read: reads a folder as hrbench does and returns plain values; raises HrbenchError, or NonsenseError if what was
        read is wrong by itself (a reference implementation has other numbers).
    rule: (what the valid files gave, what a mutant gave) -> what is wrong about accepting it, "" if nothing is.
    share: how many mutants it gets relative to others.
    """

    name: str
    make: Callable[[Path], None]
    mutators: Mapping[str, Mutator]
    read: Callable[[Path], Any]
    rule: Callable[[Any, Any], str] = lambda before, after: ""
    share: float = 1.0


def changed(case: Case, folder: Path, random: Random) -> Path:
    """Changes one file of a folder in place; returns its path."""
    pattern = random.choice(sorted(case.mutators))
    path = random.choice(sorted(path for path in folder.glob(pattern) if path.is_file()))
    path.write_bytes(case.mutators[pattern](path.read_bytes(), random))
    return path


# --- mutators of texts -----------------------------------------------------------------------------------------------


def as_json(data: bytes, random: Random) -> bytes:
    """JSON with another tree, or other bytes."""
    if random.random() < 0.2:
        return damage.mutant(data, random)
    text = trees.mutant(trees.tree(json.loads(data)), random, trees.JSON_WORDS)
    return text.encode("utf-8", "surrogatepass")


def as_yaml(data: bytes, random: Random) -> bytes:
    """YAML with another tree, or other bytes."""
    if random.random() < 0.3:
        return damage.mutant(data, random)
    plain = yaml.read(data.decode(), "valid", yaml.Problems()).plain()
    return trees.mutant(trees.tree(plain), random, trees.YAML_WORDS).encode("utf-8", "surrogatepass")


# --- rules -----------------------------------------------------------------------------------------------------------


def unchanged(before: Any, after: Any) -> str:
    """For files with digests: what is read is what was written."""
    return "" if _text(before) == _text(after) else f"accepted with another content: {_text(after)[:300]}"


def _text(value: Any) -> str:
    return repr(value)


def finite(where: str, value: Any) -> None:
    """Raises NonsenseError for a number in plain values that is not finite."""
    if isinstance(value, dict):
        for key, item in value.items():
            finite(f"{where}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            finite(where, item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise NonsenseError(f"{where} is {value}")
