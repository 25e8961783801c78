"""Counts a network's operations without computing them: one forward pass over meta tensors, every call noted.

Meta tensors have shapes and no storage, so neither weights nor activations are held. In inference mode torch's
dispatcher shows a composite operator before it is taken apart (`aten::linear`, then `aten::addmm` inside it), which is
what lets one pass serve conventions that look at different levels; see `views.py`.

    ledger = count_operations(lambda: pose_hrnet(width=32), (1, 3, 256, 192))
    ledger.total("macs")                      # 7645003776
    ledger.by_module(depth=1), ledger.by_operator(), ledger.uncounted["macs"]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from hrbench.cost.calls import IDLE, Call, Shape
from hrbench.cost.ledger import Ledger, enter
from hrbench.types import Cost, EntryError, Quantity, UsageError

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


def count_operations(
    build: Callable[[], nn.Module] | nn.Module,
    input_shape: tuple[int, int, int, int],
    *,
    device: str = "meta",
    as_input: Callable[[Tensor], Any] | None = None,
) -> Ledger:
    """Count one forward pass in eval mode.

    build: makes the network (called under `torch.device("meta")`, so no weight is allocated or drawn), or a network,
    which is left as it was. input_shape: (N, C, H, W). as_input: turns the (N, C, H, W) tensor into what the network
    takes, e.g. `list` for a detector. device: "meta"; a network whose operations depend on values (non-maximum
    suppression) needs a real one such as "cpu", and is then computed there, input drawn from a standard normal.

    Raises UsageError for an input that is no (N, C, H, W), and EntryError, naming operator and module, where the
    pass fails: a partial count is never returned.
    """
    if len(input_shape) != 4 or not all(isinstance(n, int) and n > 0 for n in input_shape):
        raise UsageError(f"operations are counted for an input (N, C, H, W) of positive sizes, not {input_shape!r}")
    net = build if isinstance(build, nn.Module) else _built(build, device)
    tensors = {
        name: value.to(device) for name, value in _tensors(net) if value.device.type != torch.device(device).type
    }
    dtype = next((value.dtype for _, value in _tensors(net) if value.is_floating_point()), torch.float32)
    recorder = _Recorder()
    with ExitStack() as stack:
        stack.enter_context(_evaluating(net))
        stack.enter_context(recorder.following(net))
        stack.enter_context(_composite_attention())
        stack.enter_context(torch.inference_mode())
        stack.enter_context(torch.device(device))  # tensors a forward pass makes for itself join the others
        generator = None if device == "meta" else torch.Generator(device).manual_seed(0)
        image = torch.randn(input_shape, generator=generator, dtype=dtype)
        given = image if as_input is None else as_input(image)
        stack.enter_context(recorder)
        try:
            torch.func.functional_call(net, tensors, (given,))
        except Exception as error:
            raise EntryError(recorder.explain(error, device)) from error
    return enter(recorder.calls, input_shape, _own_parameters(net))


def operation_costs(ledger: Ledger) -> list[Cost]:
    """One Cost per view: value in plain operations; its conditions hold the view, divisor, input, batch, uncounted.

    `value / conditions["divisor"]` is the number for a column headed `quantity.label`. conditions["uncounted"] maps
    each operator the view has no rule for to its number of calls.
    """
    batch, _, height, width = ledger.input
    costs = []
    for name, view in ledger.views.items():
        conditions = {
            "view": name,
            "divisor": view.divisor,
            "input": [height, width],
            "batch": batch,
            "uncounted": {item.operator: item.calls for item in ledger.uncounted[name]},
        }
        quantity = Quantity(name, view.label, "operations", "lower", view.description)
        costs.append(Cost(quantity, ledger.total(name), conditions))
    return costs


def parameter_costs(net: nn.Module) -> list[Cost]:
    """Parameters and buffers of a network, on any device: elements, those shared counted once."""
    parameters = Quantity("parameters", "Parameters", "count", "lower", "Learnt weights; shared ones counted once.")
    buffers = Quantity(
        "buffers", "Buffers", "count", "neither", "Stored numbers that are not learnt, such as batch norm's statistics."
    )
    return [
        Cost(parameters, sum(value.numel() for value in net.parameters())),
        Cost(buffers, sum(value.numel() for value in net.buffers())),
    ]


# --- the pass ------------------------------------------------------------------------------------------------------


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


class _Recorder(TorchDispatchMode):
    """Notes every call with the module it was made in; composites are run as the calls they are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Call]] = []
        self._path: list[str] = []
        self._parts: list[list[Call]] = []
        self._failure: tuple[BaseException, str, str] | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        operator, kwargs = _operator(func), kwargs or {}
        parts: list[Call] = []
        # An operator may overwrite its arguments, so they are described first.
        arguments = _arguments(operator, args, kwargs)
        self._parts.append(parts)
        try:
            if operator.composite:
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
        idle = operator.idle or (operator.composite and all(part.idle for part in parts))
        self._note(Call(operator.name, arguments, _outputs(result), tuple(parts), idle))
        return result

    def _note(self, call: Call) -> None:
        if self._parts:
            self._parts[-1].append(call)
        else:
            self.calls.append((self.module, call))

    @property
    def module(self) -> str:
        """Path of the module whose forward is running."""
        return self._path[-1] if self._path else ""

    @contextmanager
    def following(self, net: nn.Module) -> Iterator[None]:
        """Know in which module of `net` a call is made; a module reached by several paths goes by its first."""
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
        # A module that failed never leaves; where its caller went on without it, it is dropped here.
        while self._path.pop() != path:
            pass

    def explain(self, error: Exception, device: str) -> str:
        """One or two lines: which operator of which module failed, and what to do."""
        first = str(error).strip().split("\n", 1)[0] or type(error).__name__
        module = self._named(self.module)
        if self._failure is None or self._failure[0] is not error:
            return f"counting operations failed in {module}: {type(error).__name__}: {first}"
        _, operator, path = self._failure
        message = f"counting operations failed at {operator} in {self._named(path)}: {first}"
        if device == "meta" and (isinstance(error, NotImplementedError) or "meta" in first):
            message += "\nIt needs values, which meta tensors do not have: count on a device that computes them ('cpu')"
        return message

    @staticmethod
    def _named(path: str) -> str:
        return f"module {path}" if path else "the network's own forward"


def _arguments(operator: _Operator, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    described = dict(operator.defaults)
    described.update(zip(described, map(_plain, args), strict=False))
    described.update((name, _plain(value)) for name, value in kwargs.items())
    return described


def _plain(value: Any) -> Any:
    """A tensor becomes its shape, sequences become tuples; dtypes, devices and layouts become text."""
    if isinstance(value, Tensor):
        return Shape(value.shape)
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


# --- the network ---------------------------------------------------------------------------------------------------


def _built(build: Callable[[], nn.Module], device: str) -> nn.Module:
    """Build on `device`; a builder that reads values while building is run as it is, then moved."""
    try:
        with torch.device(device):
            net = build()
    except (RuntimeError, NotImplementedError):
        if device != "meta":
            raise
        net = build()
    return net.to(device)


def _tensors(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from net.named_parameters()
    yield from net.named_buffers()


def _own_parameters(net: nn.Module) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, value in net.named_parameters():
        path = name.rpartition(".")[0]
        counts[path] = counts.get(path, 0) + value.numel()
    return counts


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode for a while; every module gets its own flag back."""
    training = [module for module in net.modules() if module.training]
    net.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def _composite_attention() -> Iterator[None]:
    """Attention as products that can be counted, not as the one fused kernel that eval mode may choose."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
