"""Everything known about an entry after a run, and what is reported while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hrbench.types.measurements import Measurement
from hrbench.types.notes import Reason, Remark
from hrbench.types.suites import Entry


@dataclass(frozen=True, slots=True)
class Drawing:
    """A rendered prediction: an image file in the entry's folder, with its caption.

    file: picture of what was predicted.
    sample: id of the image.
    kind: why it was chosen.
    quality: how good the prediction is by the first metric, in [0, 1]; None without ground truth.
    truth: file of the picture of what is annotated; "" if there is none.
    classes: names of the classes in the image.
    quality_is: what `quality` is, in words.
    """

    file: str
    sample: int | str
    kind: Literal["worst", "typical"]
    caption: str
    quality: float | None = None
    truth: str = ""
    classes: tuple[str, ...] = ()
    quality_is: str = ""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file or folder by its name and the SHA-256 of its content."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class WeightsRecord:
    """Which weights a network had.

    source: one of the variant's sources, "file", "own", or the library that provided them.
    sha256: of the file, or of the tensors of a network that has its own weights; None if not known.
    file, use: the name of the file, or the `use` of a network that has its own weights.
    fits: key of the network and the weights that were verified to fit, for an entry without accuracy.
    key: the part of a training checkpoint that was asked for; "" if none was.
    drop: the prefix that was asked to be dropped from all keys; "" if none was.
    """

    source: str
    sha256: str | None
    file: str = ""
    use: str = ""
    fits: str = ""
    key: str = ""
    drop: str = ""


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """On which data a score was measured; sha256: digest of annotations and images; images: how many there are."""

    name: str
    sha256: str | None
    images: int


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """What computed a score.

    criteria: options by which it judged otherwise than the official evaluation does; {} if as that does.
    """

    version: int
    engine: str
    criteria: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a result was computed. A field that does not apply keeps its default.

    metrics: name of a metric -> what computed it.
    protocol: all settings that were used.
    environment: versions, machine, numeric flags.
    libraries: library that the network's source uses -> version.
    device: on which the network ran, as torch names it ("cpu", "cuda:0").
    predictions: the file of precomputed predictions that was evaluated.
    submission: the archive written for a server that has the ground truth.
    not_comparable: why the scores must not be compared with published ones, in words; "" if they may.
    traceback: of an entry that failed with an unexpected error.
    prediction_notes: those notes of the result that concern how the predictions were computed.
    limit_rule: how the images of a --limit were chosen (`core.limit.RULE`); "" without a limit, and for the first N
        images, as hrbench 0.1.0 took them.
    in_process: whether the entry ran in hrbench's own process, so that an earlier entry may have affected it.
    date: when it was scored, an ISO time in UTC; "" if that was not recorded.
    """

    weights: WeightsRecord | None = None
    dataset: DatasetRecord | None = None
    metrics: Mapping[str, MetricRecord] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    predictions: FileRecord | None = None
    submission: FileRecord | None = None
    not_comparable: str = ""
    traceback: str = ""
    prediction_notes: tuple[Remark, ...] = ()
    limit_rule: str = ""
    in_process: bool = False
    date: str = ""


Status = Literal["done", "empty", "failed", "costs_only", "submitted"]


@dataclass(frozen=True, slots=True)
class Result:
    """Everything known about one entry after a run; one JSON file.

    status: "done"; "submitted" (predictions exist, a server has the ground truth); "costs_only" (no accuracy was
        requested); "empty" (no accuracy: `reasons` say what is missing; costs may exist); "failed" (`reasons` are the
        error).
    costs_reason: why costs could not be measured; None if they were, or if that was not tried.
    notes: what a reader should know about the numbers, in sentences or as data.
    prediction_key, score_key: SHA-256 of all that decides the predictions and the scores; None without them.
    cost_key: the same for all costs, in a result of format 1; None in others.
    cost_keys: name of each cost probe with complete numbers -> SHA-256 of all that decides them.
    seconds: wall time by phase.
    limited: the --limit that was used; such a result cannot be compared with any other.
    folder: where the entry's files lie; not stored.
    log: name of the file with the entry's output, in its folder; "" if there is none.
    files: file in the entry's folder, as a relative path -> SHA-256.
    """

    name: str
    entry: Entry
    status: Status
    reasons: tuple[Reason, ...] = ()
    scores: tuple[Measurement, ...] = ()
    costs: tuple[Measurement, ...] = ()
    costs_reason: Reason | None = None
    drawings: tuple[Drawing, ...] = ()
    notes: tuple[Remark, ...] = ()
    prediction_key: str | None = None
    score_key: str | None = None
    cost_key: str | None = None
    cost_keys: Mapping[str, str] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    seconds: Mapping[str, float] = field(default_factory=dict)
    limited: int | None = None
    folder: str = ""
    log: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def predicted(self) -> bool:
        """Whether the entry's folder holds valid predictions: evaluated here, or to be evaluated by a server."""
        return self.status in ("done", "submitted")

    @property
    def reason(self) -> str:
        """All reasons in one line, for a person to read."""
        return "; ".join(map(str, self.reasons))


@dataclass(frozen=True, slots=True)
class Event:
    """Something to report while a suite runs; the command line shows events as progress bars or lines.

    kind: "entry" (an entry starts), "progress" (done of total, in `unit`), "cost", "note", "result" (text is a
        summary), "failed".
    entry: its name.
    phase: "predict", "score", "latency", "draw", ...
    before: how much of `done` had been there before the phase began.
    """

    kind: Literal["entry", "progress", "cost", "note", "result", "failed"]
    entry: str
    phase: str = ""
    text: str = ""
    done: int = 0
    total: int = 0
    before: int = 0
