"""Layouts: what ships reads well, and what is wrong in one of a user's own is named with its line."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from hrbench.errors import UsageError
from hrbench.report.layout import layout_names, read_layout
from hrbench.report.published import read_published
from hrbench.tasks.pose.task import TopDown

GOOD = """\
title: Ours
tables:
  - name: val
    rows: {dataset: ours-*}
    published: {rows: [{model: Ours, input: 256x192, AP: 70.0}]}
    columns:
      - {text: model}
      - {score: AP, published: AP, parts: [difference, measured], decimals: 2}
      - {cost: latency, where: {batch: 1}, group: Latency (ms)}
"""


def write(tmp_path, text):
    path = tmp_path / "table.yaml"
    path.write_text(text)
    return path


def test_notes_of_a_layout_are_those_of_its_tables_unless_they_say(tmp_path):
    assert [table.notes for table in read_layout(write(tmp_path, GOOD)).tables] == ["short"]
    full = write(tmp_path, GOOD.replace("tables:", "notes: full\ntables:"))
    assert [table.notes for table in read_layout(full).tables] == ["full"]
    none = write(tmp_path, full.read_text().replace("    rows:", "    notes: none\n    rows:"))
    assert [table.notes for table in read_layout(none).tables] == ["none"]
    with pytest.raises(UsageError, match=r"table.yaml:2: notes: unknown value 'ful'; did you mean full\?"):
        read_layout(write(tmp_path, GOOD.replace("tables:", "notes: ful\ntables:")))


@pytest.mark.parametrize("name", layout_names())
def test_layouts_that_ship_can_be_read_with_their_published_figures(name):
    layout = read_layout(name)
    assert layout.title
    published = read_published(layout)
    for table in layout.tables:
        keys = [column.published for column in table.columns if column.published]
        assert bool(keys) == (table.name in published)
        assert all(any(key in row for row in published[table.name]) for key in keys)


def test_the_pose_tables_find_all_published_rows():
    rows = read_published(read_layout("pose"))
    assert {name: len(found) for name, found in rows.items()} == {"pose-coco-val": 13, "pose-mpii": 7, "pose-cost": 13}


def test_a_single_table_has_a_name_of_its_own():
    assert [table.name for table in read_layout("pose-mpii").tables] == ["pose-mpii"]


def test_a_layout_of_ones_own(tmp_path):
    layout = read_layout(write(tmp_path, GOOD))
    (table,) = layout.tables
    assert (layout.name, layout.title, table.title, table.group) == ("table", "Ours", "val", "family")
    assert table.columns[1].parts == ("measured", "difference")
    assert table.columns[2].where == {"batch": 1}
    assert table.published is not None and table.published.rows[0]["AP"] == 70.0


def test_figures_of_coco_are_compared_only_under_all_the_settings_they_were_made_with():
    (table,) = read_layout("pose-coco-val").tables
    assert table.published is not None
    defaults = asdict(TopDown())
    older = [field.name for field in fields(TopDown) if not field.metadata.get("later")]
    required = {key: defaults[key] for key in older if key not in ("name", "version")}
    assert table.published.requires == {**required, "affine": None}  # the default, which entries leave out
    assert table.published.requires_images == 5000


def test_figures_of_mpii_require_what_its_protocol_reads():
    (table,) = read_layout("pose-mpii").tables
    assert table.published is not None
    assert table.published.requires == {"flip": True, "shift_heatmap": True, "quarter_offset": True}
    assert table.published.requires_images is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("score: AP,", "scor: AP,", "table.yaml:8: unknown key 'scor'; did you mean score?"),
        ("{text: model}", "{text: modl}", "table.yaml:7: text: unknown value 'modl'; did you mean model?"),
        ("{text: model}", "{text: model, cost: macs}", "table.yaml:7: a column has exactly one of"),
        ("[difference, measured]", "[delta]", "table.yaml:8: parts: unknown value 'delta'"),
        ("published: AP, ", "", "table.yaml:8: a column that shows published figures needs `published:`"),
        ("decimals: 2", "decimals: two", "table.yaml:8: decimals: a whole number from 0 to 9"),
        ("rows: {dataset", "rows: {datasets", "table.yaml:4: unknown key 'datasets'; did you mean dataset?"),
        ("{rows: [{", "{file: pose, rows: [{", "table.yaml:5: published figures have either"),
        ("tables:", "table:", "table.yaml:2: unknown key 'table'; did you mean tables?"),
        ("title: Ours", "title: Ours\ntitle: again", "table.yaml:2: duplicate key 'title', first written in line 1"),
        ("title: Ours", "title: [", "table.yaml:"),
        ("{rows: [{", "{requires_images: many, rows: [{", "table.yaml:5: requires_images: a whole number from 1 on"),
        ("title: Ours", f"title: {'9' * 6000}", "table.yaml:1: '9999999999999999999999999999999999999999': Exceeds"),
        ("title: Ours", f"title: 0x{'f' * 6000}", "table.yaml:1: '0xffffffffffffffffffffffffffffffffffffff': a number"),
        ("title: Ours", f"title: {'[' * 1200}", "table.yaml:1: nested too deeply"),
        ("parts: [difference, measured]", "parts: 3", "table.yaml:8: parts: a list is needed, not 3"),
        ("decimals: 2", "decimals: true", "table.yaml:8: decimals: a whole number from 0 to 9"),
        ("decimals: 2", "bold: 2", "table.yaml:8: bold: unknown value 2; known: true, false, null"),
        ("decimals: 2", "varies: 1", "table.yaml:8: varies: unknown value 1; known: true, false"),
        (
            "{rows: [{",
            "{notes: [{text: a, where: b}], rows: [{",
            "table.yaml:5: `key: value` pairs are needed here, not str",
        ),
        ("{rows: [{", "{notes: [{text: a, columns: b}], rows: [{", "table.yaml:5: columns: a list is needed, not 'b'"),
        ("rows: {dataset: ours-*}", "rows: 3", "table.yaml:4: `key: value` pairs are needed here, not int"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path, old, new, complaint):
    assert old in GOOD
    with pytest.raises(UsageError) as caught:
        read_layout(write(tmp_path, GOOD.replace(old, new, 1)))
    assert complaint in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_unknown_names_come_with_a_suggestion():
    with pytest.raises(UsageError, match=r"no table layout pose-coco: .* did you mean pose-co"):
        read_layout("pose-coco")


@pytest.mark.parametrize(
    ("published", "complaint"),
    [
        ("{file: nowhere, section: a}", "no published figures nowhere"),
        ("{file: pose, section: coco}", "no list of rows under 'coco'; sections: notes, coco_keypoints, mpii"),
    ],
)
def test_published_figures_that_are_not_there(tmp_path, published, complaint):
    text = GOOD.replace("{rows: [{model: Ours, input: 256x192, AP: 70.0}]}", published)
    with pytest.raises(UsageError, match=complaint):
        read_published(read_layout(write(tmp_path, text)))


def test_a_value_of_published_figures_that_cannot_be_read(tmp_path):
    (tmp_path / "own.yaml").write_text(f"val:\n- {{model: Ours, AP: {'9' * 6000}}}\n")
    text = GOOD.replace("{rows: [{model: Ours, input: 256x192, AP: 70.0}]}", "{file: own.yaml, section: val}")
    with pytest.raises(UsageError, match=r"own\.yaml:2: '9+': Exceeds the limit"):
        read_published(read_layout(write(tmp_path, text)))


def test_days_are_names_like_any_other(tmp_path):
    """Also those that no month has."""
    layout = read_layout(write(tmp_path, GOOD.replace("title: Ours", "title: 2001-13-45", 1)))
    assert layout.title == "2001-13-45"


def test_published_figures_in_a_file_beside_the_layout(tmp_path):
    (tmp_path / "own.yaml").write_text("val:\n- {model: Ours, AP: 71.5}\n")
    text = GOOD.replace("{rows: [{model: Ours, input: 256x192, AP: 70.0}]}", "{file: own.yaml, section: val}")
    assert read_published(read_layout(write(tmp_path, text))) == {"val": [{"model": "Ours", "AP": 71.5}]}
