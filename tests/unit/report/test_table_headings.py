"""Heading cells: each column has one, on a wide screen as on a narrow one."""

from __future__ import annotations

from dataclasses import replace

from report_factory import sample_table

from hrbench.report.grid import Column
from hrbench.report.summary import headline
from hrbench.report.table_headings import headings, narrow_headings, narrow_order


def test_heading_lines_cover_every_column_once():
    lines = headings(sample_table().columns)
    assert len(lines) == 3
    covered = [[0] * len(sample_table().columns) for _ in lines]
    for number, line in enumerate(lines):
        at = 0
        for heading in line:
            while covered[number][at]:
                at += 1
            for down in range(number, number + heading.rows):
                for across in range(at, at + heading.columns):
                    covered[down][across] += 1
    assert all(count == 1 for line in covered for count in line)
    leaves = sorted(heading.column for line in lines for heading in line if heading.column is not None)
    assert leaves == list(range(len(sample_table().columns)))


def test_a_score_has_its_unit_and_its_name_in_files():
    columns = sample_table().columns
    scores = [(one, columns[one.column]) for line in headings(columns) for one in line if one.column is not None]
    scores = [(one, column) for one, column in scores if column.part == "measured" and not column.cost]
    assert scores and all(one.unit in ("points", "") for one, _ in scores)
    assert all(one.description.endswith(f"In files and policies: {column.machine}.") for one, column in scores)
    error = Column("epe", "EPE (px)", "measured", 0, unit="px", better="lower", machine="points/epe")
    assert (error.measure, headings([error])[0][0].unit) == ("EPE (px)", "")
    mean = replace(error, heading="Mean", unit="points", label="PCKh@0.5 mean")
    assert (mean.measure, mean.alone, headings([mean])[0][0].unit) == (
        "PCKh@0.5 mean (points)",
        "PCKh@0.5 mean",
        "points",
    )


def test_a_narrow_screen_has_the_main_score_second():
    table = sample_table()
    order = narrow_order(table, headline(table))
    assert order[0] == 0 and order[1] == headline(table) and sorted(order) == list(range(len(table.columns)))
    lines = narrow_headings(table, order)
    leaves = sorted(one.column for line in lines for one in line if one.column is not None)
    assert leaves == list(range(len(table.columns)))
    assert narrow_order(table, None) == []
