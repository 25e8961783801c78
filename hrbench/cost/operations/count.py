"""Counts a network's operations without computing them: one forward pass over meta tensors that records every call.

Meta tensors have shapes and no storage, so neither weights nor activations are in memory. In inference mode, torch's
dispatcher shows a composite operator before its parts (`aten::linear`, then `aten::addmm` inside it), so one pass is
enough for conventions that count at different levels; see `conventions.py`.

    ledger = count_operations(lambda: pose_hrnet(width=32), (1, 3, 256, 192))
    ledger.total("macs")                      # 7645003776
    ledger.by_module(depth=1), ledger.by_operator(), ledger.uncounted["macs"]

How many boxes a detector processes depends on values, so a detector is counted by part: one with a method
`count_parts(images, proposals, masks)` runs backbone, neck and dense heads on the images, its box head on that many
proposals and its mask head on that many boxes, and returns the conditions under which the count holds.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.contracts import CountedByPart
from hrbench.cost.operations.conventions import ACTIVATIONS, CONVENTIONS
from hrbench.cost.operations.ledger import Ledger, enter
from hrbench.cost.operations.recorder import Recorder, SkipInitialisation
from hrbench.errors import EntryError, HrbenchError, UsageError
from hrbench.types import Conditions, Measurement

PROPOSALS = 1000  # what region proposal networks keep at test time (mmdet, torchvision and TF alike)
MASKS = 100  # the most detections per image that the COCO protocol counts


def count_operations(
    build: Callable[[], nn.Module] | nn.Module,
    input_shape: tuple[int, int, int, int],
    *,
    device: str = "meta",
    as_input: Callable[[Tensor], Any] | None = None,
    proposals: int = PROPOSALS,
    masks: int = MASKS,
) -> Ledger:
    """Counts one forward pass in eval mode, or the parts of a detector.

    build: builds the network (called under `torch.device("meta")`, so no weight is allocated or initialised); or a
        network, which is not changed.
    input_shape: (N, C, H, W).
    as_input: converts the (N, C, H, W) tensor to the network's input, e.g. `list` for a detector.
    device: "meta"; a network whose operations depend on values (non-maximum suppression) needs a real one such as
        "cpu", and is then computed there, input drawn from a standard normal.
    proposals, masks: boxes per image, for a network that is counted by part (not with `as_input`).

    Raises UsageError for an input that is no (N, C, H, W), and EntryError, naming operator and module, if the
    pass fails: a partial count is never returned.
    """
    if len(input_shape) != 4 or not all(isinstance(n, int) and n > 0 for n in input_shape):
        raise UsageError(f"operations are counted for an input (N, C, H, W) of positive sizes, not {input_shape!r}")
    net = prepared(build, device)
    recorder = Recorder()
    with ExitStack() as stack:
        stack.enter_context(recorder.following(net))
        stack.enter_context(composite_attention())
        stack.enter_context(torch.inference_mode())
        stack.enter_context(torch.device(device))  # for tensors that the forward pass creates
        images = image(input_shape, device, net)
        input = images if as_input is None else as_input(images)
        stack.enter_context(recorder)
        conditions: Mapping[str, Any] = {}
        try:
            if as_input is None and isinstance(net, CountedByPart):
                conditions = net.count_parts(images, proposals=proposals, masks=masks)
            else:
                net(input)
        except HrbenchError:  # its message explains already why it cannot be counted
            raise
        except Exception as error:
            raise recorder.failure(error, device) from error
    return enter(recorder.calls, input_shape, _own_parameters(net), conditions)


def operation_costs(ledger: Ledger, counted_on: str = "") -> list[Measurement]:
    """One Measurement per convention, then the activations: plain counts; conditions hold convention, divisor, input,
    and batch.

    `value / conditions.divisor` is the number for a column headed `quantity.label`. `conditions.uncounted` maps each
    operator for which the convention has no rule to its number of calls. For a network counted by part, the conditions
    also hold how many `proposals` and `masks` were counted, and what was `not_counted`.

    counted_on: on which device operations were counted if values were needed, in words; "" for the meta device.
    """
    batch, _, height, width = ledger.input
    costs = []
    for name in ledger.conventions:
        convention = CONVENTIONS[name]
        conditions = Conditions(
            convention=name,
            divisor=convention.divisor,
            input=(height, width),
            batch=batch,
            uncounted={item.operator: item.calls for item in ledger.uncounted[name]},
            counted_on=counted_on,
            **_of_parts(ledger.conditions),
        )
        costs.append(Measurement(convention.quantity, ledger.total(name), conditions=conditions))
    conditions = Conditions(input=(height, width), batch=batch, counted_on=counted_on, **_of_parts(ledger.conditions))
    return [*costs, Measurement(ACTIVATIONS, ledger.activations, conditions=conditions)]


def _of_parts(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions that a network counted by part states, as fields of `Conditions`; `more` for those without one."""
    known = {"proposals": "proposals", "masks": "masks", "not counted": "not_counted"}
    named: dict[str, Any] = {known[key]: value for key, value in stated.items() if key in known}
    more = {key: value for key, value in stated.items() if key not in known}
    return {**named, "more": more} if more else named


# --- the network ---------------------------------------------------------------------------------------------------


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """The network that `build` returns, on the meta device: without storage, so it takes no memory and no time.

    `parameters.parameter_costs` and `count_operations` need no more.
    """
    return _built(build, "meta")


def prepared(build: Callable[[], nn.Module] | nn.Module, device: str) -> nn.Module:
    """A network in eval mode to be counted on `device`: built there, or a copy of one that is left as it is."""
    return (_twin(build, device) if isinstance(build, nn.Module) else _built(build, device)).eval()


def _built(build: Callable[[], nn.Module], device: str) -> nn.Module:
    """Builds on `device`; if the builder reads values, it builds on the CPU and the network is moved.

    A builder may load weights, which has no effect on the meta device; torch's warnings about it are suppressed. A
    module that creates tensors on import should be imported before: imports of the builder run under `device`, too.
    """
    try:
        with torch.device(device), SkipInitialisation(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="for .*: copying from a non-meta parameter")
            net = build()
    except (RuntimeError, NotImplementedError, EntryError) as error:
        known = isinstance(error, EntryError) and not isinstance(error.__cause__, (RuntimeError, NotImplementedError))
        if device != "meta" or known:
            raise
        net = build()
    return net.to(device)


def _twin(net: nn.Module, device: str) -> nn.Module:
    """A copy on `device` of everything except the values of the weights, so that the pass does not change `net`.

    On a real device the weights are shared; a network must not change them in eval mode.
    """
    memo: dict[int, Any] = {}
    for value in net.parameters():
        memo[id(value)] = nn.Parameter(value.detach().to(device), requires_grad=False)
    for value in net.buffers():
        memo[id(value)] = value.detach().to(device)
    return copy.deepcopy(net, memo)


def image(shape: tuple[int, int, int, int], device: str, net: nn.Module) -> Tensor:
    """An input (N, C, H, W) in the network's dtype: a shape on meta, seeded standard normal values elsewhere."""
    dtype = next((value.dtype for value in net.parameters() if value.is_floating_point()), torch.float32)
    if device == "meta":
        return torch.empty(shape, dtype=dtype, device=device)
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(0), dtype=dtype)


def _own_parameters(net: nn.Module) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, value in net.named_parameters():
        path = name.rpartition(".")[0]
        counts[path] = counts.get(path, 0) + value.numel()
    return counts


@contextmanager
def composite_attention() -> Iterator[None]:
    """Attention as products that can be counted, not as the fused kernel that eval mode may choose."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
