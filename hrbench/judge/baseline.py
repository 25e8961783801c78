"""Baselines: what a release was judged to be, small enough to commit.

    reports/baselines/NAME/
      baseline.json suite.yaml run.json environment.json
      entries/<entry>/result.json states.npz gallery/*.jpg

A baseline is a run folder without predictions, and without pictures unless small ones of the worst images are asked
for; the results hold the digests of the predictions, so equal ones are recognised. It is read with every check of a run
folder.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hrbench.core.digests import sha256
from hrbench.core.files import whole_folder, write_whole
from hrbench.core.text import suggestion
from hrbench.errors import HrbenchError, InputError, MissingError, UsageError
from hrbench.store.elsewhere.runs import is_run, read_folder, remove_folder, save_folder
from hrbench.store.elsewhere.snapshot import Needs, runs_below
from hrbench.store.integrity import changed_files
from hrbench.store.places import below, place_of, shown
from hrbench.store.run_folder import RunFolder
from hrbench.types import Result
from hrbench.version import __version__

FOLDER = Path("reports/baselines")
FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")
_COPIED = ("suite.yaml", "run.json", "environment.json")


class Baseline(msgspec.Struct, frozen=True):
    """The content of baseline.json.

    created: UTC, in ISO 8601.
    hrbench: version that saved it.
    entries: names of the entries it holds.
    pictures: path below the baseline -> SHA-256.
    """

    format: int
    name: str
    created: str
    hrbench: str
    note: str = ""
    entries: tuple[str, ...] = ()
    pictures: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Saved:
    """A baseline that was saved. left_out: entry -> why it is not in it, in a sentence."""

    baseline: Baseline
    path: str | Path
    bytes: int
    left_out: dict[str, str]


GALLERY = "gallery"
LONGEST_SIDE = 320
"""Of a picture in pixels."""


def save(
    run: str | Path,
    name: str,
    folder: str | Path = FOLDER,
    note: str = "",
    replace: bool = False,
    gallery: int = 0,
) -> Saved:
    """Saves the results and states of a run folder as a baseline.

    run, folder: paths or addresses.
    gallery: how many small pictures of each entry's worst images to keep, of those that the run rendered.

    Entries that failed or whose files have changed are left out and told.

    Raises UsageError for a name that is no plain name or is taken, MissingError if the run holds nothing to save.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a baseline: letters, digits and . _ + - only")
    source = RunFolder(read_folder(run, Needs.PICTURES if gallery else Needs.STATES))
    goal = below(place_of(folder), name)
    if not replace and (goal.exists() if isinstance(goal, Path) else is_run(goal)):
        raise UsageError(f"{shown(goal)} exists: choose another name, or --replace it")
    left_out: dict[str, str] = {}
    stored = source.results(skip=lambda text: left_out.update({text: text}))
    kept = [result for result in stored if _whole(result, left_out)]
    if not kept:
        raise MissingError(f"{shown(run)} holds no result to save; run its suite first")
    baseline = Baseline(
        FORMAT,
        name,
        datetime.now(UTC).isoformat(timespec="seconds"),
        __version__,
        note,
        tuple(result.name for result in kept),
    )
    with _made(goal, replace) as part:
        _fill(part, source, kept, baseline, gallery)
        size = sum(path.stat().st_size for path in part.rglob("*") if path.is_file())
    return Saved(baseline, goal, size, left_out)


@contextmanager
def _made(goal: str | Path, replace: bool) -> Iterator[Path]:
    """A folder to fill, which becomes the baseline at a path or address."""
    if isinstance(goal, Path):
        with whole_folder(goal, replace=replace) as part:
            yield part
        return
    with tempfile.TemporaryDirectory(prefix="hrbench-") as folder:
        yield Path(folder)
        save_folder(Path(folder), goal)


