"""The nouns of hrbench: frozen dataclasses that every floor above may use.

Standard library only, so that importing a noun never imports a framework. Everything here is plain data that
turns into JSON and back without loss (`to_json`, `from_json` in `store.py` do it for results).

Frames and units, wherever nothing else is said: pixel coordinates are (x, y) in the original image with the centre
of the top-left pixel at (0, 0); sizes of images are (width, height) in pixels; inputs of networks are (height, width)
as the literature writes them ("256x192"); accuracies are fractions in [0, 1]; times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # annotations only: this module imports nothing at run time
    import numpy as np

Unit = Literal["fraction", "count", "operations", "seconds", "bytes", "joules"]
Better = Literal["higher", "lower", "neither"]

TASKS = ("pose", "segmentation", "detection", "classification", "backbone")
"""What networks are made for. Costs are measured of all of them; of a backbone there is nothing else to measure."""


# --- quantities and what was measured ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a number means, carried with the number so that tables and gates need to import no metric.

    name: stable identifier within its metric or cost, e.g. "AP50", "pckh@0.5/mean", "macs", "latency".
    label: the heading in a table, e.g. "AP50", "GMACs". `unit` decides how `units.py` writes it.
    description: one sentence for a hover text, conventions included.
    """

    name: str
    label: str
    unit: Unit
    better: Better
    description: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """One accuracy number of one entry.

    value: fraction in [0, 1]; None where it does not exist, and then `reason` says why.
    interval: the 95 % bootstrap interval (low, high) over images, or None.
    n: how many ground-truth objects the number rests on (people, joints, images: the metric's description says).
    """

    metric: str
    quantity: Quantity
    value: float | None
    interval: tuple[float, float] | None = None
    n: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """One cost number of one entry.

    value: in the quantity's unit (operations are plain counts, latency seconds); None where `reason` says why.
    conditions: what it was measured under: batch, dtype, device, input, view, percentile, threads, passes ...
    samples: the raw measurements (seconds per pass), kept so that any statistic can be derived on reading.
    """

    quantity: Quantity
    value: float | None
    conditions: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[float, ...] = ()
    reason: str = ""


# --- what a suite resolves to --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variant:
    """One network with its arguments and the input it is evaluated at: a catalog row, or written in a suite.

    use: entry point of `hrbench.models` or "package.module:callable"; called with `args` it returns a torch module.
    input: (height, width) in pixels. colour: channel order the network reads. mean, std: by channel position, of
    values in [0, 1]. weights: source -> file name or address ("official", "openmmlab", "shipped", ...).
    parameters: the known count, checked by a test. published: where the literature's row is, e.g.
    {"file": "pose", "section": "coco_keypoints", "model": "HRNet-W32", "input": "256x192"}.
    title: how a table calls it ("HRNet-W32"). protocol: settings of its task's protocol that come with the network
    ({"name": "hrnet-ocr"}), laid under those of a suite. metrics: those of the data set's that it can be judged by, ()
    for all (a detector without masks has no mask AP). miniature: labelled as such wherever it appears. absent: why no
    network can be built from this row (its papers leave out what one would have to know), in one sentence; "" for all
    others.

    A value of `args` that is a mapping with `use` is a network too (the backbone of a detector): it is built first,
    and what it is called with is its own `args`.
    """

    name: str
    use: str
    task: str
    input: tuple[int, int]
    args: Mapping[str, Any] = field(default_factory=dict)
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    weights: Mapping[str, str] = field(default_factory=dict)
    parameters: int | None = None
    published: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    miniature: bool = False
    absent: str = ""


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One data set: a catalog row, or written in a suite.

    use: entry point of `hrbench.datasets` or "package.module:callable", called as `use(root, **args)`, where `root`
    is the folder given by --data. metrics: names of `hrbench.metrics`. draw: "module:function" that draws a
    miniature below `root` when it is not there. home: where a person gets the real data, in words. fixed: settings of
    the protocol that the data set decides, whatever a suite says (MPII has no detector's boxes). protocols: name of a
    protocol -> its settings as published for this data set (sizes, scales), laid under those of network and suite.
    downloads: files that are free to fetch, each a mapping of address, into (a path below the data set's folder: of a
    plain file, or of the folder that an archive's members go to), unpack (of an archive the folder in it whose members
    are wanted, "." for all) and, where known, digest ("sha256:..." or "md5:...") and bytes.
    """

    name: str
    use: str
    task: str
    metrics: tuple[str, ...]
    args: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    draw: str = ""
    home: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    downloads: tuple[Mapping[str, Any], ...] = ()
    miniature: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a suite, every default filled in: plain values only, so it can be hashed, logged and shipped.

    weights: a path (absolute), a source of the variant's, "none" (costs only), "own" (a callable of one's own returns
    the network with them), or None (first source found).
    dataset: None where only costs are asked for. protocol: every field of the task's protocol dataclass, with
    "name" and "version". cost: {"operations": bool, "latency": {"batch": [..], "dtype": [..], "budget": seconds or
    None} or None}. batch: images or crops per forward pass while evaluating, or "auto" to find out. limit: evaluate
    only the first N images. predictions: absolute path of a file (a folder, where the format is one) of predictions
    that is judged in place of running a network; "" where there is one to run. where: "file:line" in the suite, for
    messages.
    """

    name: str
    variant: Variant
    dataset: DatasetRow | None
    protocol: Mapping[str, Any]
    metrics: tuple[str, ...]
    cost: Mapping[str, Any]
    weights: str | None = None
    batch: int | Literal["auto"] = 16
    limit: int | None = None
    seed: int = 0
    dtype: str = "float32"
    predictions: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """A parsed suite file.

    table: the layout's name or path, or "" for the default of the task. names: of all its entries, also those that
    --only leaves out. options: of the command line, as given there ("--limit 3").
    """

    name: str
    title: str
    entries: tuple[Entry, ...]
    table: str = ""
    path: str = ""
    text: str = ""
    names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What an installation knows, handed to `load_suite` so that it imports no other leaf.

    protocols: task name -> frozen dataclass type whose fields (with defaults) a suite may set. named: (task, `use` of
    the network) -> the task's protocols by name, the one for such a network first.
    exists: (entry-point group, name) -> whether it can be resolved.
    arguments: (entry-point group, name, further folders to look in) -> names of the arguments it takes, or None where
    that cannot be told; told from the source, without importing it.
    """

    variants: Mapping[str, Variant]
    datasets: Mapping[str, DatasetRow]
    protocols: Mapping[str, type]
    metrics: tuple[str, ...]
    exists: Callable[[str, str], bool]
    arguments: Callable[[str, str, Sequence[str]], tuple[str, ...] | None] = lambda group, name, folders: None
    named: Callable[[str, str], Mapping[str, Any]] = lambda task, use: {}


# --- what flows through an evaluation --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with what the protocol needs of its annotation.

    id: the data set's own image id. size: (width, height) as annotated, or None. group: a city, or "".
    content: what the task's `prepare` takes; pose: a tuple of `Person`; classification: None, or the box (x, y, width,
    height) in pixels to look at alone; segmentation and detection: None.
    """

    id: int | str
    path: Path
    size: tuple[int, int] | None = None
    group: str = ""
    content: Any = None


@dataclass(frozen=True, slots=True)
class Person:
    """Where to estimate a pose: a box, or a centre and a scale as MPII annotates them.

    index: position in the official order of the data set (rows of MPII, of the box file, of COCO's annotations).
    score: the box's confidence, 1 for ground truth. box: x, y, width, height in image pixels. centre: x, y in image
    pixels, 1-based as annotated; scale: the person's height / 200.
    """

    index: int
    score: float = 1.0
    box: tuple[float, float, float, float] | None = None
    centre: tuple[float, float] | None = None
    scale: float | None = None


@dataclass(frozen=True, slots=True)
class KeypointScheme:
    """The joints of a pose data set.

    names: K joint names in output order. flip_pairs: (left, right) indices exchanged by a mirror. sigmas: K OKS
    constants, empty where the metric needs none. limbs: pairs of joints that a drawing connects. category: COCO id of
    the person class. annotated: every annotated person gets exactly one prediction, neither rescored nor suppressed.
    """

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...] = ()
    limbs: tuple[tuple[int, int], ...] = ()
    category: int = 1
    annotated: bool = False


