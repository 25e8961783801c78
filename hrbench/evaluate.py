"""One entry of a suite to its result: assemble, predict, judge, draw. Costs are measured apart (`measure.py`).

torch is imported only when a network is needed: an entry that is stored already, or cannot be run, never loads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hrbench import catalog, environment, keys, pipeline
from hrbench.contracts import Metric
from hrbench.models.weight_files import Found, digest, find_weights
from hrbench.resolve import resolve, suggestion
from hrbench.scoring import verdict
from hrbench.store import RunFolder, write_state
from hrbench.types import (
    Drawing,
    Entry,
    EntryError,
    Event,
    HrbenchError,
    Prediction,
    Result,
    Sample,
    Score,
    State,
    UsageError,
    Variant,
)

if TYPE_CHECKING:
    from torch import nn

Listen = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things lie and what to run on; nothing here changes a number but the device.

    data, weights: folders. device: "cpu", "cuda", "cuda:1" or "auto". workers: preparing processes, 0 for threads,
    None to decide by the size of the set. verify: run the official metric code beside ours.
    """

    data: Path = Path("data")
    weights: Path = Path("weights")
    device: str = "auto"
    workers: int | None = None
    verify: bool = False


@dataclass(slots=True)
class Assembled:
    """An entry with its parts found; `reason` says what is missing where accuracy cannot be measured."""

    entry: Entry
    dataset: Any = None
    task: Any = None
    metrics: list[Metric] = field(default_factory=list)
    weights: Found | None = None
    weights_digest: str | None = None
    dataset_digest: str | None = None
    reason: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> str | None:
        """The accuracy key, None where accuracy cannot be measured."""
        if self.reason:
            return None
        versions = {metric.name: metric.version for metric in self.metrics}
        return keys.accuracy_key(self.entry, self.weights_digest, self.dataset_digest, versions)


def build(model: str | Variant, **overrides: Any) -> nn.Module:
    """The network of a catalog row or variant, in eval mode, with random weights and the official keys.

    overrides: replace arguments of the row. Raises UsageError for an unknown name or argument.
    """
    if isinstance(model, str):
        rows = catalog.variants()
        if model not in rows:
            raise UsageError(f"there is no model {model!r}: {suggestion(model, rows)}")
        model = rows[model]
    make = resolve("hrbench.models", model.use)
    try:
        return make(**{**model.args, **overrides}).eval()
    except HrbenchError:
        raise
    except TypeError as error:
        raise UsageError(f"{model.name}: {model.use} cannot be called so: {error}") from None
    except Exception as error:
        raise EntryError(f"{model.name}: building {model.use} failed: {type(error).__name__}: {error}") from error


def assemble(entry: Entry, settings: Settings, draw: bool = True) -> Assembled:
    """Finds data, weights and metrics of an entry. Loads no network.

    draw: whether a miniature that is not there yet is drawn; otherwise it counts as missing.
    """
    parts = Assembled(entry)
    if entry.dataset is None:
        parts.reason = "no data set was asked for, so only costs are measured"
        return parts
    row = entry.dataset
    parts.dataset = resolve("hrbench.datasets", row.use)(settings.data, **row.args)
    if row.draw and not parts.dataset.folder.is_dir():
        if not draw:
            parts.reason = f"{row.name} is not there yet: it is drawn on first use"
            return parts
        resolve("hrbench.datasets", row.draw)(parts.dataset.folder)

    gaps = parts.dataset.missing(entry.protocol)
    found = find_weights(entry.variant, entry.weights, settings.weights)
    if isinstance(found, str):
        gaps.append(found)
    if gaps:
        parts.reason = "; ".join(gaps)
        return parts
    assert isinstance(found, Found)
    parts.weights, parts.weights_digest = found, digest(found.path)
    parts.dataset_digest = parts.dataset.digest(entry.protocol)
    parts.task = resolve("hrbench.tasks", row.task)(entry.variant, parts.dataset, entry.protocol)
    parts.metrics = [resolve("hrbench.metrics", name)(**parts.dataset.metric_options()) for name in entry.metrics]
    parts.notes = list(parts.dataset.notes(entry.protocol))
    return parts


def evaluate(parts: Assembled, settings: Settings, folder: RunFolder, listen: Listen) -> Result:
    """Predicts, judges and draws an assembled entry and stores the result; raises HrbenchError where it fails."""
    entry = parts.entry
    seconds: dict[str, float] = {}
    place = folder.begin(entry.name)
    net, load_notes = _network(parts, settings)

    started = time.perf_counter()
    samples = list(parts.dataset.samples(entry.protocol))[: entry.limit]
    predictions = pipeline.predict(
        parts.task,
        net,
        samples,
        batch=entry.batch,
        workers=settings.workers,
        progress=lambda done, total: listen(Event("progress", entry.name, "predict", "images", done, total)),
    )
    _write(parts.metrics, predictions, place)
    seconds["predict"] = time.perf_counter() - started

    started = time.perf_counter()
    listen(Event("progress", entry.name, "score"))
    images = [sample.id for sample in samples] if entry.limit is not None else None
    scores, state, verified = _judge(parts, place, images, settings.verify)
    seconds["score"] = time.perf_counter() - started

    started = time.perf_counter()
    drawings = _draw(parts, samples, state, place)
    boxes = _box_notes(parts)
    seconds["draw"] = time.perf_counter() - started

    result = Result(
        name=entry.name,
        entry=entry,
        status="done",
        scores=tuple(scores),
        drawings=tuple(drawings),
        notes=(*parts.notes, *boxes, *load_notes, *verified),
        accuracy_key=parts.key,
        provenance=_provenance(parts, net),
        seconds=seconds,
        limited=entry.limit,
    )
    return folder.commit(place, result)


