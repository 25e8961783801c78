"""Workflow commands of GitHub Actions: what blocks as errors, what is told as warnings and notices."""

from __future__ import annotations

from hrbench.judge.gate import Decision
from hrbench.judge.rows import Row
from hrbench.report.difference import heading, ordered, verdict_text

MOST = 10
"""GitHub shows so many annotations of a kind for a step."""


def workflow_commands(decision: Decision) -> str:
    """Lines for standard output, most important first."""
    warned = [row for row in decision.told if row.verdict in ("regressed", "missing", "failed", "cannot tell")]
    lines = [_line("error", row) for row in ordered(decision.blocking, "verdict")[:MOST]]
    lines += [_line("warning", row) for row in ordered(warned, "verdict")[:MOST]]
    kind = "notice" if decision.outcome == "passed" else "error"
    return "\n".join([*lines, f"::{kind} title=hrbench gate::{_data(decision.words)}"])


def _line(kind: str, row: Row) -> str:
    title = f"{row.entry}: {heading(row)}"
    return f"::{kind} title={_property(title)}::{_data(verdict_text(row))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
