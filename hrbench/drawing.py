"""Pictures of an entry's worst and typical images, chosen by its first metric and drawn by its task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hrbench.contracts import Metric
from hrbench.given import prediction_file
from hrbench.types import Drawing, Sample, State


def drawn(
    task: Any, metric: Metric, samples: Sequence[Sample], state: State, place: Path
) -> tuple[list[Drawing], list[str]]:
    """Pictures below `place`, the entry's folder, or a note why there are none: no evaluation fails for a picture.

    state: of the metric, whose qualities rank the images; samples: those that may be drawn.
    """
    try:
        return _draw(task, metric, samples, state, place), []
    except Exception as error:
        return [], [f"nothing was drawn: {type(error).__name__}: {error}"]


def _draw(
    task: Any, metric: Metric, samples: Sequence[Sample], state: State, place: Path, each: int = 3
) -> list[Drawing]:
    """Pictures of the worst cases and of some in the middle, where the task can draw."""
    if not hasattr(task, "draw"):
        return []
    by_id = {sample.id: sample for sample in samples}
    qualities = {key: value for key, value in metric.qualities(state).items() if value == value and key in by_id}
    ranked = sorted(qualities, key=lambda key: (qualities[key], str(key)))
    worst = ranked[:each]
    rest = ranked[len(worst) :]
    middle = max(0, len(rest) // 2 - each // 2)
    kinds: dict[int | str, Literal["worst", "typical"]] = dict.fromkeys(worst, "worst")
    kinds |= dict.fromkeys(rest[middle : middle + each], "typical")
    rows = task.rows(prediction_file(metric, place), [by_id[key] for key in kinds])
    drawings = []
    for key, kind in kinds.items():
        file = f"drawings/{kind}-{len(drawings) + 1}.jpg"
        task.draw(by_id[key], rows[key], place / file)
        drawings.append(Drawing(file, key, kind, f"image {key}, quality {qualities[key]:.2f} of 1"))
    return drawings
