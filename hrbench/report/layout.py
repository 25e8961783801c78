"""Layouts: which tables a report has, which results are their rows and which quantities their columns.

A layout is a YAML file, `reports/tables/pose.yaml` or a user's:

```yaml
title: Our networks
notes: short                               # in LaTeX: short, full (with all settings of the protocol) or none
rest: false                                # true: results and costs that no table shows get tables of their own
tables:
  - name: val                              # becomes the table's id and LaTeX label
    title: COCO val2017
    caption: One or two sentences.
    rows: {task: pose, dataset: coco-*, protocol: {flip: true}, miniature: false}   # patterns; left out: everything
    group: family                          # family, dataset, run or none
    published: {file: pose, section: coco_keypoints, where: {split: val2017}, requires: {flip: true},
                requires_images: 5000, show: linked}
    columns:
      - {text: model}
      - {cost: latency, where: {batch: 1}, label: "batch 1", group: Latency (ms)}
      - {score: AP, published: AP, parts: [measured, interval, published, difference]}
```

The parts `p90` and `p99` of a latency are upper bounds of these percentiles; the part `spread` of operations on images
is their standard deviation.

`published` names a file of `reports/published` (or a path beside the layout) and a section in it, or contains `rows:`.
Its figures are in the units of a table: points, M, G, ms. `requires` are protocol fields of the published figures,
`requires_images` the number of images of their data set. If a measured row differs in one of them, no difference is
computed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from hrbench.core import yaml
from hrbench.core.resources import shared
from hrbench.errors import UsageError
from hrbench.types import Unit

Part = Literal["measured", "spread", "interval", "p90", "p99", "published", "difference"]
Source = Literal["text", "score", "cost"]
Grouping = Literal["family", "dataset", "run", "none"]
Notes = Literal["short", "full", "none"]
"""What stands below a table in LaTeX: notes without settings of a protocol that all rows have, all notes, or none."""
TEXTS = (
    "model", "input", "entry", "variant", "dataset", "protocol", "device", "dtype", "runtime", "weights", "run",
    "stability",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """One quantity of a table, or one text about its rows.

    name: of the quantity, or one of `TEXTS`.
    parts: what is shown of it, always in the order of `Part`.
    published: key in the published rows.
    where: conditions that a cost must have.
    unit: for quantities that no result has yet.
    bold: whether the best is set in bold (None: scores are, costs are not).
    metric: of a score, "" for any.
    varies: whether to leave a text out if it is the same in all rows.
    """

    source: Source
    name: str
    label: str = ""
    group: str = ""
    decimals: int | None = None
    parts: tuple[Part, ...] = ("measured",)
    published: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    unit: Unit | None = None
    bold: bool | None = None
    metric: str = ""
    varies: bool = False


@dataclass(frozen=True, slots=True)
class PublishedLayout:
    """The source of a table's published figures, and what they may be compared with.

    file, section: a file of `reports/published` (or a path) and a list in it; or:
    rows: the rows themselves.
    where: fields that a row must have.
    requires: protocol fields that a comparable result must have.
    requires_images: number of images of its data set, None for any.
    show: "linked" for rows beside measured ones only, or "all".
    notes: footnotes, each {text, where (patterns of row fields), columns (their keys)}.
    """

    file: str = ""
    section: str = ""
    rows: tuple[Mapping[str, Any], ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    requires: Mapping[str, Any] = field(default_factory=dict)
    requires_images: int | None = None
    show: Literal["linked", "all"] = "linked"
    notes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class TableLayout:
    """One table.

    rows: patterns for `task`, `dataset`, `metric`, `variant`, `entry`; settings of the `protocol`; and
        `miniature: true|false`.
    group: what rows are grouped by.
    notes: what stands below the table in LaTeX.
    folded: whether the page shows it only when it is opened.
    by_class: whether it has a row for each class, and a column for each network (`class_tables.py`).
    """

    name: str
    title: str
    columns: tuple[ColumnLayout, ...]
    rows: Mapping[str, Any] = field(default_factory=dict)
    caption: str = ""
    group: Grouping = "family"
    published: PublishedLayout | None = None
    notes: Notes = "short"
    folded: bool = False
    by_class: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The tables of a report, in order.

    folder: that paths in it are relative to.
    rest: whether results and costs that no table shows get tables of their own.
    """

    name: str
    tables: tuple[TableLayout, ...]
    title: str = ""
    folder: Path = Path()
    rest: bool = False


