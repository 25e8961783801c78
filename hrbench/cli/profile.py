"""`hrbench profile`: parameters, operations and latency of one network."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.cli import listing
from hrbench.cli import text as text_module
from hrbench.cli.shared import Say
from hrbench.core.import_path import importable
from hrbench.core.nested_args import as_yaml
from hrbench.core.plugins import model_ref, resolve
from hrbench.errors import EntryError, UsageError
from hrbench.suite.registry import known
from hrbench.types import Reason, Variant

if TYPE_CHECKING:
    from hrbench.cost.operations.ledger import LedgerRow


def profile(arguments: Namespace, say: Say) -> int:
    beside = [] if model_ref(arguments.model).kind == "entry_point" else [Path.cwd()]
    with importable(*beside, place="first"):
        return _profile(arguments, say)


def _profile(arguments: Namespace, say: Say) -> int:
    from hrbench.cost.latency.probe import latency
    from hrbench.cost.latency.summary import percentile_costs
    from hrbench.cost.operations.count import on_meta, operation_costs
    from hrbench.cost.operations.probe import count, uncounted
    from hrbench.cost.parameters import parameter_costs
    from hrbench.models.build import build, with_arguments
    from hrbench.runner.device import device_of, runtime
    from hrbench.runner.settings import Settings

    given = _assigned(arguments.args, "--args", "encoder=resnet50")
    variant = with_arguments(_variant(arguments), given)
    height, width = variant.input
    resolve("hrbench.models", variant.use)  # imported before, since tensors made on import would be on meta too
    net = on_meta(lambda: build(variant))
    values = parameter_costs(net)
    args = f", {as_yaml(given)}" if given else ""
    say(f"{variant.name}, input {height}x{width}{args}\n")
    try:
        ledger, counted_on = count(net, variant, lambda: build(variant))
    except EntryError as error:
        values += uncounted(Reason(str(error)))
    else:
        values += operation_costs(ledger, counted_on)
        say(_ledger("module", [(row.module or "(top)", row) for row in ledger.by_module(arguments.depth)]) + "\n")
        if arguments.operators:
            say(_ledger("operator", [(row.operator, row) for row in ledger.by_operator()]) + "\n")
    if arguments.latency:
        device = device_of(Settings(device=arguments.device))
        net = build(variant).to(device)
        one = latency(net, variant, arguments.batch, arguments.dtype, device, runtime=runtime())
        values += percentile_costs(one)
    say(listing.costs(values))
    return 0


def _assigned(texts: Sequence[str], option: str, example: str) -> dict[str, Any]:
    """What `--args KEY=VALUE ...` or another such option says. Raises UsageError for what is none."""
    from hrbench.core.yaml import Problems, parse_assignments

    problems = Problems()
    given = parse_assignments(texts, option, example, problems)
    problems.raise_any()
    return given


def _variant(arguments: Namespace) -> Variant:
    """A catalog row, or a callable with an input size; --input overrides the row's."""
    rows = known().variants
    size = _input(arguments.input) if arguments.input else None
    if arguments.model in rows:
        row = rows[arguments.model]
        return replace(row, input=size) if size else row
    if ":" not in arguments.model:
        from hrbench.models.build import unknown

        raise UsageError(unknown(arguments.model))
    if size is None:
        raise UsageError(f"{arguments.model} is not in the catalog: say the input with --input HxW")
    return Variant(name=arguments.model, use=arguments.model, task=arguments.task, input=size)


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
    return text_module.columns(table, right=(1, 2, 3))
