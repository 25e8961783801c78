"""Calls into the compiled helper: the arrays are checked before anything reaches C.

    scaled = NativeCall("hrb_scaled", In(np.int64), int, Out(np.int64))
    total = scaled(values, 3, out)

Each array becomes two arguments in C, its address and its length in elements, so that C can check its bounds. The
lock of Python's interpreter is free during a call.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrbench.core.native.loader import library

BOUNDS, MEMORY, NOT_MINE = -1, -2, -3
"""What C returns, as hrbench_native.h has it."""


@dataclass(frozen=True, slots=True)
class In:
    """An array that is read. dtype: what its elements must be."""

    dtype: type


@dataclass(frozen=True, slots=True)
class Out:
    """An array that is written. dtype: what its elements must be."""

    dtype: type


Kind = In | Out | type


class NativeCall:
    """A function of the helper with its signature: `In`, `Out`, `int` (64 bits) or `float` for each argument.

    Calling it gives what C returns: a number that is zero or more, or NOT_MINE if the general code has to look. Raises
    TypeError or ValueError for arguments that do not fit the signature, IndexError if C finds lengths or row numbers
    that do not fit one another, MemoryError; RuntimeError if there is no library.
    """

    def __init__(self, name: str, *kinds: Kind) -> None:
        self.name, self.kinds = name, kinds
        self.types: list[Any] = []
        for kind in kinds:
            if isinstance(kind, (In, Out)):
                self.types += [ctypes.c_void_p, ctypes.c_int64]
            else:
                self.types.append({int: ctypes.c_int64, float: ctypes.c_double}[kind])

    def __call__(self, *arguments: Any) -> int:
        if len(arguments) != len(self.kinds):
            raise TypeError(f"{self.name} takes {len(self.kinds)} arguments, not {len(arguments)}")
        given: list[Any] = []
        for number, (kind, argument) in enumerate(zip(self.kinds, arguments, strict=True)):
            if isinstance(kind, (In, Out)):
                self._check(number, kind, argument)
                given += [argument.ctypes.data, argument.size]
            else:
                given.append(self._number(number, kind, argument))
        loaded = library()
        if loaded is None:
            raise RuntimeError(f"{self.name} was called without the compiled helper")
        function = getattr(loaded, self.name)
        function.argtypes, function.restype = self.types, ctypes.c_int64
        result = function(*given)
        if result == BOUNDS:
            raise IndexError(f"{self.name} was given arrays that do not fit one another")
        if result == MEMORY:
            raise MemoryError(f"{self.name} found no memory")
        return result

    def _number(self, number: int, kind: type, argument: Any) -> int | float:
        value = kind(argument)
        if kind is int and not -(2**63) <= value < 2**63:
            raise ValueError(f"{self.name}: argument {number} is beyond 64 bits")
        return value

    def _check(self, number: int, kind: In | Out, argument: Any) -> None:
        if not isinstance(argument, np.ndarray) or argument.dtype != np.dtype(kind.dtype):
            what = argument.dtype if isinstance(argument, np.ndarray) else type(argument).__name__
            raise TypeError(f"{self.name}: argument {number} is {what}, not an array of {np.dtype(kind.dtype)}")
        flags = argument.flags
        if not (flags.c_contiguous and flags.aligned) or (isinstance(kind, Out) and not flags.writeable):
            raise ValueError(f"{self.name}: argument {number} must be aligned and contiguous, and writable if written")
