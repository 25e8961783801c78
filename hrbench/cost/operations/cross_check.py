"""A second, independent count of a network's operations, and where the two differ, operator by operator.

Two counters that others wrote are run on the network itself:

torch's `FlopCounterMode` (torch.utils.flop_counter), against the convention `flops`. It sees the same calls as the
recorder, each after torch has split it into kernels, so what it gains in a call is its count for that call. Where it
has no formula for a kernel it counts nothing and says nothing: fused attention and LSTM layers, which torch takes on a
CPU or GPU, products with vectors, and everything that is not torch's own, such as deformable convolution.

fvcore's `FlopCountAnalysis`, where fvcore is installed, against the convention `fvcore`.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn

from hrbench.contracts import CountedByPart
from hrbench.cost.operations.calls import Call
from hrbench.cost.operations.conventions import CONVENTIONS, tally
from hrbench.cost.operations.count import MASKS, PROPOSALS, composite_attention, image, prepared
from hrbench.cost.operations.formulas import MACS
from hrbench.cost.operations.recorder import Recorder
from hrbench.errors import HrbenchError

_TRACED = "the trace has other calls of it; it leaves out what is computed and not used"
Shape4 = tuple[int, int, int, int]
Builder = Callable[[], nn.Module] | nn.Module


@dataclass(frozen=True, slots=True)
class OperatorDifference:
    """An operator of which two counters count differently.

    operator: as the module called it, "aten::linear".
    calls: how often.
    ours, theirs: operations by hrbench and by the other counter.
    why: in words.
    """

    operator: str
    calls: int
    ours: int | float
    theirs: int | float
    why: str


@dataclass(frozen=True, slots=True)
class SecondCount:
    """What another counter says.

    counter: its name and version.
    convention: the one of ours that it is held against.
    ours, theirs: operations of the whole network; None if there is no number, and then `reason` says why.
    differences: by operator, largest first.
    """

    counter: str
    convention: str
    ours: int | float | None = None
    theirs: int | float | None = None
    differences: tuple[OperatorDifference, ...] = ()
    reason: str = ""

    @property
    def share(self) -> float:
        """How much less, or if negative more, the other counts, as a share of our count; 0 without a number."""
        if not self.ours or self.theirs is None:
            return 0.0
        return (self.ours - self.theirs) / self.ours


def second_counts(build: Builder, shape: Shape4, device: str = "meta") -> list[SecondCount]:
    """The counts of torch's counter and of fvcore, beside ours for the same pass.

    build: builds the network, or a network, which is not changed.
    shape: (N, C, H, W).
    device: "meta", or "cpu" to run the kernels that torch takes there. fvcore traces on the CPU in any case.
    """
    found = []
    for counter in (flop_counter_mode, fvcore):
        try:
            found.append(counter(build, shape, device))
        except Exception as error:  # another's counter fails in any way
            told = str(error).strip().split("\n", 1)[0] or type(error).__name__
            name, convention = _NAMES[counter]
            reason = told if isinstance(error, HrbenchError) else f"it failed: {type(error).__name__}: {told}"
            found.append(SecondCount(name(), convention, reason=reason))
    return found


def flop_counter_mode(build: Builder, shape: Shape4, device: str = "meta") -> SecondCount:
    """torch's own counter. On a real device torch chooses its kernels as it does in use, fused ones too."""
    from torch.utils.flop_counter import FlopCounterMode

    # With gradients the counter (torch 2.15) fails in inference mode where a module is given a parameter.
    net = prepared(build, device).requires_grad_(False)
    counter = FlopCounterMode(display=False)
    recorder = Recorder(meter=counter.get_total_flops)
    _run(net, shape, device, counter, recorder)  # pyright: ignore[reportArgumentType]  # a mode at run time
    calls: dict[str, list[tuple[Call, int]]] = {}
    for (_, call), theirs in zip(recorder.calls, recorder.metered, strict=True):
        calls.setdefault(call.operator, []).append((call, theirs))
    rows, ours = [], 0
    for operator, made in calls.items():
        own = sum(tally(CONVENTIONS["flops"], call).operations for call, _ in made)
        other = sum(theirs for _, theirs in made)
        ours += own
        if own != other:
            kernels = {leaf.operator for call, _ in made for leaf in _leaves(call) if leaf.operator in MACS}
            unknown = sorted(kernel for kernel in kernels if _packet(kernel) not in counter.flop_registry)
            why = f"no formula for {', '.join(unknown)}" if unknown else "its kernels are counted in another way"
            rows.append(OperatorDifference(operator, len(made), own, other, why))
    return SecondCount(_torch(), "flops", ours, counter.get_total_flops(), _sorted(rows))


