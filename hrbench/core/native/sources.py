"""What the compiled helper is built of, and where it lies. The build reads this file, too: standard library only."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

SOURCES = Path(__file__).parent
LIBRARY = "hrbench_native" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
NOT_BUILT = "not_built.txt"  # in place of the library: why there is none
EDITABLE = "hrbench_native"  # folder beside the installed packages, where a checkout is installed in place


def sources(folder: Path = SOURCES) -> list[Path]:
    """The C files and headers, by name."""
    return sorted((*folder.glob("*.c"), *folder.glob("*.h")))


def digest(folder: Path = SOURCES) -> str:
    """SHA-256 of names and contents of the sources, in hex. Line endings do not count."""
    whole = hashlib.sha256()
    for path in sources(folder):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        whole.update(f"{path.name} {len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()


def folders() -> list[Path]:
    """Where the library, or the file that says why there is none, may lie: the first that has one counts."""
    return [SOURCES, *(Path(entry) / EDITABLE for entry in sys.path if entry)]
