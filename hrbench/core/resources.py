"""Where the files that ship with hrbench lie, installed from a wheel or run from a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def shared(kind: str) -> Path:
    """Folder of shipped files: `kind` is "suites", "reports/published" or "reports/tables".

    A wheel carries them under hrbench/share; a checkout has them beside the package.
    """
    installed = PACKAGE / "share" / kind
    return installed if installed.is_dir() else PACKAGE.parent / kind
