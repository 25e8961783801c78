"""What hrbench knows by name: model variants and data sets, as data in the YAML files beside this one.

    variants()["pose_hrnet_w32_coco_256x192"].parameters   # 28536113
    datasets()["mpii-val"].metrics                          # ("mpii-pckh",)

A file holds `models:` and `datasets:`, each a mapping of name -> fields of `types.Variant` or `types.DatasetRow`.
`defaults:` within either is laid under each of its rows. Files are read in alphabetical order, once a process;
miniatures come last.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hrbench.core.text import suggestion
from hrbench.errors import InputError
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

    Raises InputError that names the file, the row and the field at fault.
    """
    models: dict[str, Variant] = {}
    sets: dict[str, DatasetRow] = {}
    for path in paths:
        content = _load(path)
        for section in content:
            if section not in ("models", "datasets"):
                raise InputError(f"{path.name}: unknown section {section!r}; {suggestion(str(section), SECTIONS)}")
        _add(models, Variant, content.get("models"), path)
        _add(sets, DatasetRow, content.get("datasets"), path)
    return models, sets


SECTIONS = ("models", "datasets")


def _load(path: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise InputError(f"{path.name}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: a catalog file is a mapping with {' and '.join(SECTIONS)}")
    return content


def _add(rows: dict[str, Row], kind: type[Row], section: Any, path: Path) -> None:
    if section is None:
        return
    if not isinstance(section, dict):
        raise InputError(f"{path.name}: models and datasets are mappings of name to fields")
    section = dict(section)
    defaults = section.pop("defaults", {})
    for name, row in section.items():
        where = f"{path.name}: {name}"
        if name in rows:
            raise InputError(f"{where}: this name is taken by an earlier row")
        if not isinstance(row, dict):
            raise InputError(f"{where}: a row is a mapping of fields")
        rows[name] = _row(kind, {**defaults, **row, "name": name}, where)


def _row(kind: type[Row], row: dict[str, Any], where: str) -> Row:
    known = [field.name for field in fields(kind)]
    for key in row:
        if key not in known:
            raise InputError(f"{where}: unknown field {key!r}; {suggestion(str(key), known)}")
    try:
        return _adapter(kind).validate_python(row)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(f"{where}: {field}: {first['msg']}") from error


@cache
def _adapter(kind: type[Row]) -> TypeAdapter[Row]:
    """What checks the fields of a row; making one takes as long as a hundred rows."""
    return TypeAdapter(kind)
