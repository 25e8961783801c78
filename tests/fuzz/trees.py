"""Mutants of structured files: trees of JSON or YAML with one to three edits, by a writer that writes anything.

A tree is what `json.loads` gives, except that mappings are lists of pairs, so that a key may stand there twice.
"""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

DEPTHS = (3, 60, 250, 1200, 100_000)
NUMBERS = (
    0, 1, -1, 2, 255, 256, 65536, 2**31, 2**31 - 1, -(2**31), 2**53 + 1, 2**63, 2**63 - 1, -(2**63), 2**64, 10**30,
    0.5, -0.0, 1e-320, 1e9, 1.0000001e9, -1e9, 1e19, 1e154, 1e308, -1e308,
)  # fmt: skip
TEXTS = (
    "", " ", "0", "1", "NaN", "inf", "1e3", "true", "null", "../../etc/x", "/dev/zero", "/", ".", "..", "a\u0000b",
    "\ud800", "\u202e", "x" * 5000, "é" * 300, "a/" * 2000, "%s{0}$(x)", "\n", "person", "a: b", "- a", "<b>&amp;",
)  # fmt: skip


class Raw(str):
    """Text that is written as it is, whatever it is."""


class Pairs(list[tuple[str, Any]]):
    """A mapping whose keys may repeat."""


JSON_WORDS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e999", "00", "+1", ".5", "1.", "0x10", "1" * 5000, "'a'", "")
YAML_WORDS = (
    *JSON_WORDS, ".nan", ".inf", "-.Inf", "2024-13-45", "2001-02-30", "2024-02-30T25:61:00Z", "12:30:45", "0o777",
    "1_000", "yes", "~", "!!binary x", "!!timestamp 2001-99-99", "!!python/name:os.system", "!a b", "&a [*a]", "*b",
    "&a {a: *a}", "!!float x", "!!int 9.5", "!!set {a, b}", "? a", "<<", "{<<: {a: 1}}", "\t", "%", "@", "`",
    "!!null x", "!!str 1", "!!bool 3", "!!int 0b12", "!!int ''", "!!float ''", "1__", "0x_", "-", "1e", "1e400", "-0x1",
)  # fmt: skip


def tree(value: Any) -> Any:
    """A plain value as a tree."""
    if isinstance(value, dict):
        return Pairs((key, tree(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [tree(item) for item in value]
    return value


def written(value: Any) -> str:
    """A tree as JSON, which is YAML as well."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {written(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


def mutant(value: Any, random: Random, words: tuple[str, ...]) -> str:
    """A tree, changed in one to three places, as text. words: of the format, that stand for a value as they are."""
    value = _copy(value)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value = _edited(value, random, words)
    return written(value)


def _copy(value: Any) -> Any:
    if isinstance(value, Pairs):
        return Pairs((key, _copy(item)) for key, item in value)
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _places(value: Any) -> list[tuple[Any, int]]:
    """Every place of a tree: (the collection, the position in it)."""
    found, open_ = [], [value]
    while open_:
        here = open_.pop()
        if not isinstance(here, list):
            continue
        for number, item in enumerate(here):
            found.append((here, number))
            open_.append(item[1] if isinstance(here, Pairs) else item)
    return found


def _edited(value: Any, random: Random, words: tuple[str, ...]) -> Any:
    places = _places(value)
    if not places or random.random() < 0.03:
        return _instead(value, random, words)
    parent, number = random.choice(places)
    # numbers in long lists are most of a file: half of the edits go to something with a name
    if not isinstance(parent, Pairs) and random.random() < 0.5:
        parent, number = random.choice([place for place in places if isinstance(place[0], Pairs)] or places)
    kind = random.random()
    if kind < 0.12:
        del parent[number]
    elif kind < 0.2:
        parent.insert(random.randrange(len(parent) + 1), _copied(parent[number], parent))
    elif kind < 0.26 and isinstance(parent, Pairs):  # the key again, with another value
        parent.append((parent[number][0], _instead(parent[number][1], random, words)))
    elif kind < 0.32 and isinstance(parent, Pairs):  # another key
        key = parent[number][0]
        names = [key.upper(), key + "s", key[:-1], "", "id", random.choice(TEXTS), "segmentation", "ignore"]
        parent[number] = (random.choice(names), parent[number][1])
    elif kind < 0.4:
        other = random.randrange(len(parent))
        parent[number], parent[other] = parent[other], parent[number]
    elif kind < 0.47:  # the value of some other place
        there, at = random.choice(places)
        moved = _copy(there[at][1] if isinstance(there, Pairs) else there[at])
        _put(parent, number, moved)
    else:
        held = parent[number][1] if isinstance(parent, Pairs) else parent[number]
        _put(parent, number, _instead(held, random, words))
    return value


def _copied(item: Any, parent: Any) -> Any:
    return (item[0], _copy(item[1])) if isinstance(parent, Pairs) else _copy(item)


def _put(parent: Any, number: int, value: Any) -> None:
    parent[number] = (parent[number][0], value) if isinstance(parent, Pairs) else value


def _instead(value: Any, random: Random, words: tuple[str, ...]) -> Any:
    """Something else in the place of a value, often like it."""
    kind = random.random()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and kind < 0.45:
        near = (value + 1, value - 1, -value, value * 2, value * 1000, value * 2**40, float(value), str(value), [value])
        nearer = (value + 0.5, value / 3, round(value), Raw(f"{value}e3"), bool(value), value + 1e-9)
        chosen = random.choice((*near, *nearer))
        return chosen if not isinstance(chosen, float) or math.isfinite(chosen) else Raw("1e400")
    if isinstance(value, str) and kind < 0.3:
        near = (
            value[:-1],
            value + value,
            value.upper(),
            value + "\u0000",
            value[::-1],
            [value],
            value + " ",
            value[1:],
        )
        return random.choice(near)
    if isinstance(value, list) and kind < 0.3:
        return random.choice(([], value[:1], value * 2, value[:-1], [value], Pairs(), None))
    if kind < 0.55:
        return random.choice(NUMBERS)
    if kind < 0.7:
        return random.choice(TEXTS)
    if kind < 0.82:
        return Raw(random.choice(words))
    if kind < 0.86:
        deep = random.choice(DEPTHS)
        opened, closed = random.choice((("[", "]"), ('{"a": ', "}")))
        return Raw(opened * deep + "1" + closed * deep)
    return random.choice(
        (None, True, False, [], Pairs(), [None], [[]], Pairs([("id", 1)]), [1, "a"], Pairs([("", [])]))
    )
