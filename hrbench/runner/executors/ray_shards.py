"""Deals the shards of an entry to workers, and deals those again that are lost with one. Knows nothing of Ray.

A worker takes a shard when it has loaded the network and is idle, so a slow machine gets fewer of them. What is lost
with a worker or its machine is done again, `LOST_RETRIES` times a shard; what the network or hrbench raises is not.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hrbench.types import Shard

LOST_RETRIES = 3
"""How often a shard that was lost with its worker or machine is predicted again; a fourth loss fails the entry."""

START_RETRIES = 5
"""How many workers in a row may be lost before they have loaded the network: then something is wrong with all."""

POLL_SECONDS = 0.2
"""How long an answer is waited for before events are passed on and a cancellation is noticed."""


class WorkerLost(Exception):
    """A worker, or the machine that it was on, has ended. The message says how, in a few words."""


class ShardFailed(Exception):
    """The code of a worker raised: as plain values, see `child.failure`."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(answer)
        self.answer = dict(answer)

    def __str__(self) -> str:
        return self.answer["failure"]


class ShardWorkers(Protocol):
    """Workers somewhere. A ticket stands for an answer that will come."""

    def start(self) -> Any:
        """A new worker."""
        ...

    def load(self, worker: Any) -> Any:
        """Has it load the network; a ticket."""
        ...

    def predict(self, worker: Any, shard: Shard) -> Any:
        """Has it predict a shard; a ticket."""
        ...

    def answered(self, tickets: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Those of the tickets whose answers are there, at the latest after some seconds."""
        ...

    def answer(self, ticket: Any) -> Mapping[str, Any]:
        """The answer: with "failure" if its code raised, of a shard with "content". Raises WorkerLost."""
        ...

    def end(self, worker: Any) -> None:
        """Ends a worker, whatever it does."""
        ...


@dataclass(slots=True)
class ShardDealer:
    """How the shards of one entry are dealt.

    workers: what starts them and asks them.
    most: how many there may be at a time.
    keep: called with each shard and its content as it comes.
    tell: called with a sentence when something is lost.
    between: called several times a second; what it raises ends all.
    """

    workers: ShardWorkers
    most: int
    keep: Callable[[Shard, Mapping[str, Any]], object]
    tell: Callable[[str], object] = lambda sentence: None
    between: Callable[[], object] = lambda: None
    left: deque[Shard] = field(default_factory=deque)
    idle: list[Any] = field(default_factory=list)
    asked: dict[Any, tuple[Any, Shard | None]] = field(default_factory=dict)
    lost: Counter[Shard] = field(default_factory=Counter)
    lost_at_start: int = 0

    def deal(self, shards: Sequence[Shard]) -> None:
        """Has all shards predicted. Raises ShardFailed for what a worker's code raised, or if too much was lost.

        All workers have ended when it returns or raises.
        """
        self.left.extend(shards)
        try:
            while self.left or self._at_work():
                self._hire()
                self._hand_out()
                for ticket in self.workers.answered(list(self.asked), POLL_SECONDS):
                    self._answered(ticket)
                self.between()
            self.between()
        finally:
            for worker in [*self.idle, *(worker for worker, _ in self.asked.values())]:
                self.workers.end(worker)
            self.idle.clear()
            self.asked.clear()

    def _at_work(self) -> int:
        """Shards that are being predicted."""
        return sum(shard is not None for _, shard in self.asked.values())

    def _hire(self) -> None:
        """Starts workers: no more than are allowed, or than there are shards that nobody has done."""
        while len(self.idle) + len(self.asked) < min(self.most, len(self.left) + self._at_work()):
            worker = self.workers.start()
            self.asked[self.workers.load(worker)] = (worker, None)

    def _hand_out(self) -> None:
        while self.left and self.idle:
            worker, shard = self.idle.pop(), self.left.popleft()
            self.asked[self.workers.predict(worker, shard)] = (worker, shard)

    def _answered(self, ticket: Any) -> None:
        worker, shard = self.asked.pop(ticket)
        try:
            answer = self.workers.answer(ticket)
        except WorkerLost as lost:
            self.workers.end(worker)
            self._lost(shard, str(lost))
            return
        self.idle.append(worker)
        if answer.get("failure"):
            raise ShardFailed(answer)
        if shard is None:
            self.lost_at_start = 0
        else:
            self.keep(shard, answer)

    def _lost(self, shard: Shard | None, how: str) -> None:
        """Notes a lost worker; its shard is the next to be dealt."""
        if shard is None:
            self.lost_at_start += 1
            if self.lost_at_start > START_RETRIES:
                what = f"{self.lost_at_start} workers in a row were lost before they had loaded the network"
                raise ShardFailed({"failure": f"{what}: {how}", "foreseen": True})
            self.tell(f"a worker was lost before it had loaded the network, and is replaced: {how}")
            return
        self.lost[shard] += 1
        images = f"images {shard.first} to {shard.last - 1}"
        if self.lost[shard] > LOST_RETRIES:
            what = f"{images} were lost {self.lost[shard]} times with the worker that predicted them"
            raise ShardFailed({"failure": f"{what}: {how}", "foreseen": True})
        self.left.appendleft(shard)
        again = f"retry {self.lost[shard]} of {LOST_RETRIES}"
        self.tell(f"{images} were lost with their worker and are predicted again ({again}): {how}")
