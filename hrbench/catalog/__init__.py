"""Model variants and data sets that hrbench knows by name, as data in the YAML files of this folder.

    variants()["pose_hrnet_w32_coco_256x192"].parameters   # 28536113
    datasets()["mpii-val"].metrics                          # ("mpii-pckh",)

A file holds `models:` and `datasets:`, each a mapping of name -> fields of `types.Variant` or `types.DatasetRow`.
`defaults:` in either of them gives the default fields of its rows. Files are read in alphabetical order, once per
process; miniatures come last.
"""

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

__all__ = ["datasets", "read", "variants"]

Row = TypeVar("Row", Variant, DatasetRow)
FOLDER = Path(__file__).parent


def variants() -> dict[str, Variant]:
    """Model variants by name, in the order of the files. A fresh dictionary each time."""
    return dict(_shipped()[0])


def datasets() -> dict[str, DatasetRow]:
    """Data sets by name, in the order of the files. A fresh dictionary each time."""
    return dict(_shipped()[1])


@cache
def _shipped() -> tuple[dict[str, Variant], dict[str, DatasetRow]]:
    models, sets = read(sorted(FOLDER.glob("*.yaml")))
    return _miniatures_last(models), _miniatures_last(sets)


def _miniatures_last(rows: dict[str, Row]) -> dict[str, Row]:
    return dict(sorted(rows.items(), key=lambda item: item[1].miniature))


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