def _run(net: nn.Module, shape: Shape4, device: str, *modes: AbstractContextManager[Any]) -> None:
    """A pass in inference mode under some modes, the last of which sees each call first.

    A default device would keep torch from its fused kernels, so there is one for meta only.
    """
    images = image(shape, device, net)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        if device == "meta":
            stack.enter_context(torch.device(device))
        for mode in modes:
            stack.enter_context(mode)
        if isinstance(net, CountedByPart):
            net.count_parts(images, proposals=PROPOSALS, masks=MASKS)
        else:
            net(images)


def _leaves(call: Call) -> Iterator[Call]:
    """The kernels that a call comes down to."""
    for part in call.parts:
        yield from _leaves(part)
    if not call.parts:
        yield call


def _packet(operator: str) -> Any:
    """torch's object for the name of an operator, "aten::mv"."""
    space, _, name = operator.partition("::")
    return getattr(getattr(torch.ops, space), name)


def fvcore(build: Builder, shape: Shape4, device: str = "meta") -> SecondCount:
    """fvcore's count of a pass that it traces on the CPU, by its own names of operators."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it uses of torch
            from fvcore.nn import FlopCountAnalysis
    except ModuleNotFoundError:
        return SecondCount("fvcore", "fvcore", reason="fvcore is not installed (pip install fvcore)")
    net = prepared(build, "cpu")
    if isinstance(net, CountedByPart):
        return SecondCount(_fvcore(), "fvcore", reason="it traces whole networks, and a detector is counted by part")
    recorder = Recorder()
    with composite_attention():  # as in a trace of a network whose weights have gradients
        _run(net if device == "cpu" else prepared(build, device), shape, device, recorder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            analysis = FlopCountAnalysis(net, image(shape, "cpu", net)).unsupported_ops_warnings(False)
            theirs: Mapping[str, float] = analysis.uncalled_modules_warnings(False).by_operator()
    ours: dict[str, int | float] = {}
    calls: Counter[str] = Counter()
    for _, call in recorder.calls:
        for rule, operations in tally(CONVENTIONS["fvcore"], call).by_rule.items():
            name = "conv" if "convolution" in rule else rule.partition("::")[2]
            ours[name] = ours.get(name, 0) + operations
            calls[name] += 1
    rows = [
        OperatorDifference(name, calls[name], ours.get(name, 0), theirs.get(name, 0), _TRACED)
        for name in {**ours, **theirs}
        if ours.get(name, 0) != theirs.get(name, 0)
    ]
    return SecondCount(_fvcore(), "fvcore", sum(ours.values()), sum(theirs.values()), _sorted(rows))


def _sorted(rows: list[OperatorDifference]) -> tuple[OperatorDifference, ...]:
    return tuple(sorted(rows, key=lambda row: (-abs(row.ours - row.theirs), row.operator)))


def _torch() -> str:
    return f"FlopCounterMode of torch {torch.__version__}"


def _fvcore() -> str:
    try:
        return f"fvcore {version('fvcore')}"
    except PackageNotFoundError:
        return "fvcore"


_NAMES: Mapping[Callable[..., SecondCount], tuple[Callable[[], str], str]] = {
    flop_counter_mode: (_torch, "flops"),
    fvcore: (_fvcore, "fvcore"),
}
