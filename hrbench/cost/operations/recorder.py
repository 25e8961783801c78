"""Records every operator call of a forward pass through torch's dispatcher, with the module that made it.

In inference mode the dispatcher shows a composite operator before its parts, so calls form trees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from hrbench.cost.operations.calls import IDLE, Call, Shape, aten
from hrbench.cost.operations.shapes import known_output
from hrbench.cost.packed_weights import packed_tensors
from hrbench.errors import EntryError

# In-place operators of weight initialisers; none of them changes a shape.
_INITIALISERS = aten("add_ bernoulli_ clamp_ copy_ div_ erfinv_ fill_ mul_ normal_ random_ sub_ uniform_ zero_")

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


_ADVICE = "meta tensors have none: count on a device that computes them, count_operations(..., device='cpu')"


class ValuesNeeded(EntryError):
    """Operations cannot be counted on the meta device, since the network reads values."""


class _Mode(TorchDispatchMode):
    """A mode that torch's compiler may trace. By default it may not, and that check imports the compiler (3 s)."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class SkipInitialisation(_Mode):
    """Skips the random initialisation of meta weights: they have no values, and it takes time."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        if func._schema.name in _INITIALISERS and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


class _Operator(NamedTuple):
    name: str
    defaults: Mapping[str, Any]
    composite: bool
    idle: bool


@cache
def _operator(func: Any) -> _Operator:
    """What the schema says: argument names with defaults in order, whether it is composite, whether it is a view."""
    schema = func._schema
    defaults = {argument.name: argument.default_value for argument in schema.arguments}
    composite = torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), _COMPOSITE)
    aliases = [returned.alias_info for returned in schema.returns]
    view = any(alias is not None and not alias.is_write for alias in aliases)
    return _Operator(schema.name, defaults, composite, view or schema.name in IDLE)


class Recorder(_Mode):
    """Records every call with the module that made it; composites are run as their parts.

    meter: reads another counter that sees the same calls (`cross_check.py`). What it gained in each call of `calls` is
        in `metered`, and torch then runs every call.
    """

    def __init__(self, meter: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.calls: list[tuple[str, Call]] = []
        self.metered: list[int] = []
        self._meter = meter
        self._path: list[str] = []
        self._parts: list[list[Call]] = []
        self._failure: tuple[BaseException, str, str] | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        operator, kwargs = _operator(func), kwargs or {}
        parts: list[Call] = []
        # An operator may overwrite its arguments, so they are described first.
        arguments = _arguments(operator, args, kwargs)
        self._parts.append(parts)
        before = self._meter() if self._meter else 0
        try:
            result = None if self._meter else known_output(operator.name, arguments, tuple(args))
            known = result is not None
            if known:
                pass
            elif operator.composite:
                with self:
                    result = func._op_dk(_COMPOSITE, *args, **kwargs)
            else:
                result = func(*args, **kwargs)
        except Exception as error:
            if self._failure is None or self._failure[0] is not error:
                self._failure = (error, operator.name, self.module)
            raise
        finally:
            self._parts.pop()
        # A composite without parts returned its input, as dropout does in eval mode, unless it was not run at all.
        idle = operator.idle or (operator.composite and not known and all(part.idle for part in parts))
        self._note(Call(operator.name, arguments, _outputs(result), tuple(parts), idle), before)
        return result

    def _note(self, call: Call, before: int) -> None:
        if self._parts:
            self._parts[-1].append(call)
        else:
            self.calls.append((self.module, call))
            if self._meter:
                self.metered.append(self._meter() - before)

    @property
    def module(self) -> str:
        """Path of the module whose forward is running."""
        return self._path[-1] if self._path else ""

    @contextmanager
    def following(self, net: nn.Module) -> Iterator[None]:
        """Tracks the module of `net` that makes a call; a module with several paths has its first."""
        hooks = []
        try:
            for path, module in net.named_modules():
                hooks.append(module.register_forward_pre_hook(lambda *_, path=path: self._path.append(path)))
                hooks.append(module.register_forward_hook(lambda *_, path=path: self._leave(path)))
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _leave(self, path: str) -> None:
        # A module that failed is never left; if its caller continued without it, it is removed here.
        while self._path.pop() != path:
            pass

    def failure(self, error: Exception, device: str, doing: str = "counting operations") -> EntryError:
        """The error to raise if the pass failed: which operator of which module failed, and what to do.

        doing: what the pass was for, in words.
        It is `ValuesNeeded` if the pass read values, which meta tensors do not have.
        """
        first = str(error).strip().split("\n", 1)[0] or type(error).__name__
        module = self._named(self.module)
        if found := re.search(r"HigherOrderOperator (\w+)", first):
            return EntryError(f"operations are not counted: what torch's {found[1]} runs is not seen")
        if self._failure is None or self._failure[0] is not error:
            told = f"{doing} failed in {module}: {type(error).__name__}: {first}"
            if device == "meta" and "meta device" in first:  # a library refuses it
                return ValuesNeeded(f"{told}\n{_ADVICE.capitalize()}")
            return EntryError(told)
        _, operator, path = self._failure
        at = f"{doing} failed at {operator} in {self._named(path)}"
        if device == "meta" and isinstance(error, NotImplementedError):
            return ValuesNeeded(f"{at}, which needs values; {_ADVICE}")
        if device == "meta" and "meta" in first:
            return ValuesNeeded(f"{at}: {first}\n{_ADVICE.capitalize()}")
        return EntryError(f"{at}: {first}")

    @staticmethod
    def _named(path: str) -> str:
        return f"module {path}" if path else "the network's own forward"


def _arguments(operator: _Operator, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    described = dict(operator.defaults)
    described.update(zip(described, map(_plain, args), strict=False))
    described.update((name, _plain(value)) for name, value in kwargs.items())
    return described


def _plain(value: Any) -> Any:
    """A tensor becomes its shape, a packed object those of its tensors, a sequence a tuple; dtypes become text."""
    if isinstance(value, Tensor):
        return Shape(value.shape)
    if isinstance(value, torch.ScriptObject):
        return tuple(Shape(tensor.shape) for tensor in packed_tensors(value)) or str(value._type())
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return str(value)


def _outputs(result: Any) -> tuple[Shape, ...]:
    if isinstance(result, Tensor):
        return (Shape(result.shape),)
    if isinstance(result, list | tuple):
        return tuple(Shape(value.shape) for value in result if isinstance(value, Tensor))
    return ()