@dataclass(frozen=True, slots=True)
class ClassScheme:
    """The classes of a segmentation, detection or classification data set, in the order of a network's outputs.

    names: C names. ids: what stands for each in the set's own files (label ids of Cityscapes, category ids of COCO,
    synsets by position of ImageNet: then 0..C-1). palette: C colours (red, green, blue), 0 to 255; () for none.
    flip_pairs: (left, right) indices exchanged by a mirror (LIP).
    """

    names: tuple[str, ...]
    ids: tuple[int, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One network input: `image` uint8 (H, W, 3) in the variant's colour order, and what `finish` needs to undo it."""

    sample: int | str
    image: np.ndarray
    content: Any = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted for one image, in its own frame.

    Pose and detection: a list of COCO results rows (dicts); segmentation: class indices (H, W) uint8, or uint16 of more
    than 255 classes; classification: (class indices (k,), scores (k,)), best first.
    """

    sample: int | str
    value: Any


@dataclass(frozen=True, slots=True)
class State:
    """The sufficient statistics of a metric: named NumPy arrays (rows keyed by sample id) and JSON parameters.

    Stored as states.npz, read without pickle. `params` holds what rows must share to be merged.
    """

    metric: str
    version: int
    params: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


# --- results ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture of a prediction: a file in the entry's folder, with what to say about it."""

    file: str
    sample: int | str
    kind: Literal["worst", "typical"]
    caption: str


@dataclass(frozen=True, slots=True)
class Result:
    """Everything known about one entry after a run; one JSON file.

    status: "done"; "empty" (no accuracy: `reason` says what is missing, parts set off by "; "; costs may be there);
    "failed" (`reason` is the error). accuracy_key, cost_key: what was measured, as SHA-256; None where it was not.
    provenance: data set digest, weights digest and source, engine versions, environment, numeric flags. seconds: wall
    time by phase. limited: the --limit in force; such a result is comparable with nothing.
    """

    name: str
    entry: Entry
    status: Literal["done", "empty", "failed"]
    reason: str = ""
    scores: tuple[Score, ...] = ()
    costs: tuple[Cost, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    notes: tuple[str, ...] = ()
    accuracy_key: str | None = None
    cost_key: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    limited: int | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth telling while a suite runs; the command line turns events into bars or lines.

    kind: "entry" (an entry starts), "progress" (done of total, in `unit`), "cost", "note", "result" (text is a
    summary), "failed". entry: its name. phase: "predict", "score", "latency", "draw", ...
    """

    kind: Literal["entry", "progress", "cost", "note", "result", "failed"]
    entry: str
    phase: str = ""
    text: str = ""
    done: int = 0
    total: int = 0
