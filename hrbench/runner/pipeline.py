"""Samples in, predictions out: preparing in workers, the network here, finishing beside it, none waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from hrbench.contracts import Network, Task
from hrbench.errors import EntryError, HrbenchError
from hrbench.runner.batching import Batcher
from hrbench.runner.workers import Prepared, prepared
from hrbench.types import Item, Prediction, Sample

Progress = Callable[[int, int], None]
"""Called with the number of images done and of all images."""

_UNFINISHED = 64
"""Images whose raw outputs may wait to be finished: more would let memory grow with a slow finish."""
_UNFORWARDED = 4
"""Batches' worth of items that may wait for others of their shape."""


@dataclass(slots=True)
class _Image:
    """One image under way: its items, and the raw outputs that have come for them, by the items' positions."""

    sample: Sample
    items: list[Item]
    raws: dict[int, Any] = field(default_factory=dict)


def predict(
    task: Task,
    net: Network,
    samples: Sequence[Sample],
    *,
    batch: int | Literal["auto"] = 16,
    workers: int | None = None,
    progress: Progress | None = None,
    note: Callable[[str], object] = lambda text: None,
) -> Iterator[Prediction]:
    """A prediction for every sample, in the order given.

    batch: items in one forward pass, or "auto" (`batching.Batcher`). Items of equal shape share one, also where others
    come between them; which ones do depends on their order alone, never on timing. workers: as in `workers.prepared`.
    note: is told of a batch that was halved or found. Memory does not grow with the set. Raises EntryError naming the
    image that could not be prepared or finished, or the batch that the network failed on.
    """
    finishing: deque[Future[Prediction]] = deque()
    source = prepared(task, samples, workers)
    count = 0
    with ThreadPoolExecutor(1, thread_name_prefix="finish") as finisher:
        try:
            for image in _Forwarding(Batcher(task, net, batch, note)).over(source):
                finishing.append(finisher.submit(_finish, task, image))
                while finishing and (finishing[0].done() or len(finishing) > _UNFINISHED):
                    yield finishing.popleft().result()
                    count += 1
                    if progress:
                        progress(count, len(samples))
            while finishing:
                yield finishing.popleft().result()
                count += 1
                if progress:
                    progress(count, len(samples))
        finally:
            for future in finishing:
                future.cancel()
            if isinstance(source, Generator):  # its workers end with it
                source.close()


Pending = list[tuple[_Image, int]]


class _Forwarding:
    """Items through the network by shape; images come out in order, each as soon as all its items have been through."""

    def __init__(self, batcher: Batcher) -> None:
        self.batcher = batcher
        self.images: deque[_Image] = deque()
        self.pending: dict[tuple[int, ...], Pending] = {}  # by shape, the shape that waits longest first

    def over(self, source: Iterable[Prepared]) -> Iterator[_Image]:
        for sample, items in source:
            image = _Image(sample, items)
            self.images.append(image)
            for position, item in enumerate(items):
                same = self.pending.setdefault(item.image.shape, [])
                same.append((image, position))
                if len(same) >= self.batcher.size:
                    self._forward(item.image.shape)
            # Odd shapes must not hold back, and so keep in memory, ever more images behind them.
            while self._waiting() > _UNFORWARDED * self.batcher.size or len(self.images) > self._most():
                self._forward(next(iter(self.pending)))
                yield from self._done()
            yield from self._done()
        while self.pending:
            self._forward(next(iter(self.pending)))
            yield from self._done()

    def _waiting(self) -> int:
        return sum(map(len, self.pending.values())) if len(self.pending) > 1 else 0

    def _most(self) -> int:
        """Images under way, as long as any of them waits for others of its shape."""
        return max(_UNFINISHED, 2 * _UNFORWARDED * self.batcher.size) if self.pending else len(self.images)

    def _done(self) -> Iterator[_Image]:
        while self.images and len(self.images[0].raws) == len(self.images[0].items):
            yield self.images.popleft()

    def _forward(self, shape: tuple[int, ...]) -> None:
        """Runs the network on all that is pending of a shape."""
        pending = self.pending.pop(shape)
        try:
            raws = self.batcher.run([image.items[position] for image, position in pending])
        except HrbenchError:
            raise
        except Exception as error:
            first, last = pending[0][0].sample.path, pending[-1][0].sample.path
            text = str(error).strip().splitlines() or [""]
            raise EntryError(
                f"the network failed on a batch of {len(pending)} ({first.name} to {last.name}): "
                f"{type(error).__name__}: {text[0]}"
            ) from error
        for (image, position), raw in zip(pending, raws, strict=True):
            image.raws[position] = raw


def _finish(task: Task, image: _Image) -> Prediction:
    try:
        return task.finish(image.sample, [(item, image.raws[position]) for position, item in enumerate(image.items)])
    except HrbenchError:
        raise
    except Exception as error:
        raise EntryError(f"finishing image {image.sample.path} failed: {type(error).__name__}: {error}") from error