def layout_names() -> list[str]:
    """Names of the layouts that ship with hrbench."""
    return sorted(path.stem for path in shared("reports/tables").glob("*.yaml"))


def read_layout(source: str | Path) -> Layout:
    """The layout with this name, or in the file at this path.

    The name of a single table of a layout that ships with hrbench, such as "pose-mpii", gives that table alone.
    Raises `UsageError`, with file and line, for a file that is missing or not valid.
    """
    name = str(source)
    if name in layout_names():
        return _read(shared("reports/tables") / f"{name}.yaml")
    if Path(name).is_file():
        return _read(Path(name))
    tables: list[str] = []
    for layout in map(read_layout, layout_names()):
        for table in layout.tables:
            if table.name == name:
                return replace(layout, name=name, tables=(table,), rest=False)
            tables.append(table.name)
    known = layout_names() + tables
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    raise UsageError(f"no table layout {name}: neither a file nor a known name; {hint}")


def _read(path: Path) -> Layout:
    top = LayoutNode(yaml.load(path)).fields("title notes rest tables")
    notes = top.choice("notes", get_args(Notes), "short")
    tables = tuple(_table(node, notes) for node in top.items("tables"))
    if not tables:
        raise UsageError(f"{path}:1: a layout needs `tables:`, a list of at least one table")
    names = [table.name for table in tables]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"{path}: two tables are called {twice!r}; give each another `name:`")
    return Layout(path.stem, tables, top.text("title"), path.parent, bool(top.choice("rest", (True, False), False)))


def _table(node: LayoutNode, notes: Notes) -> TableLayout:
    node.fields("name title caption rows group published notes columns")
    columns = tuple(_column(item) for item in node.items("columns"))
    if not columns:
        node.fail("a table needs `columns:`, a list of at least one column")
    name = node.text("name") or "table"
    published = _published(node.child("published")) if "published" in node.value else None
    return TableLayout(
        name=name,
        title=node.text("title") or name,
        columns=columns,
        rows=_rows(node.child("rows")) if "rows" in node.value else {},
        caption=node.text("caption"),
        group=node.choice("group", get_args(Grouping), "family"),
        published=published,
        notes=node.choice("notes", get_args(Notes), notes),
    )


def _rows(node: LayoutNode) -> dict[str, Any]:
    rows = node.fields("task dataset metric variant entry protocol miniature").value
    if "protocol" in rows and not isinstance(rows["protocol"], dict):
        node.fail("rows.protocol is a mapping of settings, {flip: true}", "protocol")
    return rows


def _column(node: LayoutNode) -> ColumnLayout:
    node.fields("text score cost label group decimals parts published where unit bold metric varies")
    sources = [source for source in get_args(Source) if source in node.value]
    if len(sources) != 1:
        node.fail("a column has exactly one of `text:`, `score:`, `cost:`")
    source = sources[0]
    if source == "text":
        node.choice("text", TEXTS, "")
    parts = node.listed("parts") or ["measured"]
    for part in parts:
        node.expect(part, get_args(Part), "parts")
    decimals = node.value.get("decimals")
    if decimals is not None and (type(decimals) is not int or not 0 <= decimals <= 9):
        node.fail(f"decimals: a whole number from 0 to 9 is needed, not {decimals!r}", "decimals")
    published = node.text("published")
    if not published and {"published", "difference"} & set(parts):
        node.fail("a column that shows published figures needs `published:`, their key in the published rows", "parts")
    return ColumnLayout(
        source=source,
        name=node.text(source),
        label=node.text("label"),
        group=node.text("group"),
        decimals=decimals,
        parts=tuple(part for part in get_args(Part) if part in parts),
        published=published,
        where=node.child("where").value if "where" in node.value else {},
        unit=node.choice("unit", get_args(Unit), None),
        bold=node.choice("bold", (True, False, None), None),
        metric=node.text("metric"),
        varies=bool(node.choice("varies", (True, False), False)),
    )


