"""Whether a report on the disk shows all that it would show if it were written again: then a run leaves it as it is.

A finished suite that is run again changes nothing, and its report may take longer than all else. What a report is made
of has a digest: the stored results and their pictures, tables and published figures, and hrbench itself. It stands in
`.report.json` beside the report, with size and time of each file that was written; a file that is not as it was written
is written again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from glob import escape
from pathlib import Path
from typing import Any

import msgspec

from hrbench.core.digests import digest, sha256
from hrbench.core.files import write_whole
from hrbench.core.plugins import installed_version
from hrbench.core.resources import shared
from hrbench.errors import HrbenchError
from hrbench.report.summary import FirstScreen
from hrbench.store.analyses import FILE as ANALYSIS
from hrbench.store.side_by_side import FOLDER, INDEX
from hrbench.types import Result
from hrbench.version import __version__

FILE = ".report.json"
_PACKAGE = Path(__file__).parents[1]
_CODE = (".py", ".j2", ".css", ".js", ".ttf")


def key_of(results: Sequence[Result], stated: Sequence[Any]) -> str:
    """Digest of what a report is made of. The same for a run folder that was moved, or is named another way.

    results: stored ones, each with its `folder`.
    stated: all else that the caller decides; its texts count.
    """
    runs = list(dict.fromkeys(map(_run, results)))
    return digest(
        {
            "results": [[runs.index(_run(result)), *_of_result(result)] for result in results],
            "stated": [repr(each) for each in stated],
            "pictures": [_facts_below(run, [run / FOLDER / INDEX]) for run in runs],
            "published": _facts(shared("reports/published").glob("*.yaml")),
            "code": _facts(path for path in _PACKAGE.rglob("*") if path.suffix in _CODE),
            "versions": [__version__, *(installed_version(name) for name in ("jinja2", "numpy"))],
        }
    )


def first_screen_of(folder: Path, key: str) -> FirstScreen | None:
    """What the first screen of the report in a folder says; None unless the report has this key, and each of its files
    is as it was written."""
    try:
        noted: Mapping[str, Any] = json.loads((folder / FILE).read_bytes())
        names = [Path(name) for name, _, _ in noted["files"]]
        if noted["key"] != key or not names or any(name.is_absolute() or ".." in name.parts for name in names):
            return None
        if noted["files"] == _facts_below(folder, [folder / name for name in names]):
            return msgspec.convert(noted["first"], FirstScreen)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # msgspec's error is a ValueError
        pass
    return None


def note(folder: Path, key: str, written: Sequence[Path], first: FirstScreen) -> None:
    """Notes the key of a report that was written just now. A folder that cannot be written has it written again.

    folder: of the report.
    written: its files, those of its figures too.
    first: what its first screen says.
    """
    text = json.dumps({"key": key, "files": _facts_below(folder, written), "first": asdict(first)})
    with contextlib.suppress(HrbenchError):
        write_whole(folder / FILE, lambda stream: stream.write(text.encode()))


def _facts_below(folder: Path, paths: Iterable[Path]) -> list[list[Any]]:
    """The facts of files by their path in the folder, which may be moved."""
    return [[str(Path(path).relative_to(folder)), *facts] for path, *facts in _facts(paths)]


def _of_result(result: Result) -> list[Any]:
    folder = Path(result.folder)
    beside = [*(drawing.file for drawing in result.drawings), *([result.log] if result.log else [])]
    beside += [ANALYSIS] if ANALYSIS in result.files else []
    past = sorted(path.name for path in folder.parents[1].glob(f"superseded/{escape(folder.name)}.*"))
    files = _facts_below(folder, [folder / name for name in beside])
    return [folder.name, sha256(folder / "result.json"), files, past]


def _run(result: Result) -> Path:
    return Path(result.folder).parents[1]


def _facts(paths: Iterable[Path]) -> list[list[Any]]:
    """Path, size and time of the last change of each file, sorted; those that are not there have neither."""
    found = []
    for path in paths:
        try:
            status = path.stat()
            found.append([str(path), status.st_size, status.st_mtime_ns])
        except OSError:
            found.append([str(path), None, None])
    return sorted(found)
