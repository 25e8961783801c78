"""Shards that are dealt to workers, with workers that answer, fail and are lost as they are told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from hrbench.runner.executors.ray_shards import (
    LOST_RETRIES,
    START_RETRIES,
    ShardDealer,
    ShardFailed,
    WorkerLost,
)
from hrbench.types import Shard

SHARDS = [Shard(start, start + 64, f"key {start}") for start in range(0, 448, 64)]


class ScriptedWorkers:
    """Workers without a machine. `fate` decides what becomes of an attempt: an answer, or an exception to raise."""

    def __init__(self, fate: Callable[[int, Shard | None], Any]) -> None:
        self.fate = fate
        self.living: set[int] = set()
        self.most = self.started = 0
        self.predicted: list[tuple[int, Shard]] = []
        self.pending: dict[int, tuple[int, Shard | None]] = {}

    def start(self) -> int:
        self.started += 1
        self.living.add(self.started)
        self.most = max(self.most, len(self.living))
        return self.started

    def load(self, worker: int) -> int:
        return self._ticket(worker, None)

    def predict(self, worker: int, shard: Shard) -> int:
        self.predicted.append((worker, shard))
        return self._ticket(worker, shard)

    def _ticket(self, worker: int, shard: Shard | None) -> int:
        ticket = 1000 + len(self.predicted) * 100 + worker
        self.pending[ticket] = (worker, shard)
        return ticket

    def answered(self, tickets: Sequence[int], seconds: float) -> Sequence[int]:
        return list(reversed(tickets))[:1]  # the last that was asked answers first

    def answer(self, ticket: int) -> Mapping[str, Any]:
        fate = self.fate(*self.pending.pop(ticket))
        if isinstance(fate, Exception):
            raise fate
        return fate

    def end(self, worker: int) -> None:
        self.living.discard(worker)


def fine(worker: int, shard: Shard | None) -> Mapping[str, Any]:
    return {} if shard is None else {"content": shard.key.encode()}


def dealt(workers: ScriptedWorkers, most: int = 3) -> tuple[dict[Shard, bytes], list[str]]:
    kept: dict[Shard, bytes] = {}
    told: list[str] = []

    def keep(shard: Shard, answer: Mapping[str, Any]) -> None:
        assert shard not in kept
        kept[shard] = answer["content"]

    ShardDealer(workers, most, keep, told.append).deal(SHARDS)
    return kept, told


@pytest.mark.parametrize("most", [1, 2, 3, 7, 50])
def test_every_shard_is_kept_once(most: int):
    workers = ScriptedWorkers(fine)
    kept, told = dealt(workers, most)
    assert kept == {shard: shard.key.encode() for shard in SHARDS} and not told
    assert len(workers.predicted) == len(SHARDS)
    assert workers.most == min(most, len(SHARDS)) and not workers.living


def test_what_is_lost_is_dealt_again_to_another_worker():
    losses = {SHARDS[2]: LOST_RETRIES, SHARDS[5]: 1}

    def fate(worker: int, shard: Shard | None) -> Any:
        if shard is not None and losses.get(shard, 0):
            losses[shard] -= 1
            return WorkerLost("killed")
        return fine(worker, shard)

    workers = ScriptedWorkers(fate)
    kept, told = dealt(workers)
    assert len(kept) == len(SHARDS) and not workers.living
    assert len(told) == LOST_RETRIES + 1
    assert "images 128 to 191 were lost with their worker and are predicted again (retry 3 of 3): killed" in told
    for shard in (SHARDS[2], SHARDS[5]):
        by = [worker for worker, one in workers.predicted if one == shard]
        assert len(set(by)) == len(by)


def test_a_shard_that_is_lost_again_and_again_fails():
    def fate(worker: int, shard: Shard | None) -> Any:
        return WorkerLost("killed") if shard == SHARDS[1] else fine(worker, shard)

    workers = ScriptedWorkers(fate)
    with pytest.raises(ShardFailed, match="images 64 to 127 were lost 4 times with the worker that predicted them"):
        dealt(workers)
    assert sum(shard == SHARDS[1] for _, shard in workers.predicted) == LOST_RETRIES + 1
    assert not workers.living


def test_what_the_network_raises_is_not_tried_again():
    def fate(worker: int, shard: Shard | None) -> Any:
        return {"failure": "ValueError: no", "error": "ValueError"} if shard == SHARDS[0] else fine(worker, shard)

    workers = ScriptedWorkers(fate)
    with pytest.raises(ShardFailed, match="ValueError: no") as raised:
        dealt(workers)
    assert raised.value.answer["error"] == "ValueError"
    assert sum(shard == SHARDS[0] for _, shard in workers.predicted) == 1 and not workers.living


def test_workers_that_never_load_the_network_end_the_entry():
    workers = ScriptedWorkers(lambda worker, shard: WorkerLost("no memory"))
    with pytest.raises(ShardFailed, match="6 workers in a row were lost before they had loaded the network: no memory"):
        dealt(workers, 1)
    assert workers.started == START_RETRIES + 1 and not workers.living


def test_a_failure_to_load_is_the_entrys():
    workers = ScriptedWorkers(lambda worker, shard: {"failure": "on node b: there is no data", "foreseen": True})
    with pytest.raises(ShardFailed, match="on node b"):
        dealt(workers)
    assert not workers.predicted and not workers.living


def test_an_interruption_ends_all_workers():
    workers = ScriptedWorkers(fine)
    kept: list[Shard] = []

    def between() -> None:
        if len(kept) == 2:
            raise KeyboardInterrupt

    dealer = ShardDealer(workers, 3, lambda shard, answer: kept.append(shard), between=between)
    with pytest.raises(KeyboardInterrupt):
        dealer.deal(SHARDS)
    assert len(kept) == 2 and not workers.living
