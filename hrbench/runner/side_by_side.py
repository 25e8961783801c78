"""Renders the same images for all networks of a run that were judged on them by the same metric.

Shown are those on which the networks were worst in the mean, those on which they differed most, and some from the
middle. Predictions and states are read from the run folder; no network runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hrbench.contracts import Metric, Renders, Task
from hrbench.core.digests import digest
from hrbench.core.plugins import resolve
from hrbench.errors import MissingError, in_words
from hrbench.runner.data_access import absent_folder, dataset_of
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.gallery import FORMAT, classes_of, quality_of, truth_of
from hrbench.runner.precomputed import prediction_file, protocol_of
from hrbench.runner.prepare import metric_of
from hrbench.runner.settings import Settings
from hrbench.store.side_by_side import NetworkPicture, SharedImage, SideBySide
from hrbench.store.states import read_state, state_file
from hrbench.types import Entry, Event, Result, Sample

VERSION = 1
"""Raised when other images would be chosen, or drawn otherwise."""

MOST = 24
"""Networks that are shown side by side: of more, those with the best first score."""

Kind = Literal["worst", "disagreed", "typical"]


@dataclass(frozen=True, slots=True)
class Group:
    """Networks that were judged on the same images.

    entry: of one of them: its data set, and the task that draws.
    folders: name of each entry -> its folder.
    score_keys: name of each entry -> its score key.
    networks: how many there are, those without pictures too.
    """

    entry: Entry
    folders: Mapping[str, str]
    score_keys: Mapping[str, str]
    networks: int


def groups_of(results: Sequence[Result]) -> list[Group]:
    """Results of at least two networks on the same data, by the same first metric, in the order of the results."""
    found: dict[str, list[Result]] = {}
    for result in results:
        entry, data = result.entry, result.provenance.dataset
        if result.status != "done" or not entry.metrics or entry.dataset is None or not result.score_key:
            continue
        if data is None or data.sha256 is None:
            continue
        judge = result.provenance.metrics.get(entry.metrics[0])
        criteria = {} if judge is None else dict(judge.criteria)
        alike = [entry.dataset.name, entry.dataset.task, data.sha256, entry.metrics[0], criteria, result.limited]
        found.setdefault(digest(alike), []).append(result)
    return [_group(several) for several in found.values() if len(several) > 1]


def _group(results: Sequence[Result]) -> Group:
    shown = {result.name for result in sorted(results, key=_rank)[:MOST]}
    chosen = [result for result in results if result.name in shown]
    return Group(
        chosen[0].entry,
        {one.name: str(Path(one.folder).resolve()) for one in chosen},
        {one.name: str(one.score_key) for one in chosen},
        len(results),
    )


def _rank(result: Result) -> float:
    """Lower is better: by the first score."""
    score = next((score for score in result.scores if score.value is not None), None)
    if score is None or score.value is None:
        return math.inf
    return score.value if score.quantity.better == "lower" else -score.value


def key_of(groups: Sequence[Group], count: int) -> str:
    """Digest of all that the pictures of these groups are made of."""
    return digest([VERSION, count, FORMAT, [dict(group.score_keys) for group in groups]])


def render_groups(
    groups: Sequence[Group], settings: Settings, folder: Path, on_event: EventHandler
) -> list[SideBySide]:
    """Renders all groups into `folder`; of a group where that fails, the reason instead.

    settings: its `data` holds the images, its `images` says how many of each kind.
    on_event: called with the progress, in groups.
    """
    found = []
    for number, group in enumerate(groups):
        on_event(Event("progress", group.entry.name, "images", "tables", number, len(groups)))
        try:
            found.append(_rendered(group, settings, folder, str(number)))
        except Exception as error:
            why = in_words(error)
            assert group.entry.dataset is not None
            name = group.entry.dataset.name
            found.append(SideBySide(name, group.entry.metrics[0], "", dict(group.score_keys), reason=why))
    return found


def _rendered(group: Group, settings: Settings, folder: Path, place: str) -> SideBySide:
    entry = group.entry
    assert entry.dataset is not None
    dataset = dataset_of(entry.dataset, settings.data)
    if absent_folder(entry.dataset, dataset) is not None:
        raise MissingError(f"{entry.dataset.name} is not in {settings.data}")
    task: Task = resolve("hrbench.tasks", entry.dataset.task)(entry.variant, dataset, entry.protocol)
    if not isinstance(task, Renders):
        raise MissingError(f"the task {entry.dataset.task} renders no images")
    metric = metric_of(entry.metrics[0], dataset)
    folders = {name: Path(path) for name, path in group.folders.items()}
    qualities = {name: _qualities(metric, path, entry) for name, path in folders.items()}
    by_id = {sample.id: sample for sample in dataset.samples(protocol_of(entry))}
    kinds = select(qualities, settings.images, by_id.keys())
    samples = [by_id[image] for image in kinds]
    rows = {name: task.rows(prediction_file(metric, path), samples) for name, path in folders.items()}
    truth = truth_of(dataset, samples, [])
    images = []
    for number, sample in enumerate(samples):
        drawn = _Drawn(task, sample, folder, f"{place}/{number}")
        any_rows = next(iter(rows.values()))[sample.id]
        images.append(
            SharedImage(
                sample.id,
                kinds[sample.id],
                classes_of(task, sample, truth.get(sample.id, any_rows)),
                drawn.picture("truth", truth[sample.id]) if sample.id in truth else "",
                tuple(
                    NetworkPicture(name, round(qualities[name][sample.id], 6), drawn.picture(str(at), of[sample.id]))
                    for at, (name, of) in enumerate(rows.items())
                ),
            )
        )
    return SideBySide(
        entry.dataset.name,
        metric.name,
        quality_of(metric),
        dict(group.score_keys),
        tuple(images),
        networks=group.networks,
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Draws one image several times. stem: what the names of its files begin with, below `folder`."""

    task: Renders
    sample: Sample
    folder: Path
    stem: str

    def picture(self, what: str, rows: Any) -> str:
        """The name of the file, relative to the folder."""
        file = f"{self.stem}-{what}{FORMAT}"
        self.task.draw(self.sample, rows, self.folder / file)
        return file


