"""Who may write a run folder in an object store: the maker of its last commit, as long as it shows that it is alive.

Taking the folder over, and every change of it, is a commit under the next number, which the store creates only if
there is none. So two runs never both write, whatever their clocks say: the one whose number is taken was overtaken, and
stops. A store that ignores the condition is found out by asking it to create another commit under the same number;
there the number is looked up before each commit, and a run that takes the folder waits `SETTLE_SECONDS` and reads back
who has it.

While a run lives, a thread renews `leases/<token>.json` every `RENEW_SECONDS`. Another run refuses to take the folder
within `LEASE_SECONDS` of the last renewal by the clocks of the two machines. After that it watches for `WATCH_SECONDS`
by its own clock whether there is a renewal, since clocks differ. A run in the same local copy is known to have ended,
since its lock on the copy has ended with it, and is taken over at once.
"""

from __future__ import annotations

import os
import platform
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from hrbench.errors import HrbenchError, InputError, LostLeaseError, MissingError, StorageError, UsageError
from hrbench.store.elsewhere.objects import RunStore
from hrbench.store.elsewhere.records import Commit, Holder, commit_path, decode, encode, moment, now

LEASE_SECONDS = 120
RENEW_SECONDS = 30
WATCH_SECONDS = 45
SETTLE_SECONDS = 5
SKEW_SECONDS = 60
"""By how much the clocks of two machines are expected to differ at most."""

_TRIES = 3
"""How often a commit is created under a number that is said to be free."""


class Renewal(msgspec.Struct, frozen=True):
    """The content of leases/<token>.json. count: of renewals. renewed: UTC, in ISO 8601."""

    count: int
    renewed: str


@dataclass(frozen=True, slots=True)
class Timing:
    """How long what lasts, in seconds, and what measures it; for tests."""

    lease: float = LEASE_SECONDS
    renew: float = RENEW_SECONDS
    watch: float = WATCH_SECONDS
    settle: float = SETTLE_SECONDS
    sleep: Callable[[float], object] = time.sleep
    today: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(slots=True)
class Lease:
    """The right to write a run folder, held from `take` to `release`.

    commit: the last one, made by this holder.
    exclusive: whether the store creates a file only if there is none.
    note: what was found when it was taken, in a sentence; "" for nothing.
    overtaken: why it is lost, in a sentence; "" while it is held.
    """

    store: RunStore
    holder: Holder
    commit: Commit
    exclusive: bool = True
    note: str = ""
    overtaken: str = ""
    timing: Timing = field(default_factory=Timing)
    _count: int = 0
    _busy: threading.Lock = field(default_factory=threading.Lock)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @classmethod
    def take(
        cls,
        store: RunStore,
        mirror: str = "",
        timing: Timing | None = None,
        on_wait: Callable[[str], object] = lambda text: None,
    ) -> Lease:
        """Takes the folder, and begins to renew.

        mirror: of the local copy, whose lock the caller holds.
        on_wait: called with a sentence before a wait.

        Raises UsageError, in one line, if another run has it.
        """
        timing = timing or Timing()
        holder = Holder(secrets.token_hex(8), f"{platform.node()}, process {os.getpid()}", mirror, now())
        before, highest, note = store.latest_whole()
        if before is not None and before.held and not (mirror and before.holder.mirror == mirror):
            _wait_for_end(store, before, timing, on_wait)
        first = _next(before or Commit(), highest + 1, holder, held=True)
        if not _created(store, first):
            raise UsageError(_taken(store, _maker(store, first.number), timing))
        lease = cls(store, holder, first, note=note, timing=timing)
        # only a store that honours the condition refuses another one under the same number
        lease.exclusive = not store.remote.create(first.path, encode(_next(first, first.number, holder, held=True)))
        if not lease.exclusive:
            timing.sleep(timing.settle)
            if (other := _maker(store, first.number)) is None or other.holder != holder:
                raise UsageError(_taken(store, other, timing))
        lease._renew()
        lease._thread = threading.Thread(target=lease._keep, name="hrbench-lease", daemon=True)
        lease._thread.start()
        return lease

    def check(self) -> None:
        """Raises LostLeaseError if another run is known to have taken the folder."""
        if self.overtaken:
            raise LostLeaseError(self.overtaken)

    def make(self, commit: Commit) -> None:
        """Creates the next commit; its number, holder and time are set here. Raises LostLeaseError."""
        with self._busy:
            self.check()
            number = self.commit.number + 1
            if not self.exclusive:
                number = max(number, self._newest() + 1)
            for _ in range(_TRIES):
                made = _next(commit, number, self.holder, commit.held)
                if self.store.remote.create(made.path, encode(made)):
                    self.commit = made
                    return
                # there is one: of another run, or of this one, if the answer to an earlier try was lost
                number = max(number, self._newest() + 1)
            raise StorageError(
                f"{self.store.remote.address(commit_path(number))}: cannot be created, and does not exist"
            )

    def _newest(self) -> int:
        """The highest number there is. Raises LostLeaseError if it is of another run."""
        newest = max(self.store.numbers(), default=0)
        if newest > self.commit.number:
            other = _maker(self.store, newest)
            if other is not None and other.holder.token != self.holder.token:
                self._lose(other)
        return newest

    def release(self) -> None:
        """Ends the lease: the next run need not wait."""
        self._stop()
        if not self.overtaken:
            self.make(msgspec.structs.replace(self.commit, held=False))
            self.store.remote.delete(self._path)

    def abandon(self) -> None:
        """As `release`, where a fault of the store is of no interest any more: then the lease ends by itself."""
        with suppress(HrbenchError):
            self.release()

    def _stop(self) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(timeout=10)  # in a call that takes longer it harms nobody: what it writes is swept

    def _lose(self, other: Commit) -> None:
        who = f"another run ({other.holder.machine}, at {other.written})"
        self.overtaken = f"{self.store.url} was taken over by {who}, so this one stops before it writes any more"
        self.check()

    @property
    def _path(self) -> str:
        return renewal_path(self.holder)

    def _keep(self) -> None:
        """Renews until the end."""
        while not self._end.wait(self.timing.renew):
            with suppress(HrbenchError):  # a fault that lasts: the next commit tells whether the folder was taken
                self._look()
                self._renew()
            if self.overtaken:
                return

    def _look(self) -> None:
        """Notices that another run has taken the folder, long before the next commit may be due."""
        with self._busy:
            self._newest()

    def _renew(self) -> None:
        self._count += 1
        renewal = Renewal(self._count, self.timing.today().isoformat(timespec="seconds"))
        self.store.remote.write(self._path, encode(renewal))


