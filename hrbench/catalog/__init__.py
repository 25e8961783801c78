"""Model variants and data sets that hrbench knows by name, as data in the YAML files of this folder.

    variants()["pose_hrnet_w32_coco_256x192"].parameters   # 28536113
    datasets()["mpii-val"].metrics                          # ("mpii-pckh",)

A file holds `models:` and `datasets:`, each a mapping of name -> fields of `types.Variant` or `types.DatasetRow`.
`defaults:` in either of them gives the default fields of its rows. Files are read in alphabetical order, once per
process; miniatures come last. Every command needs the catalog, so that its rows are also kept as JSON (`compiled.py`),
which is read in a twentieth of the time.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hrbench.catalog import compiled
from hrbench.types import DatasetRow, Variant

__all__ = ["datasets", "read", "variants"]

FOLDER = Path(__file__).parent


def variants() -> dict[str, Variant]:
    """Model variants by name, in the order of the files. A fresh dictionary each time."""
    return dict(_shipped().models)


def datasets() -> dict[str, DatasetRow]:
    """Data sets by name, in the order of the files. A fresh dictionary each time."""
    return dict(_shipped().datasets)


def read(paths: list[Path]) -> tuple[dict[str, Variant], dict[str, DatasetRow]]:
    """Rows of several catalog files together.

    Raises InputError that names the file, the line, the row and the field at fault.
    """
    from hrbench.catalog import rows  # imported here: it loads pydantic and a parser of YAML

    return rows.read(paths)


@cache
def _shipped() -> compiled.Catalog:
    return compiled.load(FOLDER, lambda: _from_yaml(sorted(FOLDER.glob("*.yaml"))))


def _from_yaml(paths: list[Path]) -> compiled.Catalog:
    """The rows of the files, the miniatures last."""
    models, sets = read(paths)
    return compiled.Catalog(
        {name: row for last in (False, True) for name, row in models.items() if row.miniature == last},
        {name: row for last in (False, True) for name, row in sets.items() if row.miniature == last},
    )