def _whole(result: Result, left_out: dict[str, str]) -> bool:
    """Whether a result may be in a baseline; else the reason is noted."""
    if result.status == "failed":
        left_out[result.name] = f"{result.name} failed: {result.reason}"
    elif wrong := changed_files(Path(result.folder), _states(result)):
        left_out[result.name] = f"{Path(result.folder) / wrong[0]} is not the file that was stored with the result"
    return result.name not in left_out


def gallery_digest(folder: Path, small: str) -> str:
    """SHA-256 of a small picture of an entry as its baseline has it; "" if it does not know it.

    folder: of the entry.
    small: path of the picture in it.
    """
    place = folder.resolve().parents[1]
    try:
        return read(place.name, place.parent).pictures.get(f"entries/{folder.name}/{small}", "")
    except HrbenchError:
        return ""


def _states(result: Result) -> dict[str, str]:
    return {name: digest for name, digest in result.files.items() if name.startswith("states") and "/" not in name}


def _fill(part: Path, source: RunFolder, results: Sequence[Result], baseline: Baseline, gallery: int) -> None:
    pictures: dict[str, str] = {}
    for name in _COPIED:
        if (source.path / name).is_file():
            shutil.copyfile(source.path / name, part / name)
    for result in results:
        entry = part / "entries" / result.name
        entry.mkdir(parents=True)
        for name in ("result.json", *_states(result)):
            shutil.copyfile(Path(result.folder) / name, entry / name)
        for drawing in [one for one in result.drawings if one.kind == "worst"][:gallery]:
            if not changed_files(Path(result.folder), {drawing.file: result.files.get(drawing.file, "")}):
                small = entry / GALLERY / Path(drawing.file).name
                _write_small(Path(result.folder) / drawing.file, small)
                pictures[small.relative_to(part).as_posix()] = sha256(small)
    baseline = msgspec.structs.replace(baseline, pictures=pictures)
    data = msgspec.json.format(msgspec.json.encode(baseline), indent=1) + b"\n"
    write_whole(part / "baseline.json", lambda stream: stream.write(data))


def _write_small(source: Path, goal: Path) -> None:
    from PIL import Image

    goal.parent.mkdir(exist_ok=True)
    with Image.open(source) as picture:
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        picture.convert("RGB").save(goal, quality=80)  # in the format of its name


def names(folder: str | Path = FOLDER) -> list[str]:
    """The baselines in a folder, sorted by name."""
    folder = place_of(folder)
    if isinstance(folder, str):
        return [name for name in runs_below(folder) if _file_of(below(folder, name)).is_file()]
    return sorted(path.parent.name for path in folder.glob("*/baseline.json"))


def _file_of(place: str | Path) -> Path:
    return read_folder(place, Needs.FILES) / "baseline.json"


def read(name: str, folder: str | Path = FOLDER) -> Baseline:
    """What is known of a baseline. Raises MissingError if there is none, InputError if baseline.json is damaged."""
    folder = place_of(folder)
    place, path = below(folder, name), None
    if _NAME.fullmatch(name) and (isinstance(place, Path) or is_run(place)):
        path = _file_of(place)
    if path is None or not path.is_file():
        raise MissingError(f"there is no baseline {name!r} in {shown(folder)}; {suggestion(name, names(folder))}")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Baseline)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}): save the baseline again") from None
    if found.format > FORMAT:
        raise InputError(f"{path} has format {found.format}, this hrbench reads {FORMAT}: use a newer hrbench")
    return found


def remove(name: str, folder: str | Path = FOLDER) -> str | Path:
    """Removes a baseline and returns where it was. Raises MissingError if there is none."""
    read(name, folder)
    folder = place_of(folder)
    if isinstance(folder, str):
        remove_folder(str(below(folder, name)))
        return below(folder, name)
    if (folder / name).is_symlink():
        raise UsageError(f"{folder / name} is a link, which hrbench never makes: remove it by hand")
    shutil.rmtree(folder / name)
    return folder / name
