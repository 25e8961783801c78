"""What `hrbench metrics` shows, as text. Returns strings; prints nothing."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from hrbench.cli.text import columns, facts
from hrbench.contracts import DescribesPredictions, Metric
from hrbench.core import plugins
from hrbench.types import PredictionForm, Quantity

WIDTH = 96
"""Characters of a line of a long text."""


class Option(NamedTuple):
    """What a metric can be made with. default: as Python writes it, "" if there is none. about: from the docstring."""

    name: str
    default: str
    about: str


def metrics() -> str:
    """The metrics: what they read and what they give."""
    table = [["metric", "version", "predictions", "numbers"]]
    for name in plugins.names("hrbench.metrics"):
        metric = plugins.resolve("hrbench.metrics", name)()
        table.append([name, str(metric.version), _file(metric), ", ".join(_shown(metric.quantities))])
    return columns(table)


def metric(name: str) -> str:
    """All about one metric, as it is made without options.

    name: of `hrbench.metrics`, or "package.module:Class" for a user-defined one.

    Raises UsageError if there is none of the name.
    """
    make: type[Metric] = plugins.resolve("hrbench.metrics", name)
    one = make()
    form = one.prediction_form if isinstance(one, DescribesPredictions) else PredictionForm("", "")
    found = {
        "metric": f"{name}, version {one.version}: {_about(make)}",
        "predictions": _file(one) + (f", {form.shape}" if form.shape else ""),
        "frame": form.frame,
        "example": form.example,
        "main number": one.main,
        "verified by": one.oracle.rstrip(","),
        "score a file": f"hrbench score {name} --gt TRUTH --pred {one.prediction_file}",
    }
    parts = [_filled(found), "numbers\n" + _filled({f"  {key}": text for key, text in _shown(one.quantities).items()})]
    if options := options_of(make):
        shown = {f"  {each.name}": f"{each.about} Default: {each.default or 'none, it is needed'}." for each in options}
        parts.append("options, of --option KEY=VALUE and of a data set in a suite\n" + _filled(shown))
    return "\n\n".join(parts)


def options_of(make: type) -> list[Option]:
    """The options of a metric with what its docstring says of each, or that of the class which is named there.

    >>> class Example:
    ...     '''An example.
    ...
    ...     first: what it is,
    ...         and more.
    ...     second, third: of two.
    ...     '''
    ...     def __init__(self, first=1, second=None, third="x"): ...
    >>> [tuple(one) for one in options_of(Example)]
    [('first', '1', 'what it is, and more.'), ('second', 'None', 'of two.'), ('third', "'x'", 'of two.')]
    """
    told: dict[str, str] = {}
    for one in reversed(make.__mro__[:-1]):
        told |= _told(one)
    taken = inspect.signature(make).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        Option(one.name, "" if one.default is one.empty else repr(one.default), told.get(one.name, ""))
        for one in taken
        if one.kind in kinds
    ]


def _told(made: type) -> dict[str, str]:
    """What the docstring of a class says of each parameter; where it names a class in backticks, what that says."""
    found: dict[str, str] = {}
    text = re.sub(r"\n {4,}", " ", inspect.cleandoc(made.__doc__ or ""))  # lines that go on
    for line in text.splitlines():
        if said := re.match(r"(?:or )?([a-z_0-9]+(?:, [a-z_0-9]+)*): (.+)", line):
            elsewhere = re.search(r"`(?:\w+\.)*([A-Z]\w+)`", said[2])
            of = vars(sys.modules[made.__module__]).get(elsewhere[1]) if elsewhere else None
            more = _told(of) if isinstance(of, type) else {}
            found |= {name: more.get(name, said[2]) for name in said[1].split(", ")}
    return found


def _about(make: type) -> str:
    """The first sentence of a docstring."""
    return (inspect.getdoc(make) or "").partition("\n\n")[0].replace("\n", " ")


def _file(metric: Metric) -> str:
    return metric.prediction_file if "." in metric.prediction_file else f"{metric.prediction_file}/ (a folder)"


def _shown(quantities: Sequence[Quantity], max_names: int = 4) -> dict[str, str]:
    """Quantity -> what it is. Many of a kind ("IoU/road") are only counted, with the description of the first."""
    kinds: dict[str, list[Quantity]] = {}
    for one in quantities:
        kinds.setdefault(one.name.partition("/")[0] if "/" in one.name else one.name, []).append(one)
    shown: dict[str, str] = {}
    for kind, some in kinds.items():
        parts = [one for one in some if "/" in one.name]
        if len(parts) <= max_names:
            shown |= {one.name: _said(one) for one in some}
        else:
            shown |= {one.name: _said(one) for one in some if one not in parts}
            shown[f"{kind}/... ({len(parts)})"] = parts[0].description
    return shown


def _said(one: Quantity) -> str:
    """What a number is, after what tables call it."""
    return f"{one.label}: {one.description}" if one.label not in ("", one.name) else one.description


def _filled(found: dict[str, str]) -> str:
    """Names and texts in two columns; long texts are filled, but an example stays one line."""
    filled = {
        key: text if key == "example" else "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False)) or "-"
        for key, text in found.items()
        if text or key.startswith("  ")
    }
    return facts(filled)
