"""Run folders wherever they lie: to write in, to read from, and folders for pages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hrbench.core.remote import Remote
from hrbench.store.elsewhere.connections import remote_at
from hrbench.store.elsewhere.lease import Lease
from hrbench.store.elsewhere.mirror import RunMirror, mirror_folder
from hrbench.store.elsewhere.objects import RunStore, at_once
from hrbench.store.elsewhere.snapshot import Needs, has_run, snapshot, view_of
from hrbench.store.places import place_of
from hrbench.store.run_folder import RunFolder


def run_folder(place: str | Path) -> RunFolder:
    """The run folder at a path or address, to run in.

    Raises UsageError for an address that is not understood, MissingError if a library is not installed.
    """
    place = place_of(place)
    if isinstance(place, Path):
        return RunFolder(place)
    mirror = RunMirror.open(place)
    return RunFolder(mirror.path, mirror)


def folder_to_resume(place: str | Path) -> RunFolder:
    """A run folder to see what a run would find in it; nothing is written. It need not exist."""
    place = place_of(place)
    if isinstance(place, Path):
        return RunFolder(place)
    return RunFolder(read_folder(place, Needs.ALL) if is_run(place) else mirror_folder(place) / "none")


def is_run(place: str | Path) -> bool:
    """Whether a run folder or baseline lies there. Raises StorageError if the store does not answer."""
    place = place_of(place)
    return (place / "entries").is_dir() if isinstance(place, Path) else has_run(place)


def read_folder(place: str | Path, needs: Needs) -> Path:
    """A path under which a run folder or baseline can be read: itself, or a copy of what is needed of it.

    Raises MissingError if there is nothing at an address, InputError if something there is damaged or lost.
    """
    place = place_of(place)
    return place if isinstance(place, Path) else snapshot(place, needs)


def folder_of_runs(place: str | Path, needs: Needs) -> Path:
    """A folder in which run folders or baselines can be read that lie below a path or address."""
    place = place_of(place)
    return place if isinstance(place, Path) else view_of(place, needs)


@contextmanager
def output_folder(place: str | Path) -> Iterator[Path]:
    """A folder to write pages into: itself, or one whose files are uploaded at the end, under their own names."""
    place = place_of(place)
    if isinstance(place, Path):
        yield place
        return
    remote = remote_at(place)
    with tempfile.TemporaryDirectory(prefix="hrbench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        upload_pages(Path(folder), remote)


@contextmanager
def run_pages(folder: RunFolder, place: str | Path) -> Iterator[tuple[RunFolder, Path]]:
    """After a run: its folder to read from, and where its report is written; pages are uploaded at the end.

    place: as it was given to `run_folder`.
    """
    if folder.elsewhere is None:
        yield folder, folder.path
        return
    with output_folder(place) as pages:
        yield RunFolder(read_folder(place, Needs.PICTURES)), pages


def save_folder(folder: Path, url: str) -> None:
    """Stores a folder that has the form of a run folder; what the address holds is replaced."""
    RunMirror(RunStore.open(url), folder).replace()


def remove_folder(url: str) -> None:
    """Deletes a run folder. Raises UsageError if a run writes it."""
    store = RunStore.open(url)
    lease = Lease.take(store)
    lease.abandon()
    for folder in ("commits", "leases", "objects"):
        at_once(store.remote.list(folder), lambda one, folder=folder: store.remote.delete(f"{folder}/{one.name}"))


def upload_pages(folder: Path, remote: Remote) -> None:
    """Uploads the files of a folder under their own names; hidden ones are left out."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    seen = [(name, path) for name, path in names.items() if not any(part[0] == "." for part in name.split("/"))]
    last = [one for one in seen if one[0].endswith(".html")]  # they lead to the others
    for some in ([one for one in seen if one not in last], last):
        at_once(some, lambda one: remote.put(*one))