def _published(node: LayoutNode) -> PublishedLayout:
    node.fields("file section rows where requires requires_images show notes")
    if ("file" in node.value) == ("rows" in node.value):
        node.fail("published figures have either `file:` with `section:`, or `rows:` in line")
    images = node.value.get("requires_images")
    if images is not None and (not isinstance(images, int) or isinstance(images, bool) or images < 1):
        node.fail(f"requires_images: a whole number from 1 on is needed, not {images!r}", "requires_images")
    return PublishedLayout(
        file=node.text("file"),
        section=node.text("section"),
        rows=tuple(item.value for item in node.items("rows")),
        where=node.child("where").value if "where" in node.value else {},
        requires=node.child("requires").value if "requires" in node.value else {},
        requires_images=None if images is None else int(images),
        show=node.choice("show", ("linked", "all"), "linked"),
        notes=tuple(_note(item) for item in node.items("notes")),
    )


def _note(node: LayoutNode) -> Mapping[str, Any]:
    node.fields("text where columns").listed("columns")
    if node.value.get("where") is not None:
        node.child("where")
    return node.value


class LayoutNode:
    """A mapping in the file. value: as plain values; `node` has its lines, for messages."""

    def __init__(self, node: yaml.Node) -> None:
        self.node, self.value = node, node.plain()
        if not isinstance(self.value, dict):
            raise UsageError(f"{node.where}: `key: value` pairs are needed here, not {type(self.value).__name__}")

    def fail(self, message: str, key: str = "") -> NoReturn:
        raise UsageError(f"{(self.node.get(key) or self.node).where}: {message}")

    def fields(self, known: str) -> LayoutNode:
        for key in self.value:
            self.expect(key, known.split(), "", str(key))
        return self

    def expect(self, value: Any, known: Sequence[Any], field: str, key: str = "") -> None:
        if any(value is one or (type(value) is type(one) and value == one) for one in known):
            return
        words = [{True: "true", False: "false", None: "null"}.get(one, str(one)) for one in known]
        near = difflib.get_close_matches(str(value)[:200], words, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(words)}"
        self.fail(
            f"{field + ': ' if field else ''}unknown {'value' if field else 'key'} {value!r}; {hint}", key or field
        )

    def text(self, key: str) -> str:
        value = self.value.get(key)
        try:
            return "" if value is None else str(value)
        except ValueError as error:  # a number of thousands of digits
            self.fail(f"{key}: {error}", key)

    def choice(self, key: str, known: Sequence[Any], default: Any) -> Any:
        if key not in self.value:
            return default
        self.expect(self.value[key], known, key)
        return self.value[key]

    def listed(self, key: str) -> list[Any]:
        """A list of plain values, empty if there is none."""
        found = self.value.get(key)
        if found is not None and not isinstance(found, list):
            self.fail(f"{key}: a list is needed, not {found!r}", key)
        return found or []

    def child(self, key: str) -> LayoutNode:
        return LayoutNode(self.node.value[key])

    def items(self, key: str) -> list[LayoutNode]:
        listed = self.node.get(key)
        if listed is None or not listed.value:
            return []
        if not isinstance(listed.value, list):
            self.fail(f"{key}: a list is needed", key)
        return [LayoutNode(node) for node in listed.value]
