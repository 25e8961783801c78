"""junit.xml and annotations: read back by a reader of others, and characters that XML or GitHub cannot take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from evidence import parameters, points
from junitparser import Error, Failure, JUnitXml, Skipped
from xmlschema import XMLSchema

from hrbench.ci.annotations import MOST, workflow_commands
from hrbench.ci.junit import junit
from hrbench.judge.evidence import Evidence
from hrbench.judge.gate import Decision, decide
from hrbench.judge.rows import Comparison, Row
from hrbench.judge.verdict import judge
from hrbench.types import Margin, Policy

SCHEMA = XMLSchema(Path(__file__).parents[2] / "data" / "junit.xsd")


def decision(*found: Evidence) -> Decision:
    rows = [Row(judge([(one, Margin(points=0.3))])[0], "required") for one in found]
    return decide(Comparison("before", "after", tuple(rows), {}, (), Policy()))


WORSE, SAME, OPEN = points(-5, 0.1), points(0, 0.05), points(-0.3, 0.1)
FAILED = Evidence("other", "other", "coco-boxes", WORSE.quantity, state="failed", reasons=("it raised <\x00&\x1b>",))


def test_another_reader_finds_the_same() -> None:
    made = decision(WORSE, SAME, OPEN, parameters(1, 1))
    suites = JUnitXml.fromstring(junit(made))
    (suite,) = suites
    assert (suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) == ("net", 4, 1, 0, 1)
    kinds = [[type(result) for result in case.result] for case in suite]
    assert kinds == [[Failure], [], [Skipped], []]
    failure = next(iter(suite)).result[0]
    assert failure.type == "regressed" and "difference −5.00 [−5.20, −4.80], margin 0.30" in failure.text


def test_what_failed_is_an_error_and_no_text_breaks_the_document() -> None:
    suites = JUnitXml.fromstring(junit(decision(WORSE, FAILED)))
    (case,) = [case for suite in suites for case in suite if suite.name == "other"]
    (error,) = case.result
    assert isinstance(error, Error) and error.message == "failed: it raised <\ufffd&\ufffd>"


def test_an_entry_is_one_suite_though_its_rows_lie_apart() -> None:
    apart = [replace(WORSE, entry=name, former=name) for name in ("b", "a", "b")]
    suites = list(JUnitXml.fromstring(junit(decision(*apart))))
    assert [(suite.name, suite.tests) for suite in suites] == [("a", 1), ("b", 2)]


def test_ignored_rows_are_not_there() -> None:
    made = decision(WORSE)
    rows = tuple(replace(row, tier="ignored") for row in made.comparison.rows)
    assert b"testcase" not in junit(decide(replace(made.comparison, rows=rows)))


def test_annotations_are_escaped_and_few() -> None:
    odd = replace(WORSE, entry="a,b: c%\nd", former="a")
    lines = workflow_commands(decision(odd, *[replace(WORSE, entry=f"net{n}") for n in range(30)])).splitlines()
    assert lines[0] == "::error title=a%2Cb%3A c%25%0Ad%3A coco-boxes/AP::regressed"
    assert sum(line.startswith("::error title=net") for line in lines) == MOST - 1
    assert lines[-1].startswith("::error title=hrbench gate::regressed%3A".replace("%3A", ":"))


def test_what_passes_is_a_notice() -> None:
    assert workflow_commands(decision(SAME)).startswith("::notice title=hrbench gate::passed")


@pytest.mark.parametrize("found", [(WORSE,), (WORSE, FAILED, OPEN), (parameters(1, 2), SAME), ()])
def test_the_document_is_what_jenkins_and_gitlab_take(found) -> None:
    made = junit(decision(*found))
    assert made.startswith(b"<?xml")
    assert JUnitXml.fromstring(made) is not None
    SCHEMA.validate(made.decode())


def test_the_schema_refuses_what_they_would_not_take() -> None:
    made = junit(decision(WORSE)).decode()
    for old, new in (("failures=", "failed="), ('time="0"', 'time="-1"'), ("<failure", "<skipped/><failure")):
        assert old in made and not SCHEMA.is_valid(made.replace(old, new))