def _network(parts: Assembled, settings: Settings) -> tuple[nn.Module, list[str]]:
    """The entry's network with its weights, in its dtype on its device, and what was worth noting in loading it."""
    import torch

    from hrbench.models.weights import load

    entry = parts.entry
    torch.manual_seed(entry.seed)
    net = build(entry.variant)
    assert parts.weights is not None
    report = load(net, parts.weights.path)
    return net.to(device_of(settings), getattr(torch, entry.dtype)).eval(), list(report.notes)


def device_of(settings: Settings) -> str:
    """The device in words that torch takes; "auto" is the first GPU, or the processor where there is none."""
    import torch

    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(settings.device)
    except RuntimeError:
        raise UsageError(f"there is no device {settings.device!r}: use auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError(f"device {settings.device} was asked for; torch sees {torch.cuda.device_count()} CUDA devices")
    return settings.device


def _write(metrics: list[Metric], predictions: Iterator[Prediction], place: Path) -> None:
    """Streams predictions to each format that the metrics read; one pass, held in memory only for several formats."""
    formats = {metric.prediction_file: metric for metric in metrics}
    source = predictions if len(formats) == 1 else list(predictions)
    for name, metric in formats.items():
        metric.write_predictions(source, place / name)


def _judge(
    parts: Assembled, place: Path, images: list[int | str] | None, verify: bool
) -> tuple[list[Score], State, list[str]]:
    """Scores of every metric, from the prediction files; the first metric's state; what verifying found."""
    scores: list[Score] = []
    states: list[State] = []
    notes: list[str] = []
    for metric in parts.metrics:
        target = metric.read_target(parts.dataset.target)
        predictions = metric.read_predictions(place / metric.prediction_file, target)
        state = metric.measure(predictions, target, images)
        write_state(state, place / ("states.npz" if not states else f"states-{metric.name}.npz"))
        states.append(state)
        own = metric.summarise(state, seed=parts.entry.seed)
        scores += sorted(own, key=lambda score: score.quantity.name != metric.main)
        if verify:
            official = metric.verify(parts.dataset.target, place / metric.prediction_file, images)
            notes.append(verdict(own, official, metric))
    return scores, states[0], notes


def _box_notes(parts: Assembled) -> list[str]:
    """A warning where boxes stand in the published file's place and are not as good as it is known to be."""
    expected = getattr(parts.dataset, "published_box_ap", lambda protocol: None)(parts.entry.protocol)
    if expected is None or parts.entry.limit is not None:
        return []
    from hrbench.metrics.person_boxes import person_box_ap

    path = parts.dataset.box_file(parts.entry.protocol["boxes"])
    found = person_box_ap(parts.dataset.target, path, parts.dataset.scheme.category)
    if round(found, 3) == expected:
        return []
    return [
        f"the boxes of {path.name} reach {100 * found:.1f} box AP on people, those behind the published tables "
        f"{100 * expected:.1f}: the scores are not comparable with them"
    ]


def _draw(parts: Assembled, samples: list[Sample], state: State, place: Path, each: int = 3) -> list[Drawing]:
    """Pictures of the worst cases and of some in the middle, where the task can draw."""
    metric = parts.metrics[0]
    if not hasattr(parts.task, "draw"):
        return []
    qualities = {key: value for key, value in metric.qualities(state).items() if value == value}
    ranked = sorted(qualities, key=lambda key: (qualities[key], str(key)))
    worst = ranked[:each]
    rest = ranked[len(worst) :]
    middle = max(0, len(rest) // 2 - each // 2)
    kinds: dict[int | str, Literal["worst", "typical"]] = dict.fromkeys(worst, "worst")
    kinds |= dict.fromkeys(rest[middle : middle + each], "typical")
    by_id = {sample.id: sample for sample in samples}
    rows = parts.task.rows(place / metric.prediction_file, [by_id[key] for key in kinds])
    drawings = []
    for key, kind in kinds.items():
        file = f"drawings/{kind}-{len(drawings) + 1}.jpg"
        parts.task.draw(by_id[key], rows[key], place / file)
        drawings.append(Drawing(file, key, kind, f"image {key}, quality {qualities[key]:.2f} of 1"))
    return drawings


def _provenance(parts: Assembled, net: nn.Module) -> dict[str, Any]:
    assert parts.weights is not None and parts.entry.dataset is not None
    parameter = next(iter(net.parameters()), None)
    return {
        "weights": {
            "file": parts.weights.path.name,
            "source": parts.weights.source,
            "sha256": parts.weights_digest,
        },
        "dataset": {"name": parts.entry.dataset.name, "sha256": parts.dataset_digest},
        "metrics": {metric.name: {"version": metric.version, "engine": "hrbench"} for metric in parts.metrics},
        "protocol": dict(parts.entry.protocol),
        "device": str(parameter.device) if parameter is not None else "cpu",
        "environment": environment.environment(),
    }
