"""All about one metric: the files it reads with an example line, its options and their defaults, its numbers.

The texts are the docstrings of its class, `read_target` and `read_predictions`; options are those of its constructor.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from hrbench.cli.text import columns, facts
from hrbench.contracts import HasExample
from hrbench.core import plugins
from hrbench.errors import UsageError

NO_DEFAULT = inspect.Parameter.empty


def metric_page(name: str) -> str:
    """The page of a metric. Raises UsageError if there is none of this name."""
    known = plugins.names("hrbench.metrics")
    if name not in known and ":" not in name:
        raise UsageError(f"no metric is called {name!r}; there are {', '.join(known)}")
    make = plugins.resolve("hrbench.metrics", name)
    metric = make()
    example = _example(metric)
    about, told = _class_texts(make)
    file = metric.prediction_file if "." in metric.prediction_file else f"{metric.prediction_file}/ (a folder)"
    pairs = {
        "metric": f"{metric.name}, version {metric.version}",
        "what": about,
        "ground truth": _first(make.read_target),
        "predictions": f"{file}: {_first(make.read_predictions)}",
        "example": example,
        "main number": metric.main,
        "--verify by": metric.oracle,
    }
    options = [["option", "default", ""], *_options(make, told)]
    numbers = [["number", "unit", ""]]
    numbers += [[one.name, f"{one.unit}, {one.better} is better", one.description] for one in metric.quantities]
    tables = [columns(table) for table in (options, numbers) if len(table) > 1]
    return "\n\n".join([facts({key: value for key, value in pairs.items() if value}), *tables])


def _example(metric: Any) -> str:
    return metric.example if isinstance(metric, HasExample) else ""


def _first(method: Any) -> str:
    """The first paragraph of a docstring, as one line."""
    return " ".join((inspect.getdoc(method) or "").partition("\n\n")[0].split())


def _class_texts(make: Any) -> tuple[str, dict[str, str]]:
    """What a class says of itself in a line, and it or a class above it of each of its options."""
    texts = [inspect.cleandoc(one.__doc__ or "") for one in getattr(make, "__mro__", (make,)) if one is not object]
    about = texts[0].partition("\n\n")[0]
    rest = "\n\n".join(text.partition("\n\n")[2] for text in reversed(texts))
    told: dict[str, str] = {}
    names: list[str] = []
    for line in rest.splitlines():
        found = re.match(r"([a-z_]\w*(?:, [a-z_]\w*)*): (.*)", line)
        if found:
            names = found[1].split(", ")
            told |= dict.fromkeys(names, found[2])
        elif line.startswith(" "):
            told |= {name: f"{told[name]} {line.strip()}" for name in names}
        else:
            names = []
    return " ".join(about.split()), told


def _options(make: Any, told: dict[str, str]) -> list[list[str]]:
    rows = []
    for one in inspect.signature(make).parameters.values():
        default = "needed" if one.default is NO_DEFAULT else _value(one.default)
        rows.append([one.name, default, told.get(one.name, "")])
    return rows


def _value(value: Any) -> str:
    """As `--option` takes it.

    >>> _value((0.5, 0.1)), _value(None), _value(True), _value("box")
    ('0.5,0.1', 'none', 'true', 'box')
    """
    if isinstance(value, (list, tuple)):
        return ",".join(map(_value, value)) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
