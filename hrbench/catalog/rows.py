"""Reads the YAML files of the catalog: rows that are checked field by field, with all errors named by their line."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from hrbench.core.text import suggestion
from hrbench.core.yaml import Node, load
from hrbench.errors import InputError, UsageError
from hrbench.types import DatasetRow, Variant

Row = TypeVar("Row", Variant, DatasetRow)


def read(paths: list[Path]) -> tuple[dict[str, Variant], dict[str, DatasetRow]]:
    """Rows of several catalog files together.

    Raises InputError that names the file, the line, the row and the field at fault.
    """
    models: dict[str, Variant] = {}
    sets: dict[str, DatasetRow] = {}
    for path in paths:
        content = _load(path)
        for section, node in content.items():
            if section not in SECTIONS:
                raise InputError(f"{node.where}: unknown section {section!r}; {suggestion(section, SECTIONS)}")
        _add(models, Variant, content.get("models"))
        _add(sets, DatasetRow, content.get("datasets"))
    return models, sets


SECTIONS = ("models", "datasets")


def _load(path: Path) -> dict[str, Node]:
    try:
        content = load(path, path.name)
    except UsageError as error:  # a shipped file: not an error of the user
        raise InputError(str(error)) from None
    if not isinstance(content.value, dict):
        raise InputError(f"{content.where}: a catalog file is a mapping with {' and '.join(SECTIONS)}")
    return content.value


def _add(rows: dict[str, Row], kind: type[Row], section: Node | None) -> None:
    if section is None or section.value is None:
        return
    if not isinstance(section.value, dict):
        raise InputError(f"{section.where}: models and datasets are mappings of name to fields")
    defaults = section.get("defaults") or Node({}, section.source)
    if not isinstance(defaults.value, dict):
        raise InputError(f"{defaults.where}: defaults are a mapping of fields")
    for name, row in section.value.items():
        if name == "defaults":
            continue
        if name in rows:
            raise InputError(f"{row.where}: {name}: this name is taken by an earlier row")
        if not isinstance(row.value, dict):
            raise InputError(f"{row.where}: {name}: a row is a mapping of fields")
        rows[name] = _row(kind, name, defaults.value | row.value, row)


def _row(kind: type[Row], name: str, fields_of: dict[str, Node], row: Node) -> Row:
    known = [field.name for field in fields(kind)]
    for key, node in fields_of.items():
        if key not in known:
            raise InputError(f"{node.where}: {name}: unknown field {key!r}; {suggestion(key, known)}")
    try:
        return _adapter(kind).validate_python({**{key: node.plain() for key, node in fields_of.items()}, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        where = fields_of.get(str(first["loc"][0]), row).where if first["loc"] else row.where
        raise InputError(f"{where}: {name}: {field}: {first['msg']}") from error


@cache
def _adapter(kind: type[Row]) -> TypeAdapter[Row]:
    """Validates the fields of a row. Creating one takes as long as a hundred rows."""
    return TypeAdapter(kind)
