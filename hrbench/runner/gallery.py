"""Renders the worst and some typical images of an entry: its first metric selects them, its task renders them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from hrbench.contracts import Metric, Renders, Task
from hrbench.errors import HrbenchError, MissingError, in_words
from hrbench.runner.precomputed import prediction_file
from hrbench.types import Drawing, Sample, State

ImageKind = Literal["worst", "typical"]


def render_images(
    task: Task,
    metric: Metric,
    samples: Sequence[Sample],
    state: State | None,
    folder: Path,
    missing: Callable[[], Sequence[str]] = lambda: (),
) -> tuple[list[Drawing], list[str]]:
    """Rendered images in `folder`, the entry's folder, or a note on the error: no evaluation fails because of them.

    task: renders them, if it can.
    metric: ranks the images by its per-image scores.
    samples: that may be rendered.
    state: of the metric; None if there is no ground truth, and the images are then evenly spread ones.
    folder: the entry's, which is a temporary one until the result is whole: no note names it.
    missing: sentences on what the data set lacks, asked for where an image is not there.
    """
    try:
        return _render(task, metric, samples, state, folder), []
    except Exception as error:
        why = in_words(error)
        if isinstance(error, MissingError):
            with suppress(HrbenchError):
                why = next(iter(missing()), why)
        return [], [f"no image was rendered: {why.replace(f'{folder}/', '')}"]


def _render(
    task: Task, metric: Metric, samples: Sequence[Sample], state: State | None, folder: Path, per_kind: int = 3
) -> list[Drawing]:
    """Images of the worst cases and of some in the middle, if the task can render."""
    if not isinstance(task, Renders):
        return []
    by_id = {sample.id: sample for sample in samples}
    image_scores = {} if state is None else metric.qualities(state)
    kinds = _select({key: value for key, value in image_scores.items() if value == value and key in by_id}, per_kind)
    if state is None:
        step = max(1, len(samples) // per_kind)
        kinds = _all_of([sample.id for sample in samples[::step]][:per_kind], "typical")
    rows = task.rows(prediction_file(metric, folder), [by_id[key] for key in kinds])
    drawings = []
    for key, kind in kinds.items():
        file = f"drawings/{kind}-{len(drawings) + 1}.jpg"
        task.draw(by_id[key], rows[key], folder / file)
        score = f", quality {image_scores[key]:.2f} of 1" if key in image_scores else ""
        drawings.append(Drawing(file, key, kind, f"image {key}{score}"))
    return drawings


def _select(image_scores: Mapping[int | str, float], count: int) -> dict[int | str, ImageKind]:
    """The worst images, then some from the middle of the others."""
    ranked = sorted(image_scores, key=lambda key: (image_scores[key], str(key)))
    worst = ranked[:count]
    rest = ranked[len(worst) :]
    middle = max(0, len(rest) // 2 - count // 2)
    return _all_of(worst, "worst") | _all_of(rest[middle : middle + count], "typical")


def _all_of(images: Sequence[int | str], kind: ImageKind) -> dict[int | str, ImageKind]:
    return dict.fromkeys(images, kind)