def _created(store: RunStore, commit: Commit) -> bool:
    """Whether a commit was created under its number. Raises MissingError if there is no such bucket."""
    try:
        return store.remote.create(commit.path, encode(commit))
    except MissingError:
        raise MissingError(f"{store.url}: nothing can be written there: no such bucket") from None


def _next(commit: Commit, number: int, holder: Holder, held: bool) -> Commit:
    """A commit with the content of another."""
    new = {"number": number, "holder": holder, "held": held, "written": now(), "nonce": secrets.token_hex(8)}
    return msgspec.structs.replace(commit, **new)


def renewal_path(holder: Holder) -> str:
    return f"leases/{holder.token}.json"


def describe(store: RunStore, commit: Commit, timing: Timing | None = None) -> str:
    """Who holds a folder, since when and until when, in a sentence."""
    until = _until(commit, _renewal(store, commit.holder), timing or Timing())
    return (
        f"{store.url} is being written by another run ({commit.holder.machine}) since {commit.holder.since}; "
        f"its lease ends at {until.isoformat(timespec='seconds')} unless it is renewed"
    )


def _taken(store: RunStore, commit: Commit | None, timing: Timing) -> str:
    told = f"{store.url} is being written by another run" if commit is None else describe(store, commit, timing)
    return f"{told}: wait for it, or choose another --out"


def _wait_for_end(store: RunStore, before: Commit, timing: Timing, on_wait: Callable[[str], object]) -> None:
    """Returns when the holder of a folder shows no life. Raises UsageError if it does."""
    seen = _renewal(store, before.holder)
    left = (_until(before, seen, timing) - timing.today()).total_seconds()
    if 0 < left <= timing.lease + SKEW_SECONDS:  # one that is further in the future was written by a wrong clock
        raise UsageError(_taken(store, before, timing))
    on_wait(
        f"{store.url} was being written by {before.holder.machine}, whose lease has ended: "
        f"watching for {timing.watch:.0f} s whether it is alive"
    )
    steps = max(1, round(timing.watch / 5))
    for _ in range(steps):
        timing.sleep(timing.watch / steps)
        if _renewal(store, before.holder) != seen or store.numbers()[-1:] != [before.number]:
            raise UsageError(_taken(store, _maker(store, store.numbers()[-1]), timing))


def _until(commit: Commit, renewal: Renewal | None, timing: Timing) -> datetime:
    last = commit.written if renewal is None else max(commit.written, renewal.renewed)
    return moment(last) + timedelta(seconds=timing.lease)


def _renewal(store: RunStore, holder: Holder) -> Renewal | None:
    path = renewal_path(holder)
    try:
        return decode(store.remote.read(path), Renewal, store.remote.address(path))
    except (MissingError, InputError):
        return None


def _maker(store: RunStore, number: int) -> Commit | None:
    """The commit with a number, or None."""
    try:
        return store.commit(number)
    except (MissingError, InputError):
        return None
