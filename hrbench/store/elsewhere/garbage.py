"""Removes what no commit names any more, and what killed runs have left, under the lease.

An object is deleted `KEEP` after it is first known that the last commit does not name it, so whoever reads an older
commit finds its files for so long. Of commits the last `COMMITS` stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

import msgspec

from hrbench.errors import InputError, StorageError
from hrbench.store.elsewhere.lease import Lease, renewal_path
from hrbench.store.elsewhere.objects import RunStore, at_once
from hrbench.store.elsewhere.records import Commit, StoredFile, commit_path, moment, now

KEEP = timedelta(hours=24)
COMMITS = 20


def named(store: RunStore, commit: Commit) -> set[str] | None:
    """SHA-256 of all objects that a commit names; None if the list of a folder cannot be read."""
    found = {at.sha256 for at in commit.files.values()}

    def of_folder(one: tuple[str, StoredFile]) -> set[str] | None:
        name, at = one
        try:
            record = store.read_record(at, name)
        except (InputError, StorageError):
            return None
        return {at.sha256, *(file.sha256 for file in record.files.values())}

    for names in at_once(commit.folders.items(), of_folder):
        if names is None:
            return None
        found |= names
    return found


def sweep(lease: Lease) -> Commit:
    """Lists the objects, deletes old ones that are not named, and returns the commit with what is not named yet.

    Nothing is deleted if the list of a folder cannot be read.
    """
    store, commit = lease.store, lease.commit
    there = store.list_objects()
    used = named(store, commit)
    if used is None:
        return commit
    since = {sha: commit.unnamed.get(sha, now()) for sha in there if sha not in used}
    limit = lease.timing.today() - KEEP
    old = [sha for sha, time in since.items() if moment(time) < limit]
    at_once(old, lambda sha: _delete(store, sha))
    lease.commit = msgspec.structs.replace(
        commit, unnamed={sha: time for sha, time in sorted(since.items()) if sha not in old}
    )
    with suppress(StorageError):  # of no harm to anybody
        alive = renewal_path(lease.holder)
        past = [commit_path(number) for number in store.numbers()[:-COMMITS]]
        ended = {f"leases/{one.name}" for one in store.remote.list("leases")} - {alive}
        at_once([*past, *ended], store.remote.delete)
    return lease.commit


def _delete(store: RunStore, sha: str) -> None:
    store.remote.delete(StoredFile(sha, 0).object)
    store.there.pop(sha, None)


def dropped(
    store: RunStore, last: Commit, folders: Mapping[str, StoredFile], files: Mapping[str, StoredFile]
) -> dict[str, str]:
    """`Commit.unnamed` of the next commit: lists of files and files of the run folder that it no longer names.

    Files of an entry that are no longer named are found by the next run's `sweep`.
    """
    kept = {at.sha256 for at in (*folders.values(), *files.values())}
    gone = {at.sha256 for at in (*last.folders.values(), *last.files.values())} - kept
    since = {**dict.fromkeys(gone, now()), **last.unnamed}
    return {sha: time for sha, time in sorted(since.items()) if sha not in kept}
