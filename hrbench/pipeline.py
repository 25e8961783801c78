"""Samples in, predictions out: preparing in workers, the network here, finishing beside it, none waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hrbench.contracts import Task
from hrbench.types import EntryError, HrbenchError, Item, Prediction, Sample
from hrbench.workers import Prepared, prepared

Progress = Callable[[int, int], None]
"""Called with the number of images done and of all images."""

_UNFINISHED = 64
"""Images whose raw outputs may wait to be finished: more would let memory grow with a slow finish."""


@dataclass(slots=True)
class _Image:
    """One image under way: its items, and the raw outputs that have come for them."""

    sample: Sample
    items: list[Item]
    raws: list[np.ndarray] = field(default_factory=list)


def predict(
    task: Task,
    net: Any,
    samples: Sequence[Sample],
    *,
    batch: int = 16,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Prediction]:
    """A prediction for every sample, in the order given.

    batch: items in one forward pass; they are taken in order, so what shares a batch never depends on timing. Only
    items of equal shape share one. workers: as in `workers.prepared`. Memory does not grow with the set. Raises
    EntryError naming the image that could not be prepared or finished, or the batch that the network failed on.
    """
    finishing: deque[Future[Prediction]] = deque()
    source = prepared(task, samples, workers)
    count = 0
    with ThreadPoolExecutor(1, thread_name_prefix="finish") as finisher:
        try:
            for image in _forwarded(task, net, source, batch):
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
            close = getattr(source, "close", None)
            if close:
                close()


def _forwarded(task: Task, net: Any, source: Iterator[Prepared], batch: int) -> Iterator[_Image]:
    """Images in order, each as soon as all its items have been through the network."""
    images: deque[_Image] = deque()
    pending: list[tuple[_Image, Item]] = []
    for sample, items in source:
        image = _Image(sample, items)
        images.append(image)
        for item in items:
            if pending and item.image.shape != pending[0][1].image.shape:
                _forward(task, net, pending)
            pending.append((image, item))
            if len(pending) == batch:
                _forward(task, net, pending)
        while images and len(images[0].raws) == len(images[0].items):
            yield images.popleft()
    if pending:
        _forward(task, net, pending)
    yield from images


def _forward(task: Task, net: Any, pending: list[tuple[_Image, Item]]) -> None:
    """Runs the network on all that is pending, in place."""
    try:
        raws = task.forward(net, [item for _, item in pending])
    except HrbenchError:
        raise
    except Exception as error:
        first, last = pending[0][0].sample.path, pending[-1][0].sample.path
        text = str(error).strip().splitlines() or [""]
        raise EntryError(
            f"the network failed on a batch of {len(pending)} ({first.name} to {last.name}): "
            f"{type(error).__name__}: {text[0]}"
        ) from error
    for (image, _), raw in zip(pending, raws, strict=True):
        image.raws.append(raw)
    pending.clear()


def _finish(task: Task, image: _Image) -> Prediction:
    try:
        return task.finish(image.sample, list(zip(image.items, image.raws, strict=True)))
    except HrbenchError:
        raise
    except Exception as error:
        raise EntryError(f"finishing image {image.sample.path} failed: {type(error).__name__}: {error}") from error
