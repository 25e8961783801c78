"""`hrbench profile`: parameters, operations and latency of one network."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.cli import listing
from hrbench.cli.shared import Echo
from hrbench.cli.text import columns
from hrbench.core.import_path import importable
from hrbench.core.nested_args import as_yaml
from hrbench.core.plugins import model_ref, resolve
from hrbench.errors import EntryError, UsageError
from hrbench.suite.registry import known
from hrbench.types import Reason, Variant

if TYPE_CHECKING:
    from hrbench.cost.operations.cross_check import SecondCount
    from hrbench.cost.operations.ledger import LedgerRow


def profile(args: Namespace, echo: Echo) -> int:
    beside = [] if model_ref(args.model).kind == "entry_point" else [Path.cwd()]
    with importable(*beside, place="first"):
        return _profile(args, echo)


def _profile(args: Namespace, echo: Echo) -> int:
    from hrbench.cost.latency.probe import latency
    from hrbench.cost.latency.summary import percentile_costs
    from hrbench.cost.operations.count import on_meta, operation_costs
    from hrbench.cost.operations.probe import count, uncounted
    from hrbench.cost.parameters import parameter_costs
    from hrbench.models.build import build, with_arguments
    from hrbench.runner.device import device_of, runtime
    from hrbench.runner.settings import Settings

    overrides = assignments(args.args, "--args", "encoder=resnet50")
    variant = with_arguments(_variant(args), overrides)
    height, width = variant.input
    resolve("hrbench.models", variant.use)  # imported before, since tensors made on import would be on meta too
    net = on_meta(lambda: build(variant))
    values = parameter_costs(net)
    changes = f", {as_yaml(overrides)}" if overrides else ""
    echo(f"{variant.name}, input {height}x{width}{changes}\n")
    try:
        ledger, counted_on = count(net, variant, lambda: build(variant))
    except EntryError as error:
        values += uncounted(Reason(str(error)))
    else:
        values += operation_costs(ledger, counted_on)
        echo(_ledger("module", [(row.module or "(top)", row) for row in ledger.by_module(args.depth)]) + "\n")
        if args.operators:
            echo(_ledger("operator", [(row.operator, row) for row in ledger.by_operator()]) + "\n")
        if args.cross_check:
            from hrbench.cost.operations.cross_check import second_counts

            device = "cpu" if counted_on else args.cross_check
            counts = second_counts(lambda: build(variant), (1, 3, *variant.input), device)
            echo(second_count_table(counts, device) + "\n")
    if args.latency:
        device = device_of(Settings(device=args.device))
        net = build(variant).to(device)
        one = latency(net, variant, args.batch, args.dtype, device, runtime=runtime())
        values += percentile_costs(one)
    echo(listing.costs(values))
    return 0


def assignments(texts: Sequence[str], option: str, example: str) -> dict[str, Any]:
    """The values of an option like `--args KEY=VALUE ...`. Raises UsageError for a malformed one."""
    from hrbench.core.yaml import Problems, parse_assignments

    problems = Problems()
    values = parse_assignments(texts, option, example, problems)
    problems.raise_any()
    return values


def _variant(args: Namespace) -> Variant:
    """A catalog row, or a callable with an input size; --input overrides the row's."""
    rows = known().variants
    size = _input(args.input) if args.input else None
    if args.model in rows:
        row = rows[args.model]
        return replace(row, input=size) if size else row
    if ":" not in args.model:
        from hrbench.models.build import unknown

        raise UsageError(unknown(args.model))
    if size is None:
        raise UsageError(f"{args.model} is not in the catalog: give the input size with --input HxW")
    return Variant(name=args.model, use=args.model, task=args.task, input=size)


def _input(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise UsageError(f"--input {text!r} is not HEIGHTxWIDTH, such as 256x192")
    return int(height), int(width)


def _ledger(heading: str, rows: Sequence[tuple[str, LedgerRow]]) -> str:
    """Calls and operations by module, with its parameters, or by operator."""
    table = [[heading, "parameters", "GMACs", "calls"]]
    for name, row in rows:
        macs = listing.show(row.counts.get("macs", 0), "operations")
        table.append([name, "" if row.parameters is None else f"{row.parameters:,}", macs, f"{row.calls:,}"])
    return columns(table, right=(1, 2, 3))


def second_count_table(counts: Sequence[SecondCount], device: str) -> str:
    """Our totals beside those of other counters, and below each the operators of which they count differently.

    device: on which torch's counter saw the pass.
    """
    where = "on the CPU" if device == "cpu" else "on the meta device"
    table = [["second count", "convention", "calls", "hrbench (G)", "second (G)", "difference"]]
    for count in counts:
        ours, theirs = (
            "-" if value is None else listing.show(value, "operations") for value in (count.ours, count.theirs)
        )
        share = "" if count.theirs is None else "none" if count.ours == count.theirs else f"{-100 * count.share:+.2f} %"
        table.append([count.counter, count.convention, "", ours, theirs, count.reason or share])
        for row in count.differences:
            values = (listing.show(value, "operations") for value in (row.ours, row.theirs))
            table.append([f"  {row.operator}", "", f"{row.calls:,}", *values, row.why])
    return f"{columns(table, right=(2, 3, 4))}\ntorch's counter saw the pass {where}, fvcore's on the CPU"
