"""Errors that leave the process they were raised in."""

from __future__ import annotations

import ast
import importlib
import pickle
import signal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import hrbench
from hrbench.errors import HrbenchError, Interrupted
from hrbench.types import Entry, Result, Variant

ROOT = Path(hrbench.__file__).parent
ENTRY = Entry("a", Variant("a", use="a:b", task="pose", input=(32, 24)), None, {}, (), {})
OF_THEIR_OWN: dict[str, tuple[Any, ...]] = {
    "Interrupted": (signal.SIGTERM,),
    "JobFailed": ("it failed", "Traceback: ...", True),
    "ShardFailed": ({"failure": "it failed", "foreseen": True},),
    "TriedOften": (5, 8.0),
    "UnknownLabelError": ("truth", 300),
    "Unreachable": ("no answer", "example.org:443"),
    "ChangedResultError": (Path("runs/a/result.json"), Result("a", ENTRY, "ok")),
}
"""Arguments of those that take more than a message."""


@cache
def raised() -> list[type[BaseException]]:
    """Every error class of the package whose instances may reach a caller: named without an underscore."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
        name = ".".join(("hrbench", *path.relative_to(ROOT).with_suffix("").parts))
        bases = {node.name: {getattr(base, "id", "") for base in node.bases} for node in classes}
        for each in (each for each, of in bases.items() if any(base.endswith(("Error", "Exception")) for base in of)):
            if not each.startswith("_"):
                found.append(getattr(importlib.import_module(name), each))
    return found


def test_all_of_them_are_found():
    assert {HrbenchError, Interrupted} < set(raised()) and len(raised()) > 12
    assert set(OF_THEIR_OWN) <= {each.__name__ for each in raised()}


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_an_error_arrives_as_it_was(kind: type[BaseException]):
    error = kind(*OF_THEIR_OWN.get(kind.__name__, ("what was given, what to do",)))
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is kind
    assert (str(arrived), arrived.args, vars(arrived)) == (str(error), error.args, vars(error))
