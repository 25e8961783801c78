"""Pictures of an entry: its first metric selects the worst and some typical images, its task renders them.

Beside each picture of what was predicted stands one of what is annotated, where the data set can show it. Pictures of
the same images for several networks are those of `side_by_side.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from hrbench.contracts import DescribesQuality, Metric, Renders, ShowsTruth, Task, TellsClasses
from hrbench.core.remote import mirror
from hrbench.errors import HrbenchError, MissingError, in_words
from hrbench.runner.precomputed import prediction_file
from hrbench.types import Drawing, Sample, State

FORMAT = ".webp"
"""Of pictures, which every browser since 2020 shows, in 30 to 45 % of the bytes of JPEG."""

ImageKind = Literal["worst", "typical"]


def render_images(
    task: Task,
    metric: Metric,
    samples: Sequence[Sample],
    state: State | None,
    folder: Path,
    missing: Callable[[], Sequence[str]],
    dataset: Any,
    count: int,
) -> tuple[list[Drawing], list[str]]:
    """Rendered images in `folder`, the entry's folder, or a note on the error: no evaluation fails because of them.

    task: renders them, if it can.
    metric: ranks the images by its per-image scores.
    samples: that may be rendered.
    state: of the metric; None if there is no ground truth, and the images are then evenly spread ones.
    folder: the entry's, which is a temporary one until the result is whole: no note names it.
    missing: sentences on what the data set lacks, asked for where an image is not there.
    dataset: shows what is annotated, if it can.
    count: how many images of each kind; 0 for none.
    """
    notes: list[str] = []
    try:
        return _render(
            task, metric, samples, state, folder, dataset if state is not None else None, count, notes
        ), notes
    except Exception as error:
        why = in_words(error)
        if isinstance(error, MissingError):
            with suppress(HrbenchError):
                why = next(iter(missing()), why)
        return [], [f"no image was rendered: {why.replace(f'{folder}/', '')}"]


def _render(
    task: Task,
    metric: Metric,
    samples: Sequence[Sample],
    state: State | None,
    folder: Path,
    dataset: Any,
    count: int,
    notes: list[str],
) -> list[Drawing]:
    """Images of the worst cases and of some in the middle, if the task can render."""
    if not isinstance(task, Renders) or not count:
        return []
    by_id = {sample.id: sample for sample in samples}
    qualities = {} if state is None else metric.qualities(state)
    kinds = _select({key: value for key, value in qualities.items() if value == value and key in by_id}, count)
    if state is None:
        step = max(1, len(samples) // count)
        kinds = _all_of([sample.id for sample in samples[::step]][:count], "typical")
    chosen = [by_id[key] for key in kinds]
    mirror.present(sample.path for sample in chosen)  # the network may have run elsewhere
    rows = task.rows(prediction_file(metric, folder), chosen)
    truth = truth_of(dataset, chosen, notes)
    drawings = []
    for number, (key, kind) in enumerate(kinds.items(), 1):
        file, beside = f"drawings/{kind}-{number}{FORMAT}", f"drawings/truth-{number}{FORMAT}" if key in truth else ""
        task.draw(by_id[key], rows[key], folder / file)
        if beside:
            task.draw(by_id[key], truth[key], folder / beside)
        quality = qualities.get(key)
        drawings.append(
            Drawing(
                file,
                key,
                kind,
                f"image {key}" + ("" if quality is None else f", quality {quality:.2f} of 1"),
                quality=None if quality is None else round(float(quality), 6),
                truth=beside,
                classes=classes_of(task, by_id[key], truth.get(key, rows[key])),
                quality_is=quality_of(metric) if quality is not None else "",
            )
        )
    return drawings


def truth_of(dataset: Any, samples: Sequence[Sample], notes: list[str]) -> Mapping[int | str, Any]:
    """Sample id -> what is annotated, as a task draws it; of a data set that cannot show it nothing, with a note."""
    if not isinstance(dataset, ShowsTruth):
        return {}
    try:
        return dataset.truth(samples)
    except Exception as error:
        notes.append(f"what is annotated was not rendered: {in_words(error)}")
        return {}


def classes_of(task: Task, sample: Sample, rows: Any) -> tuple[str, ...]:
    """Names of the classes in an image, if the task can tell them."""
    return tuple(task.classes_in(sample, rows)) if isinstance(task, TellsClasses) else ()


def quality_of(metric: Metric) -> str:
    """What the metric's quality of an image is, in words."""
    return metric.quality_is if isinstance(metric, DescribesQuality) else f"{metric.name}'s own number for an image"


def _select(qualities: Mapping[int | str, float], count: int) -> dict[int | str, ImageKind]:
    """The worst images, then some from the middle of the others."""
    ranked = sorted(qualities, key=lambda key: (qualities[key], str(key)))
    worst, rest = ranked[:count], ranked[count:]
    middle = max(0, len(rest) // 2 - count // 2)
    return _all_of(worst, "worst") | _all_of(rest[middle : middle + count], "typical")


def _all_of(images: Sequence[int | str], kind: ImageKind) -> dict[int | str, ImageKind]:
    return dict.fromkeys(images, kind)
