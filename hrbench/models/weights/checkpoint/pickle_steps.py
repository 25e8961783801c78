"""Interprets a pickle, step by step, into the values of `values.py`. Nothing is imported, called or unpickled.

    value, end = interpret(data, 0, persistent=lambda told: ...)

The steps are those of Python's `pickletools` (protocols 0 to 5; without the texts of protocol 0 that Python 2 wrote).
Where Python would look up a name there is a `GlobalName`; where it would call one, `rebuild.call` makes a tensor's
description, a plain value or a `StandIn`. So that no pickle takes more memory or time than its file is worth, lengths
are checked against the data and steps are counted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from hrbench.models.weights.checkpoint.rebuild import build, call, named
from hrbench.models.weights.checkpoint.values import BadPickle, GlobalName, StandIn, kind

MOST_STEPS = 10_000_000
"""A checkpoint with an optimiser takes some fifty steps a tensor."""
MOST_KEY_PARTS = 1000
"""Values within a tuple that is a key: hashing more of them, or deeper ones, could take for ever or end the process."""

Data = bytes | memoryview
_MARK = object()


def interpret(data: Data, start: int, persistent: Callable[[Any], Any]) -> tuple[Any, int]:
    """The value of the pickle that begins at `start`, and where it ends.

    data: may hold more after the pickle.
    persistent: makes the value of a persistent id, which is how torch names storages.

    Raises BadPickle.
    """
    steps = _Steps(data, start, persistent)
    try:
        return steps.run(), steps.at
    except BadPickle:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise BadPickle(f"at byte {steps.at}: {type(error).__name__}: {error}") from error


class _Steps:
    """The state of an interpretation: the data and the place in it, the stack, and what was remembered."""

    def __init__(self, data: Data, start: int, persistent: Callable[[Any], Any]) -> None:
        self.data, self.at, self.persistent = data, start, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        data, size, steps = self.data, len(self.data), _STEPS
        for _ in range(MOST_STEPS):
            if self.at >= size:
                raise BadPickle("it ends in the middle")
            code = data[self.at]
            self.at += 1
            if code == _STOP:
                return self.pop()
            step = steps.get(code)
            if step is None:
                raise BadPickle(f"byte {self.at - 1} is no step of a pickle ({code})")
            step(self)
        raise BadPickle(f"it has more than {MOST_STEPS:,} steps")

    # --- reading ---

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.at:
            raise BadPickle(f"byte {self.at} announces {count:,} bytes, and {len(self.data) - self.at:,} are left")
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self, encoding: str = "utf-8") -> str:
        for end in range(self.at, min(len(self.data), self.at + 65_536)):
            if self.data[end] == 10:
                found = self.take(end - self.at)
                self.at += 1
                return found.decode(encoding)
        raise BadPickle(f"the line at byte {self.at} does not end")

    # --- the stack ---

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise BadPickle(f"at byte {self.at}: a mark stands where a value should")
        return value

    def top(self) -> Any:
        if self.stack[-1] is _MARK:
            raise BadPickle(f"at byte {self.at}: a mark stands where a value should")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        stack = self.stack
        for place in range(len(stack) - 1, -1, -1):
            if stack[place] is _MARK:
                found = stack[place + 1 :]
                del stack[place:]
                return found
        raise BadPickle(f"at byte {self.at}: no mark to go back to")

    def pops(self, count: int) -> tuple[Any, ...]:
        found = [self.pop() for _ in range(count)]
        return tuple(reversed(found))

    # --- steps of several values ---

    def text(self, form: str) -> None:
        self.push(self.take(self.number(form)).decode("utf-8", "surrogatepass"))

    def old_text(self, form: str) -> None:
        self.push(_text(self.take(self.number(form))))

    def whole(self) -> None:
        line = self.line()
        self.push({"00": False, "01": True}[line] if line in ("00", "01") else int(line))

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise BadPickle(f"at byte {self.at}: value {place} was not remembered")
        self.push(self.memo[place])

    def append(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, StandIn):
            raise BadPickle(f"at byte {self.at}: a {type(target).__name__} is no list")

    def add(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, set):
            target.update(_key(value) for value in values)
        elif not isinstance(target, StandIn):
            raise BadPickle(f"at byte {self.at}: a {type(target).__name__} is no set")

    def set_items(self, pairs: list[Any]) -> None:
        target = self.top()
        if len(pairs) % 2:
            raise BadPickle(f"at byte {self.at}: a key without a value")
        if isinstance(target, dict):
            for place in range(0, len(pairs), 2):
                target[_key(pairs[place])] = pairs[place + 1]
        elif not isinstance(target, StandIn):
            raise BadPickle(f"at byte {self.at}: a {type(target).__name__} is no mapping")

    def reduce(self) -> None:
        target, args = self.pops(2)
        self.push(call(target, args))

    def made_with_keywords(self) -> None:
        target, args, keywords = self.pops(3)
        self.push(StandIn(kind(target)) if keywords else call(target, args))

    def instance(self) -> None:
        name = named(self.line(), self.line())
        self.push(call(name, tuple(self.since_mark())))

    def object(self) -> None:
        target, *args = self.since_mark()
        self.push(call(target, tuple(args)))

    def named_on_stack(self) -> None:
        module, name = self.pops(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise BadPickle(f"at byte {self.at}: a name that is no text")
        self.push(named(module, name))

    def set_state(self) -> None:
        state = self.pop()
        build(self.top(), state)


def _text(found: bytes) -> str:
    """A text of Python 2, whose encoding is unknown."""
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        return found.decode("latin-1")


def _key(value: Any) -> Any:
    """A value as a key, if hashing it is safe: a scalar, a stand-in, or a small tuple of such."""
    seen, todo = 0, [value]
    while todo:
        one = todo.pop()
        seen += 1
        if isinstance(one, (tuple, frozenset)):
            todo += one
        elif isinstance(one, (list, dict, set, bytearray)):
            raise BadPickle(f"a {type(one).__name__} is a key")
        if seen > MOST_KEY_PARTS:
            raise BadPickle(f"a key has more than {MOST_KEY_PARTS:,} parts")
    return value


def _remember(steps: _Steps, place: int) -> None:
    steps.memo[place] = steps.top()


def _dict(pairs: list[Any]) -> dict[Any, Any]:
    if len(pairs) % 2:
        raise BadPickle("a key without a value")
    return {_key(pairs[place]): pairs[place + 1] for place in range(0, len(pairs), 2)}


def _long(found: bytes) -> int:
    return int.from_bytes(found, "little", signed=True)


def _no_buffer(steps: _Steps) -> None:
    raise BadPickle(f"at byte {steps.at}: it needs buffers from outside the file")


_STOP = ord(".")
_STEPS: dict[int, Callable[[_Steps], Any]] = {
    # marks, and what removes values
    ord("("): lambda s: s.push(_MARK),
    ord("0"): lambda s: s.stack.pop(),
    ord("1"): lambda s: s.since_mark(),
    ord("2"): lambda s: s.push(s.top()),
    # what is remembered
    ord("p"): lambda s: _remember(s, int(s.line())),
    ord("q"): lambda s: _remember(s, s.number("<B")),
    ord("r"): lambda s: _remember(s, s.number("<I")),
    0x94: lambda s: _remember(s, len(s.memo)),
    ord("g"): lambda s: s.recall(int(s.line())),
    ord("h"): lambda s: s.recall(s.number("<B")),
    ord("j"): lambda s: s.recall(s.number("<I")),
    # constants and numbers
    ord("N"): lambda s: s.push(None),
    0x88: lambda s: s.push(True),
    0x89: lambda s: s.push(False),
    ord("I"): lambda s: s.whole(),
    ord("L"): lambda s: s.push(int(s.line().removesuffix("L"))),
    ord("J"): lambda s: s.push(s.number("<i")),
    ord("K"): lambda s: s.push(s.number("<B")),
    ord("M"): lambda s: s.push(s.number("<H")),
    0x8A: lambda s: s.push(_long(s.take(s.number("<B")))),
    0x8B: lambda s: s.push(_long(s.take(s.number("<i")))),
    ord("F"): lambda s: s.push(float(s.line())),
    ord("G"): lambda s: s.push(s.number(">d")),
    # texts and bytes
    ord("T"): lambda s: s.old_text("<i"),
    ord("U"): lambda s: s.old_text("<B"),
    ord("V"): lambda s: s.push(s.line("raw-unicode-escape")),
    ord("X"): lambda s: s.text("<I"),
    0x8C: lambda s: s.text("<B"),
    0x8D: lambda s: s.text("<Q"),
    ord("B"): lambda s: s.push(s.take(s.number("<I"))),
    ord("C"): lambda s: s.push(s.take(s.number("<B"))),
    0x8E: lambda s: s.push(s.take(s.number("<Q"))),
    0x96: lambda s: s.push(bytearray(s.take(s.number("<Q")))),
    0x97: _no_buffer,
    0x98: lambda s: None,
    # collections
    ord(")"): lambda s: s.push(()),
    0x85: lambda s: s.push(s.pops(1)),
    0x86: lambda s: s.push(s.pops(2)),
    0x87: lambda s: s.push(s.pops(3)),
    ord("t"): lambda s: s.push(tuple(s.since_mark())),
    ord("]"): lambda s: s.push([]),
    ord("l"): lambda s: s.push(s.since_mark()),
    ord("a"): lambda s: s.append(list(s.pops(1))),
    ord("e"): lambda s: s.append(s.since_mark()),
    ord("}"): lambda s: s.push({}),
    ord("d"): lambda s: s.push(_dict(s.since_mark())),
    ord("s"): lambda s: s.set_items(list(s.pops(2))),
    ord("u"): lambda s: s.set_items(s.since_mark()),
    0x8F: lambda s: s.push(set()),
    0x90: lambda s: s.add(s.since_mark()),
    0x91: lambda s: s.push(frozenset(_key(value) for value in s.since_mark())),
    # names, calls and states
    ord("c"): lambda s: s.push(named(s.line(), s.line())),
    0x93: lambda s: s.named_on_stack(),
    ord("R"): lambda s: s.reduce(),
    0x81: lambda s: s.reduce(),
    0x92: lambda s: s.made_with_keywords(),
    ord("i"): lambda s: s.instance(),
    ord("o"): lambda s: s.object(),
    ord("b"): lambda s: s.set_state(),
    0x82: lambda s: s.push(GlobalName(f"copyreg extension {s.number('<B')}")),
    0x83: lambda s: s.push(GlobalName(f"copyreg extension {s.number('<H')}")),
    0x84: lambda s: s.push(GlobalName(f"copyreg extension {s.number('<i')}")),
    ord("P"): lambda s: s.push(s.persistent(s.line())),
    ord("Q"): lambda s: s.push(s.persistent(s.pop())),
    # how the pickle is written
    0x80: lambda s: s.number("<B"),
    0x95: lambda s: s.number("<Q"),
}
"""Code of a step -> what it does (`pickletools` has their names)."""
