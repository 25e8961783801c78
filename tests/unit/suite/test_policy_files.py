"""Policies of people: a key has a value, and a bound is a number."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.errors import UsageError
from hrbench.suite.gate import read_policy


def policy(tmp_path: Path, text: str):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return read_policy(path)


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("rules:\n  - {quantity: AP, margin: null, tier: watched}", "margin", 2),
        ("rules:\n  - {quantity: AP, margin: {points: null, relative: 1%}}", "points", 2),
        ("rules:\n  - {quantity: AP, tier: null}", "tier", 2),
        ("margins: {AP: 0.3}\nrules: null", "rules", 2),
    ],
)
def test_null_is_no_value(tmp_path: Path, text: str, key: str, line: int):
    with pytest.raises(UsageError, match=rf"policy.yaml:{line}: {key} has no value; give one or leave the key out"):
        policy(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"floors: [AP >= {'9' * 400}]", "policy.yaml:1: floor .*: the bound is larger than any number"),
        ("floors: [AP >= 1e999]", "the bound is larger than any number"),
        (f"margins: {{AP: {'9' * 400}%}}", "policy.yaml:1: "),
    ],
)
def test_a_bound_is_a_number(tmp_path: Path, text: str, says: str):
    with pytest.raises(UsageError, match=says):
        policy(tmp_path, text)
