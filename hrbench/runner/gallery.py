"""Pictures of an entry's worst and typical images, chosen by its first metric and drawn by its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from hrbench.contracts import Metric, Renders, Task
from hrbench.runner.precomputed import prediction_file
from hrbench.types import Drawing, Sample, State

Kind = Literal["worst", "typical"]


def drawn(
    task: Task, metric: Metric, samples: Sequence[Sample], state: State | None, place: Path
) -> tuple[list[Drawing], list[str]]:
    """Pictures below `place`, the entry's folder, or a note why there are none: no evaluation fails for a picture.

    state: of the metric, whose qualities rank the images, None where they are not known; samples: those that may be
    drawn.
    """
    try:
        return _draw(task, metric, samples, state, place), []
    except Exception as error:
        return [], [f"nothing was drawn: {type(error).__name__}: {error}"]


def _draw(
    task: Task, metric: Metric, samples: Sequence[Sample], state: State | None, place: Path, each: int = 3
) -> list[Drawing]:
    """Pictures of the worst cases and of some in the middle, where the task can draw."""
    if not isinstance(task, Renders):
        return []
    by_id = {sample.id: sample for sample in samples}
    qualities = {} if state is None else metric.qualities(state)
    kinds = _chosen({key: value for key, value in qualities.items() if value == value and key in by_id}, each)
    if state is None:
        step = max(1, len(samples) // each)
        kinds = _all_of([sample.id for sample in samples[::step]][:each], "typical")
    rows = task.rows(prediction_file(metric, place), [by_id[key] for key in kinds])
    drawings = []
    for key, kind in kinds.items():
        file = f"drawings/{kind}-{len(drawings) + 1}.jpg"
        task.draw(by_id[key], rows[key], place / file)
        said = f", quality {qualities[key]:.2f} of 1" if key in qualities else ""
        drawings.append(Drawing(file, key, kind, f"image {key}{said}"))
    return drawings


def _chosen(qualities: Mapping[int | str, float], each: int) -> dict[int | str, Kind]:
    """The worst images, then some from the middle of the others."""
    ranked = sorted(qualities, key=lambda key: (qualities[key], str(key)))
    worst = ranked[:each]
    rest = ranked[len(worst) :]
    middle = max(0, len(rest) // 2 - each // 2)
    return _all_of(worst, "worst") | _all_of(rest[middle : middle + each], "typical")


def _all_of(images: Sequence[int | str], kind: Kind) -> dict[int | str, Kind]:
    return dict.fromkeys(images, kind)
