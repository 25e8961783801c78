"""Where the files that ship with hrbench lie, installed from a wheel or run from a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def shared(folder: str) -> Path:
    """A folder of shipped files: `folder` is "suites", "reports/published" or "reports/tables".

    A wheel has them under hrbench/share, a checkout next to the package.
    """
    installed = PACKAGE / "share" / folder
    return installed if installed.is_dir() else PACKAGE.parent / folder
