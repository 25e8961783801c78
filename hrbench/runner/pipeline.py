"""Samples to predictions: workers prepare, the network runs here, threads and workers finish; all at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from hrbench.contracts import FinishesBeside, Network, Task
from hrbench.errors import EntryError, HrbenchError
from hrbench.runner.batching import Batcher
from hrbench.runner.page_locks import page_locks
from hrbench.runner.shards import block_of
from hrbench.runner.workers import Crew, Prepared, crew_of
from hrbench.types import Item, Prediction, Sample

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Called with the number of images done and of all images."""

_MAX_UNFINISHED = 64
"""Images whose raw outputs may wait to be finished; bounds the memory if finishing is slow."""
_MAX_PENDING_BATCHES = 4
"""Full batches of items that may wait for others of their shape."""


@dataclass(slots=True)
class _Image:
    """One image under way: its items, and the raw outputs that have come for them, by the items' positions."""

    sample: Sample
    items: list[Item]
    raws: dict[int, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the outputs of all its items have come."""
        return len(self.raws) == len(self.items)


def predict(
    task: Task,
    net: Network,
    samples: Sequence[Sample],
    *,
    batch: int | Literal["auto"] = 16,
    workers: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    note: Callable[[str], object] = lambda text: None,
) -> Iterator[Prediction]:
    """A prediction for every sample, in the order given.

    batch: items in one forward pass, or "auto" (`batching.Batcher`). Items of equal shape of a block of images
        (`shards.block_of`) share a pass, even if items of other shapes lie between them; which ones depends only on
        their order within the block, never on timing or on other blocks.
    workers: as in `workers.crew_of`.
    device: in torch's words. A GPU has two batches at once, of a task that is `contracts.ForwardsAhead`: the next is
        sent before the outputs of the last are waited for, from page-locked memory.
    progress: called with (images done, images in all).
    note: called with a sentence when a batch was halved, or the best size was found, or memory could not be shared.

    Memory does not grow with the set. Raises EntryError naming the image that could not be prepared or finished, or
    the batch that the network failed on.
    """
    finishing: deque[Future[Prediction]] = deque()
    crew = crew_of(task, samples, workers, note, page_locks(device))
    in_flight = 2 if device.startswith("cuda") else 1
    count = 0
    with ThreadPoolExecutor(1, thread_name_prefix="finish") as finisher:
        try:
            for image in _Forwarding(Batcher(task, net, batch, note), in_flight, block_of(batch)).over(crew.prepared()):
                finished: Future[Prediction] = Future()
                finishing.append(finished)
                finisher.submit(_finish, task, crew, image, finished)
                del image
                while finishing and (finishing[0].done() or len(finishing) > _MAX_UNFINISHED):
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
            finisher.shutdown(wait=False, cancel_futures=True)
            crew.close()


Pending = list[tuple[_Image, int]]


class _Forwarding:
    """Runs items through the network by shape; yields images in order, each as soon as all its items are done.

    block: images after which nothing may wait for others to share a batch with; None for no end but that of all.
    """

    def __init__(self, batcher: Batcher, in_flight: int, block: int | None) -> None:
        self.batcher, self.in_flight, self.block = batcher, in_flight, block
        self.sent: deque[tuple[Pending, Callable[[], list[Any]]]] = deque()
        self.images: deque[_Image] = deque()
        self.of_block: deque[_Image] = deque()
        """Images of the block under way from its first that is not done. What is forwarded when depends on these, and
        not on images of earlier blocks, which may still be on the device."""
        self.pending: dict[tuple[int, ...], Pending] = {}  # by shape, the shape that waits longest first

    def over(self, source: Iterable[Prepared]) -> Iterator[_Image]:
        for number, (sample, items) in enumerate(source):
            if self.block and number % self.block == 0:
                yield from self._end_block()
            image = _Image(sample, items)
            self.images.append(image)
            self.of_block.append(image)
            for position, item in enumerate(items):
                same = self.pending.setdefault(item.image.shape, [])
                same.append((image, position))
                if len(same) >= self.batcher.size:
                    self._forward(item.image.shape)
            yield from self._done()
            # Rare shapes must not delay, and so keep in memory, ever more images behind them.
            while self._waiting() > _MAX_PENDING_BATCHES * self.batcher.size or len(self.of_block) > self._max_images():
                self._forward(next(iter(self.pending)))
                yield from self._done()
        yield from self._end_block()
        while self.sent:
            self._collect()
            yield from self._done()

    def _end_block(self) -> Iterator[_Image]:
        """Sends to the network what waits for others of its shape."""
        while self.pending:
            self._forward(next(iter(self.pending)))
            yield from self._done()
        self.of_block.clear()

    def _waiting(self) -> int:
        return sum(map(len, self.pending.values())) if len(self.pending) > 1 else 0

    def _max_images(self) -> int:
        """How many images may be under way while any item waits for others of its shape."""
        most = max(_MAX_UNFINISHED, 2 * _MAX_PENDING_BATCHES * self.batcher.size)
        return most if self.pending else len(self.of_block)

    def _done(self) -> Iterator[_Image]:
        while self.of_block and self.of_block[0].done:
            self.of_block.popleft()
        while self.images and self.images[0].done:
            yield self.images.popleft()

    def _forward(self, shape: tuple[int, ...]) -> None:
        """Sends all that is pending of a shape to the network; waits for what was sent before, if that is too much."""
        pending = self.pending.pop(shape)
        items = [image.items[position] for image, position in pending]
        self.sent.append((pending, self._naming(pending, lambda: self.batcher.launch(items))))
        while len(self.sent) >= self.in_flight:
            self._collect()

    def _collect(self) -> None:
        """Waits for the outputs of the batch that was sent first."""
        pending, collect = self.sent.popleft()
        for (image, position), raw in zip(pending, self._naming(pending, collect), strict=True):
            image.raws[position] = raw

    def _naming(self, pending: Pending, run: Callable[[], T]) -> T:
        """What `run` returns; an unforeseen error becomes an EntryError that names the batch."""
        try:
            return run()
        except HrbenchError:
            raise
        except Exception as error:
            first, last = pending[0][0].sample.path, pending[-1][0].sample.path
            text = str(error).strip().splitlines() or [""]
            raise EntryError(
                f"the network failed on a batch of {len(pending)} ({first.name} to {last.name}): "
                f"{type(error).__name__}: {text[0]}"
            ) from error


def _finish(task: Task, crew: Crew, image: _Image, finished: Future[Prediction]) -> None:
    """Gives `finished` the prediction of an image, now or when a worker has done the heavy part, or the error."""
    sample = image.sample
    pairs = [(item, image.raws[position]) for position, item in enumerate(image.items)]
    try:
        begun = task.begin_finish(sample, pairs) if isinstance(task, FinishesBeside) else task.finish(sample, pairs)
        if isinstance(begun, Prediction):
            finished.set_result(begun)
            return
        heavy = crew.call(begun.function, begun.arguments)
    except Exception as error:
        _fail(finished, sample, error)
        return
    complete = begun.complete
    heavy.add_done_callback(lambda made: _complete(sample, made, complete, finished))


def _complete(
    sample: Sample, made: Future[Any], complete: Callable[[Any], Prediction], finished: Future[Prediction]
) -> None:
    try:
        finished.set_result(complete(made.result()))
    except CancelledError:
        finished.cancel()
    except Exception as error:
        _fail(finished, sample, error)


def _fail(finished: Future[Prediction], sample: Sample, error: Exception) -> None:
    if not isinstance(error, HrbenchError):
        cause, text = error, f"finishing image {sample.path} failed: {type(error).__name__}: {error}"
        error = EntryError(text)
        error.__cause__ = cause
    with suppress(InvalidStateError):
        finished.set_exception(error)
