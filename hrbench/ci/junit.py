"""junit.xml: a case for each row and a suite for each entry, as Jenkins and GitLab read it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from xml.etree import ElementTree as xml

from hrbench.judge.gate import Decision
from hrbench.judge.rows import Row
from hrbench.report.difference import difference_text, heading, margin_text, value_text, verdict_text

_NOT_XML = re.compile("[^\t\n\r\x20-퟿-�\U00010000-\U0010ffff]")


def junit(decision: Decision) -> bytes:
    """The document. A row that blocks is a failure, one that failed or cannot be compared an error.

    Rows that are told and do not block, and those that cannot be told, are skipped with their reason.
    """
    blocking = {id(row) for row in decision.blocking}
    root = xml.Element("testsuites", name="hrbench gate")
    rows = [row for row in decision.comparison.rows if row.counts]
    for entry, some in groupby(sorted(rows, key=lambda row: row.entry), key=lambda row: row.entry):
        _suite(root, entry, list(some), blocking)
    _count(root, root.iter("testcase"))
    xml.indent(root)
    return xml.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(root: xml.Element, entry: str, rows: list[Row], blocking: set[int]) -> None:
    suite = xml.SubElement(root, "testsuite", name=_clean(entry))
    for row in rows:
        name = heading(row)
        case = xml.SubElement(suite, "testcase", classname=_clean(entry), name=_clean(name), time="0")
        said = _clean(verdict_text(row))
        if id(row) in blocking:
            wrong = row.verdict in ("failed", "not comparable")
            problem = xml.SubElement(case, "error" if wrong else "failure", message=said, type=row.verdict)
            problem.text = _clean(_details(row))
        elif row.verdict not in ("unchanged", "not worse", "improved"):
            xml.SubElement(case, "skipped", message=said)
    _count(suite, suite.iter("testcase"))


def _count(element: xml.Element, cases: Iterable[xml.Element]) -> None:
    """The sums that readers expect, of our own elements."""
    found = list(cases)
    element.set("tests", str(len(found)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(tag) is not None for case in found)))
    element.set("time", "0")


def _details(row: Row) -> str:
    evidence = row.evidence
    before, after = (value_text(row, value) for value in (evidence.first, evidence.second))
    return (
        f"before {before}, after {after}, difference {difference_text(row)}, margin {margin_text(row)}\n"
        f"{row.tier} by {row.where}; judged by: {evidence.means or 'nothing'}\n{verdict_text(row)}"
    )


def _clean(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return _NOT_XML.sub("�", text)
