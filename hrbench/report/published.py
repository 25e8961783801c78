"""Published figures: read from `reports/published`, and linked to the networks of measured results."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hrbench.core import yaml
from hrbench.core.resources import shared
from hrbench.errors import UsageError
from hrbench.judge.comparability import same_value
from hrbench.report.layout import Layout, PublishedLayout
from hrbench.types import Result, Variant

Rows = Sequence[Mapping[str, Any]]


def read_published(layout: Layout) -> dict[str, Rows]:
    """Table name -> its published rows, as the layout names them.

    Raises `UsageError` for a missing file or section, and for a row that is not valid.
    """
    found: dict[str, Rows] = {}
    for table in layout.tables:
        if table.published is None:
            continue
        rows = table.published.rows or _section(table.published, layout.folder)
        found[table.name] = [row for row in rows if _has(row, table.published.where)]
    return found


def find_row(rows: Rows, result: Result, source: PublishedLayout) -> Mapping[str, Any] | None:
    """The published row of the network of a result, or None.

    A row names an `entry`, a `variant`, or a `model` with its `input`. The last two are compared with the variant's
    link to the literature (`Variant.published`), or with its title and input if it has no link and the rows come from
    a user's file.
    """
    variant = result.entry.variant
    if variant.miniature or (result.entry.dataset is not None and result.entry.dataset.miniature):
        return None
    for row in rows:
        if row.get("entry") == result.name or row.get("variant") == variant.name:
            return row
    link = {key: value for key, value in variant.published.items() if key not in ("file", "section")}
    if source.file in published_names():
        if (variant.published.get("file"), variant.published.get("section")) != (source.file, source.section):
            return None
    elif not link:
        link = {"model": variant.title or variant.name}
        if all(variant.input):  # predictions without a network have none
            link["input"] = "{}x{}".format(*variant.input)
    return next((row for row in rows if "model" in row and _has(row, link, only_known=True)), None)


def linked_row(link: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The published row that a variant's `published` names, or None if there is none.

    Raises `UsageError` for a missing file or section.
    """
    source = PublishedLayout(file=link.get("file", ""), section=link.get("section", ""))
    fields = {key: value for key, value in link.items() if key not in ("file", "section")}
    return next((row for row in _section(source, shared("reports/published")) if _has(row, fields)), None)


# Published cost -> the quantity with the same counting convention; SpineNet's flops are multiply-adds / 10^9.
_COSTS = {"params_M": "parameters", "params": "parameters", "gflops": "hrnet-paper", "flops": "macs"}


def cost_rows(results: Sequence[Result]) -> list[Mapping[str, Any]]:
    """Published costs of these networks: {variant, source, quantity: figure in shown units}.

    Operations depend on the input size: they are left out if the source has another size than the measured one. (A
    network of the catalog with another input in a suite has no link.)
    """
    rows: dict[str, Mapping[str, Any]] = {}
    for variant in (result.entry.variant for result in results):
        found = linked_row(variant.published) if variant.published and not variant.miniature else None
        if found is None or variant.name in rows:
            continue
        sized = _of_input(found, variant)
        figures = {
            quantity: found[key]
            for key, quantity in _COSTS.items()
            if isinstance(found.get(key), (int, float)) and (sized or quantity == "parameters")
        }
        if figures:
            rows[variant.name] = {"variant": variant.name, "source": found.get("source", "not given"), **figures}
    return list(rows.values())


def _of_input(row: Mapping[str, Any], variant: Variant) -> bool:
    """Whether a row's operations are of the input at which the network is measured."""
    stated = str(row.get("gflops_size") or row.get("input") or "")
    height, _, width = stated.partition("x")
    return not stated or (height, width or height) == tuple(map(str, variant.input))


def notes_for(source: PublishedLayout, row: Mapping[str, Any], column: str) -> list[str]:
    """Footnotes that belong to one published figure."""
    texts = []
    for note in source.notes:
        patterns = note.get("where") or {}
        fits = all(fnmatch.fnmatchcase(str(row.get(key, "")), str(pattern)) for key, pattern in patterns.items())
        if fits and column in (note.get("columns") or [column]):
            texts.append(str(note.get("text", "")))
    return texts


def published_names() -> list[str]:
    """Names of the files of published figures that ship with hrbench."""
    return sorted(path.stem for path in shared("reports/published").glob("*.yaml"))


@lru_cache(maxsize=16)
def _document(path: Path, changed: int) -> Any:
    """A file's content. changed: when it was, so that a newer one is read again; several tables read one file."""
    return yaml.load_plain(path)


def _section(source: PublishedLayout, folder: Path) -> list[Mapping[str, Any]]:
    path = folder / source.file
    if not path.is_file():
        path = shared("reports/published") / f"{source.file}.yaml"
    if not path.is_file():
        known = ", ".join(published_names())
        raise UsageError(f"no published figures {source.file}: neither {folder / source.file} nor one of {known}")
    document = _document(path, path.stat().st_mtime_ns)
    rows = document.get(source.section) if isinstance(document, Mapping) else document
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        sections = ", ".join(str(key) for key in document) if isinstance(document, Mapping) else "none"
        raise UsageError(f"{path}: no list of rows under {source.section!r}; sections: {sections}")
    return rows


def _has(row: Mapping[str, Any], fields: Mapping[str, Any], only_known: bool = False) -> bool:
    """Whether the row has these fields and values; with `only_known`, fields that it does not have are ignored."""
    return all(same_value(row[key], value) if key in row else only_known for key, value in fields.items())