def _qualities(metric: Metric, folder: Path, entry: Entry) -> dict[int | str, float]:
    return {
        key: float(value)
        for key, value in metric.qualities(read_state(folder / state_file(entry.metrics, 0))).items()
        if value == value
    }


def select(qualities: Mapping[str, Mapping[int | str, float]], count: int, among: Any) -> dict[int | str, Kind]:
    """Image -> why it was chosen: `count` of each kind, the worst first, and none twice.

    qualities: name of a network -> image -> quality; images that a network lacks are left out.
    among: images that may be chosen.

    >>> networks = {"a": {1: 0.1, 2: 0.9, 3: 0.5, 4: 0.8}, "b": {1: 0.2, 2: 0.3, 3: 0.5, 4: 0.8}}
    >>> select(networks, 1, {1, 2, 3, 4})
    {1: 'worst', 2: 'disagreed', 4: 'typical'}
    """
    each = list(qualities.values())
    shared = [image for image in each[0] if image in among and all(image in one for one in each)]
    spread = {image: max(one[image] for one in each) - min(one[image] for one in each) for image in shared}
    mean = {image: sum(one[image] for one in each) / len(each) for image in shared}
    ranked = sorted(shared, key=lambda image: (mean[image], str(image)))
    kinds: dict[Kind, list[int | str]] = {"worst": ranked[:count]}
    apart = [image for image in sorted(ranked[count:], key=lambda one: (-spread[one], str(one))) if spread[image] > 0]
    kinds["disagreed"] = apart[:count]
    rest = [image for image in ranked[count:] if image not in kinds["disagreed"]]
    middle = max(0, len(rest) // 2 - count // 2)
    kinds["typical"] = rest[middle : middle + count]
    return {image: kind for kind, images in kinds.items() for image in images}
