"""Each refusal that a reader can raise names an option that allows it, or has a reason why there is none."""

from __future__ import annotations

import ast
from functools import cache
from inspect import signature
from pathlib import Path

import pytest

import hrbench
from hrbench.core import yaml
from hrbench.core.plugins import names, resolve

PACKAGE = Path(hrbench.__file__).parent
ROOMS = ("formats", "datasets")
ADVICE = "add a row to tests/unit/formats/refusals.yaml: the option that allows it, or why there is none"


@cache
def table() -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Reason -> its sentence; (file, message) -> "option NAME" or a reason."""
    content = yaml.load(Path(__file__).with_name("refusals.yaml")).plain()
    rows = [(file, message, verdict) for file, those in content["refusals"].items() for verdict, message in those]
    found = {(file, message): verdict for file, message, verdict in rows}
    assert len(found) == len(rows), "a row stands there twice"
    return content["reasons"], found


# --- the source -------------------------------------------------------------------------------------------------------


def refusals(source: str) -> set[str]:
    """Messages of all that a module raises, with {} for what is filled in; also those given to `fault`, which raises.

    An exception that is raised again has a message of its own and is no refusal of the module.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found.add(message(node.exc))
        elif isinstance(node, ast.Raise) and node.exc is not None:
            found.add(ast.unparse(node.exc))  # such as a class alone, without a message: no row fits that
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fault":
            found.add(message(node))
    return found


def message(call: ast.Call) -> str:
    """What a call says. `fault` adds what is said of an option that is worked out."""
    if not call.args:
        return ast.unparse(call)
    said = ast.unparse(call.func) == "fault" and len(call.args) > 1 and not isinstance(call.args[1], ast.Constant)
    return text_of(call.args[0]) + ("{}" if said else "")


def without_option(source: str) -> set[str]:
    """Messages of a module that are raised as InputError, or by `fault`, without saying which option allows them."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    kinds = ("InputError", "LabelsError", "fault")
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in kinds]
    return {message(call) for call in named if len(call.args) < 2 and not call.keywords}


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return "{}"


@cache
def in_source() -> frozenset[tuple[str, str]]:
    paths = [path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py"))]
    return frozenset(
        (path.relative_to(PACKAGE).as_posix(), text) for path in paths for text in refusals(path.read_text())
    )


@cache
def options() -> frozenset[str]:
    """Names of what metrics and data sets are made with, and of what protocols set."""
    makers = [resolve(group, name) for group in ("hrbench.metrics", "hrbench.datasets") for name in names(group)]
    tasks = [resolve("hrbench.tasks", name).Protocol for name in ("pose", "segmentation", "detection")]
    return frozenset(parameter for maker in (*makers, *tasks) for parameter in signature(maker).parameters)


# --- the table --------------------------------------------------------------------------------------------------------


def test_each_refusal_has_a_row():
    missing = sorted(in_source() - table()[1].keys())
    assert not missing, f"{missing[0][0]} raises {missing[0][1]!r}; {ADVICE}"


def test_each_row_is_a_refusal():
    gone = sorted(table()[1].keys() - in_source())
    assert not gone, f"{gone[0][0]} does not raise {gone[0][1]!r}: take its row out of refusals.yaml"


def test_each_row_has_an_option_or_a_reason():
    reasons, rows = table()
    for (file, text), verdict in rows.items():
        name = verdict.removeprefix("option ")
        if name == verdict:
            assert verdict in reasons, f"{file}: {text!r}: no reason is called {verdict!r}"
            continue
        assert name in options(), f"{file}: {text!r}: no metric, data set or protocol has the option {name!r}"
        # a message that ends with what is filled in gets its advice from a function of its module
        assert name in text or text.endswith(("{}", "{})")), f"{file}: {text!r} does not name its option {name!r}"
    assert set(reasons) == set(rows.values()) & set(reasons), "a reason that nothing has"
    assert all(len(sentence.split()) > 4 and sentence.endswith(".") for sentence in reasons.values())


def test_an_error_says_its_option_as_data():
    """`hrbench score` tells how the option is typed there, and programs need not read the message."""
    for path in sorted(path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        silent = without_option(path.read_text())
        for text in sorted(silent & refusals(path.read_text())):
            assert not table()[1][file, text].startswith("option "), f"{file}: {text!r} needs InputError(..., option)"


# --- the collector ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("raise InputError(f'{path}: is {kind(a)!r}; mend ' 'it')", {"{}: is {}; mend it"}),
        ("if x:\n    raise UsageError('a ' + word) from None", {"a {}"}),
        ("def read():\n    fault(f'is {a}' + more(a))", {"is {}{}"}),
        ("def read():\n    fault(f'is {a}', more(a))", {"is {}{}"}),
        ("def read():\n    fault(f'is {a}; x: y mends it', 'x: y')", {"is {}; x: y mends it"}),
        ("try:\n    pass\nexcept E:\n    raise", set()),
        ("raise ValueError", {"ValueError"}),
        ("raise InputError()", {"InputError()"}),
        ("raise InputError(message)", {"{}"}),
    ],
)
def test_what_is_collected(source: str, found: set[str]):
    assert refusals(source) == found
