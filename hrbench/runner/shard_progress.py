"""How far shards that are predicted side by side have come, together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hrbench.types import Event, Shard


@dataclass(slots=True)
class ShardProgress:
    """Makes events of single shards events of all, counted in images. Events may come from several threads.

    shards: that are predicted.
    on_event: called with each event, in one thread at a time.
    """

    shards: Sequence[Shard]
    on_event: Callable[[Event], object]
    _done: dict[Shard, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, shard: Shard) -> Callable[[Event], None]:
        """What takes the events of a shard. One that is predicted again after a loss begins at its beginning again."""

        def on_event(event: Event) -> None:
            with self._lock:
                self.on_event(self._whole(shard, event))

        return on_event

    def _whole(self, shard: Shard, event: Event) -> Event:
        if event.kind != "progress" or event.phase != "predict":
            return event
        self._done[shard] = min(event.done, shard.images)
        total = sum(one.images for one in self.shards)
        return replace(event, done=sum(self._done.values()), total=total)
