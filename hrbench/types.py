"""The nouns of hrbench: frozen dataclasses that every floor above may use.

Standard library only, so that importing a noun never imports a framework. Everything here is plain data that
turns into JSON and back without loss (`store/results.py` does it for results).

Frames and units, unless stated otherwise: pixel coordinates are (x, y) in the original image with the centre
of the top-left pixel at (0, 0); sizes of images are (width, height) in pixels; inputs of networks are (height, width)
as the literature writes them ("256x192"); accuracies are fractions in [0, 1]; times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # annotations only: this module imports nothing at run time
    import numpy as np

Unit = Literal["fraction", "count", "operations", "seconds", "bytes", "joules", "rate", "intensity", "speed", "number"]
Better = Literal["higher", "lower", "neither"]

TASKS = ("pose", "segmentation", "detection", "classification", "backbone")
"""What networks are made for. Costs are measured for all of them; for a backbone there is nothing else to measure."""


# --- quantities and what was measured ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a number means, carried with the number so that tables and gates need to import no metric.

    name: stable identifier within its metric or cost, e.g. "AP50", "pckh@0.5/mean", "macs", "latency".
    label: what it is called, e.g. "AP50", "Latency". `unit` decides how `units.py` writes it.
    description: one sentence for a hover text, conventions included.
    heading: of its column in a table without a layout, with the shown unit: "Latency (ms)"; the label if "".
    group: common heading over several such columns ("Operations"); "" for none.
    convention: by which of several ways it is counted, in a few words; "" if there is only one.
    divisor: how much of the unit one shown unit is; None for the value of `units.py`.
    per_batch: whether a cost depends on the batch it was measured at; a table shows one that does not once.
    """

    name: str
    label: str
    unit: Unit
    better: Better
    description: str = ""
    heading: str = ""
    group: str = ""
    convention: str = ""
    divisor: float | None = None
    per_batch: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not there.

    what: what is missing or went wrong, in one sentence without a full stop.
    remedy: what a person can do about it, in words; "" if there is nothing to do.

    >>> str(Reason("images are missing: data/coco", "download them")), str(Reason("no image has a valid class"))
    ('images are missing: data/coco; download them', 'no image has a valid class')
    """

    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


@dataclass(frozen=True, slots=True)
class Note:
    """Something about what was read that changes a number, or may: the same for a person and for a program.

    kind: its stable name, such as "cut_detections".
    what: what was found, after its number: "detections are past the first 100 of their image".
    count: how many there are; None for something that is there or not.
    of: among how many; None if that says nothing.
    effect: what it does to the number, in words.
    option: what changes it, as `--option` and a suite take it; "" if nothing does.

    >>> str(Note("cut_detections", "detections are past the first 100 of their image", 3, 4000, "they are not judged"))
    '3 of 4,000 detections are past the first 100 of their image: they are not judged'
    >>> str(Note("empty_images", "images have no prediction", 2, effect="their objects are missed", option="images: 5"))
    '2 images have no prediction: their objects are missed (option images: 5)'
    """

    kind: str
    what: str
    count: int | None = None
    of: int | None = None
    effect: str = ""
    option: str = ""

    def __str__(self) -> str:
        number = (
            "" if self.count is None else f"{self.count:,} " if self.of is None else f"{self.count:,} of {self.of:,} "
        )
        effect = f": {self.effect}" if self.effect else ""
        return f"{number}{self.what}{effect}" + (f" (option {self.option})" if self.option else "")


Remark = str | Note
"""A note for readers of a result: a sentence, or one that is data too."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Returned instead of something that was looked for and not found."""

    reason: Reason

    def __str__(self) -> str:
        return str(self.reason)


@dataclass(frozen=True, slots=True)
class BatchTime:
    """How fast one batch of a throughput is.

    batch: images in a forward pass.
    rate: images per second: `batch / p50`.
    p50: median seconds of a forward pass of the whole batch.
    passes: how many were timed.
    samples: seconds of at most 60 of them, evenly spread over all, in the order taken.
    """

    batch: int
    rate: float
    p50: float
    passes: int
    samples: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a cost was measured under. A field that does not apply keeps its default.

    batch: images in a forward pass.
    input: (height, width) in pixels.
    dtype, device: "float32"; the name of the processor or GPU.
    device_type: "cpu" or "cuda".
    runtime: how the network was run, in words; "" for eager PyTorch and for a network in a file.
    prepared_as: what the runtime made of the network, in words ("75 of 75 batch norms folded").
    tf32: which operations of float32 could use TF32 on a GPU, in words; "" for none.
    convention: by which operations are counted ("macs", "fvcore", ...).
    divisor: `value / divisor` is the number under the heading `quantity.label`.
    proposals, masks: boxes per image that a detector's heads are counted for.
    uncounted: operator -> calls that the convention has no rule for.
    not_counted: parts of a detector that the count leaves out, in words.
    counted_on: the device on which operations were counted if values were needed, in words; "" for the meta device.
    counted: which parameters were counted, in words; "" for all parameters of the network.
    percentile: which percentile of the samples the value is.
    p99: 99th percentile of the samples in seconds, as hrbench 0.2 told it; None otherwise.
    p90_bound, p99_bound: upper bounds of percentiles of the time of a pass in seconds, with 99 % confidence; None if
        there are too few samples.
    mode: how long a latency was measured: "quick", "gate" or "smoke"; "" in results of hrbench 0.2.
    budget: seconds of wall time that one latency may take.
    threads: CPU threads of a forward pass.
    torch: version of torch.
    channels_last: whether the input's memory is in channels-last order.
    flags: torch's numeric flags.
    timed: what was timed, in words.
    load: seconds to build the network and move it to the device.
    compile: seconds until the runtime had prepared it and called it once; None for eager, which prepares nothing.
    first_pass: seconds of the first forward pass.
    warm_up_passes: passes before the samples.
    warm_up_settled: whether passes were stable before the samples were taken; None if there was no time to tell.
    passes: samples taken.
    every: which of the passes were kept as samples: every `every`-th.
    looks: seconds of samples at each look at a quick latency, which ends when its median is known well enough.
    confidence: of the interval at each of the looks, with which the last one holds with 95 %.
    process_passes: samples of each process, if they were taken in several.
    device_time: median time of a pass on the GPU in seconds, from its first to its last work.
    launch_share: share of a pass in which the host was still asking the GPU for work, median.
    stability: "stable", "unstable" or "unknown" (`cost.telemetry.stability`); "" if nobody looked.
    stability_reasons: why it is not stable, in words.
    seen: what was seen of the machine while samples were taken (`cost.telemetry.seen`).
    inputs: what was fed: "standard normal", or "8 images of NAME"; "" as the former.
    data: the first 12 digits of the SHA-256 of the data set that the images are of.
    weights: whose a network was measured with that is fed images: one of its sources, or "random"; "" for random ones
        where it does not matter.
    caches: "warm", or "cold" if they were flushed before each pass; "" as "warm".
    images: images of a pipeline, one after the other, or on which operations were counted.
    spread: standard deviation of the samples over these images (of the population), in the quantity's unit.
    sizes: the smallest and the largest input, "480x640", if images went in at several sizes.
    stages_apart: by which share of the whole, timed apart, the stages of a pipeline add up to more (or less, below 0).
    knee: batch of a throughput: twice as many images bring less than 3 % more of them per second.
    knee_found: whether a batch was timed that brought less than 3 % more; if not, a larger one may be faster.
    ended: what ended the sweep over batches, or a quick latency that was looked at, in words.
    curve: every batch that was timed, rising.
    energy_of: what the energy counter covers, in words.
    idle_power: watts at rest, measured before the passes by the same counter; in the energy, and not subtracted.
    power: watts during the passes.
    windows: how often energy was measured.
    window: seconds of the shortest of these windows.
    roofline: what a roofline was computed from (`cost.roofline.arithmetic`).
    more: further conditions that a user-defined network states for its count.
    """

    batch: int | None = None
    input: tuple[int, int] | None = None
    dtype: str = ""
    device: str = ""
    device_type: str = ""
    runtime: str = ""
    prepared_as: tuple[str, ...] = ()
    tf32: str = ""
    convention: str = ""
    divisor: float | None = None
    proposals: int | None = None
    masks: int | None = None
    uncounted: Mapping[str, int] = field(default_factory=dict)
    not_counted: str = ""
    counted_on: str = ""
    counted: str = ""
    percentile: int | None = None
    p99: float | None = None
    p90_bound: float | None = None
    p99_bound: float | None = None
    mode: str = ""
    budget: float | None = None
    threads: int | None = None
    torch: str = ""
    channels_last: bool | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    timed: str = ""
    load: float | None = None
    compile: float | None = None
    first_pass: float | None = None
    warm_up_passes: int | None = None
    warm_up_settled: bool | None = None
    passes: int | None = None
    every: int | None = None
    looks: tuple[float, ...] = ()
    confidence: float | None = None
    process_passes: tuple[int, ...] = ()
    device_time: float | None = None
    launch_share: float | None = None
    stability: str = ""
    stability_reasons: tuple[str, ...] = ()
    seen: Mapping[str, Any] = field(default_factory=dict)
    inputs: str = ""
    data: str = ""
    weights: str = ""
    caches: str = ""
    images: int | None = None
    spread: float | None = None
    sizes: tuple[str, ...] = ()
    stages_apart: float | None = None
    knee: int | None = None
    knee_found: bool | None = None
    ended: str = ""
    curve: tuple[BatchTime, ...] = ()
    energy_of: str = ""
    idle_power: float | None = None
    power: float | None = None
    windows: int | None = None
    window: float | None = None
    roofline: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def stated(self) -> dict[str, Any]:
        """The conditions that apply, by name, in the order of the fields.

        >>> Conditions(batch=1, dtype="float32", warm_up_settled=False).stated()
        {'batch': 1, 'dtype': 'float32', 'warm_up_settled': False}
        """
        known = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "more"}
        return {name: value for name, value in {**known, **self.more}.items() if value not in (None, "", {}, ())}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number of one entry: a score or a cost.

    value: in the quantity's unit (accuracies are fractions in [0, 1], operations plain counts, latencies seconds);
        None if it does not exist, and then `reason` says why.
    metric: the name of the metric that computed a score; "" for a cost.
    interval: the 95 % interval (low, high) in the quantity's unit, or None. Of a score: by a bootstrap over images; of
        a latency: that of the median.
    n: number of ground-truth objects behind a score (people, joints, images: the quantity's description says which).
    samples: raw measurements in the order taken (seconds per pass), kept so that any statistic can be derived.
    conditions: what a cost was measured under.
    """

    quantity: Quantity
    value: float | None
    metric: str = ""
    interval: tuple[float, float] | None = None
    n: int = 0
    samples: tuple[float, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    reason: Reason | None = None


# --- what a suite resolves to --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """How a network is run, while it predicts and while it is timed.

    name: entry point of `hrbench.runtimes`; "own" for a network in a file, which brings its own.
    mode: of a compiler; "" for its default.
    provider: of onnxruntime ("CUDAExecutionProvider"); "" for that of the device.
    channels_last: whether weights and inputs lie in memory with the channels last.
    fused_bn: whether batch norms are folded into the convolutions before them.
    tf32: whether convolutions and matrix products of float32 may use TF32 on a GPU; None for what torch is set to.
    threads: CPU threads; None for those of the process.
    """

    name: str = "eager"
    mode: str = ""
    provider: str = ""
    channels_last: bool = False
    fused_bn: bool = False
    tf32: bool | None = None
    threads: int | None = None

    def stated(self) -> dict[str, Any]:
        """What differs from eager PyTorch, by name, in the order of the fields: the canonical form, {} for eager.

        >>> RuntimeSettings("compile", threads=2).stated(), RuntimeSettings("own").stated()
        ({'name': 'compile', 'threads': 2}, {})
        """
        plain = RuntimeSettings()
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: value for name, value in found.items()
            if value != getattr(plain, name) and (name, value) != ("name", "own")
        }  # fmt: skip

    def __str__(self) -> str:
        """In words, as a table has it.

        >>> str(RuntimeSettings()), str(RuntimeSettings(channels_last=True)), str(RuntimeSettings("compile", threads=1))
        ('eager', 'eager, channels_last', 'compile, threads 1')
        """
        rest = {name: value for name, value in self.stated().items() if name != "name"}
        said = [
            str(value) if isinstance(value, str) else name if value is True else f"{name} {str(value).lower()}"
            for name, value in rest.items()
        ]
        return ", ".join([self.name, *said])


@dataclass(frozen=True, slots=True)
class ModelRef:
    """What builds a network: the text of `use`, parsed once (`core.plugins.model_ref`); `str` gives the text back.

    kind: "entry_point" (a name of `hrbench.models`, known or not), "source" (another library, or a file), or
        "reference" (a user-defined callable).
    target: the entry point's name; what the source is asked for; "package.module:callable".
    source: the name of the source, "" for the other kinds.
    path: the file or folder that a source is asked for, as written; None if it is asked for a name.
    """

    kind: Literal["entry_point", "source", "reference"]
    target: str
    source: str = ""
    path: str | None = None

    def __str__(self) -> str:
        return f"{self.source}:{self.target}" if self.source else self.target

    @property
    def short_name(self) -> str:
        """The network's name if only its `use` is known: the last part of a name, a file's name without its suffix.

        >>> ModelRef("reference", "ourpkg.nets:pose").short_name, ModelRef("source", "org/vitpose", "hf").short_name
        ('pose', 'vitpose')
        """
        if self.path is not None:
            path = Path(self.path)
            return path.stem if path.suffix in (".onnx", ".pt2") else path.name
        if self.source:
            return self.target.rpartition("/")[2]
        return self.target.rpartition(":")[2].rpartition(".")[2]

    @property
    def module(self) -> str:
        """The module that a reference names; "" for the other kinds."""
        return self.target.partition(":")[0] if self.kind == "reference" else ""

    @property
    def family(self) -> str:
        """The group in which a network is listed: its source, its module, or its entry point."""
        return self.source or self.module or self.target


@dataclass(frozen=True, slots=True)
class Variant:
    """One network with its arguments and the input it is evaluated at: a catalog row, or written in a suite.

    use: entry point of `hrbench.models` or "package.module:callable"; called with `args` it returns a torch module.
    input: (height, width) in pixels.
    colour: channel order the network reads.
    mean, std: by channel position, of values in [0, 1].
    weights: source -> file name or address ("official", "openmmlab", "shipped", ...).
    parameters: the known count, checked by a test.
    published: the row of the literature, e.g. {"file": "pose", "section": "coco_keypoints", "model": "HRNet-W32",
        "input": "256x192"}.
    title: how a table calls it ("HRNet-W32").
    protocol: settings of its task's protocol that belong to the network ({"name": "hrnet-ocr"}); a suite overrides
        them.
    metrics: those metrics of the data set that can evaluate it, () for all (a detector without masks has no mask AP).
    miniature: whether it is a miniature; it is then labelled as one wherever it appears.
    absent: why no network can be built from this row (its papers omit necessary details), in one sentence; "" if it
        can.

    A value of `args` that is a mapping with `use` is a network too (the backbone of a detector): it is built first,
    with the `args` of that mapping.
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


NOT_READ = "(not on this disk yet)"
"""Stands for the configuration of a network that a library has still to fetch (`LibraryInput.stated_by`)."""


@dataclass(frozen=True, slots=True)
class LibraryInput:
    """How a library feeds a network of its own: what its configuration says, in the words of a suite.

    stated_by: the configuration, by name ("timm resnet50.a1_in1k").
    input: (height, width) in pixels; None if it states none.
    colour, mean, std: as of `Variant`.
    protocol: settings of the task's protocol, its name among them; {} if nothing but colours is stated.
    """

    stated_by: str
    input: tuple[int, int] | None = None
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    protocol: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One data set: a catalog row, or written in a suite.

    use: entry point of `hrbench.datasets` or "package.module:callable", called as `use(root, **args)`, where `root` is
        the folder given by --data.
    metrics: names of `hrbench.metrics`.
    draw: "module:function" that generates a miniature data set below `root` if it is not there.
    home: where a person gets the real data, in words.
    fixed: settings of the protocol that the data set decides; a suite cannot change them (MPII has no detected boxes).
    protocols: name of a protocol -> its settings as published for this data set (sizes, scales); network and suite
        override them.
    downloads: files that can be downloaded freely, each a mapping with `address`, `into` (path below the data set's
        folder: of the file, or of the folder for an archive's members), `unpack` (for an archive: the folder in it
        that is needed, "." for all) and, if known, `digest` ("sha256:..." or "md5:...") and `bytes`.
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
    """One row of a suite with all defaults filled in: plain values, so it can be hashed, logged and sent elsewhere.

    name: of the entry, also of its folder.
    variant: the network.
    dataset: None if only costs are asked for.
    protocol: every field of the task's protocol dataclass, with "name" and "version".
    metrics: names of the metrics that evaluate the predictions.
    cost: name of a cost probe -> its settings, True if it has none, False or None if it is not measured; parameters
        and operations are measured if they are not named.
    weights: an absolute path, a source of the variant, "none" (costs only), "own" (a user-defined callable returns the
        network with them), or None (the first source found).
    weights_key: the part of a training checkpoint that the weights are ("model_ema"); "" for the one that the reader's
        rule chooses.
    batch: images or crops per forward pass while evaluating, or "auto" to determine it.
    limit: how many images to evaluate, spread over the data set (`core.limit`); None for all.
    seed: of random initialisation and of the bootstrap.
    dtype: precision while evaluating.
    runtime: how the network is run.
    resamples: of the bootstrap behind the intervals, 0 for no intervals.
    timeout: seconds after which the accuracy, or one cell of the costs, is ended as failed; None for never.
    predictions: absolute path of a file (a folder, if the format is one) of precomputed predictions, which are
        evaluated instead of running a network; "" to run the network.
    where: "file:line" in the suite, for messages.
    """

    name: str
    variant: Variant
    dataset: DatasetRow | None
    protocol: Mapping[str, Any]
    metrics: tuple[str, ...]
    cost: Mapping[str, Any]
    weights: str | None = None
    weights_key: str = ""
    batch: int | Literal["auto"] = 16
    limit: int | None = None
    seed: int = 0
    dtype: str = "float32"
    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)
    resamples: int = 1000
    timeout: float | None = None
    predictions: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """A parsed suite file.

    table: the layout's name or path, or "" for the default of the task.
    names: names of all its entries, also of those that --only leaves out.
    options: options of the command line, as written there ("--limit 3").
    partial: whether entries were chosen with --only.
    """

    name: str
    title: str
    entries: tuple[Entry, ...]
    table: str = ""
    path: str = ""
    text: str = ""
    names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is installed, passed to `load_suite` so that it needs no other room.

    protocols: task name -> frozen dataclass type whose fields (with defaults) a suite may set.
    named: (task, `use` of the network) -> the task's protocols by name, the usual one for this network first.
    exists: (entry-point group, name) -> whether it can be resolved.
    arguments: (entry-point group, name, further folders to look in) -> names of the arguments it takes, or None if
        they cannot be found. They are read from the source, without importing it.
    costs: name of a cost probe -> frozen dataclass type whose fields (with defaults) a suite may set.
    runtimes: name of a runtime -> those fields of `RuntimeSettings` that it takes.
    library_input: (`use`, task, input or None, args, file of weights or "") -> how the library behind it feeds the
        network, None if it does not say. Raises HrbenchError for a way that hrbench does not know.
    refused: (name of a runtime, "mode" and "provider" that it takes -> value) -> why it does not take them, "" if it
        does.
    """

    variants: Mapping[str, Variant]
    datasets: Mapping[str, DatasetRow]
    protocols: Mapping[str, type]
    metrics: tuple[str, ...]
    exists: Callable[[str, str], bool]
    arguments: Callable[[str, str, Sequence[str]], tuple[str, ...] | None] = lambda group, name, folders: None
    named: Callable[[str, str], Mapping[str, Any]] = lambda task, use: {}
    costs: Mapping[str, type] = field(default_factory=dict)
    runtimes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    library_input: Callable[[str, str, tuple[int, int] | None, Mapping[str, Any], str], LibraryInput | None] = (
        lambda use, task, input, args, weights: None
    )
    refused: Callable[[str, Mapping[str, str]], str] = lambda name, settings: ""


# --- what a gate holds a release to -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse a number may be; of an absolute and a relative margin the larger counts.

    points: absolute: percentage points of a fraction, else in the quantity's unit.
    relative: a share of the former value (0.03 for 3 %).
    """

    points: float | None = None
    relative: float | None = None


Tier = Literal["required", "watched", "ignored"]
"""What a row's regression does: it blocks, it is told, or nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy; of the rules that fit a row the last that sets a tier, or a margin, decides.

    quantity: a pattern for NAME or METRIC/NAME of a score, or the name of a cost.
    entry: a pattern for names of entries.
    tier, margin: None for what the rule does not set.
    where: "file:line".
    """

    quantity: str = "*"
    entry: str = "*"
    tier: Tier | None = None
    margin: Margin | None = None
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Floor:
    """A bound that a number must keep whatever it was before.

    quantity, entry: patterns, as in `Rule`.
    bound: in the quantity's unit (fractions in [0, 1]).
    least: whether the number must be at least, rather than at most, the bound.
    """

    quantity: str
    bound: float
    least: bool = True
    entry: str = "*"
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Waiver:
    """A regression that somebody has accepted for a time.

    quantity, entry: patterns, as in `Rule`.
    reason: shown wherever the row is.
    until: the last day, "2027-01-31".
    """

    quantity: str
    reason: str
    until: str
    entry: str = "*"
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a gate requires. Two policies that require the same are equal, wherever they were read.

    source: the file, or "" for the default policy.
    block_open: whether a required row that cannot be told blocks.
    """

    source: str = field(default="", compare=False)
    block_open: bool = False
    rules: tuple[Rule, ...] = ()
    floors: tuple[Floor, ...] = ()
    waivers: tuple[Waiver, ...] = ()


# --- what flows through an evaluation --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with what the protocol needs of its annotation.

    id: the image id of the data set.
    size: (width, height) in pixels as annotated, or None.
    group: the images that may be resampled together, such as a city; "" for none.
    content: what the task's `prepare` needs. Pose: a tuple of `Person`; classification: None, or the only box (x, y,
        width, height) in pixels to classify; segmentation and detection: None.
    orientation: whether the annotation belongs to the picture as the file stores it, or turned as its EXIF orientation
        says ("applied"); "" if nobody says, and then a file with such a tag is refused.
    """

    id: int | str
    path: Path
    size: tuple[int, int] | None = None
    group: str = ""
    content: Any = None
    orientation: Literal["", "stored", "applied"] = "stored"


@dataclass(frozen=True, slots=True)
class Person:
    """A person whose pose is estimated: a box, or a centre and a scale as MPII annotates them.

    index: position in the official order of the data set (row in MPII, in the box file, or in COCO's annotations).
    score: the box's confidence, 1 for ground truth.
    box: x, y, width, height in image pixels.
    centre: x, y in image pixels, 1-based as annotated.
    scale: the person's height / 200.
    """

    index: int
    score: float = 1.0
    box: tuple[float, float, float, float] | None = None
    centre: tuple[float, float] | None = None
    scale: float | None = None


@dataclass(frozen=True, slots=True)
class KeypointScheme:
    """The joints of a pose data set.

    names: K joint names in output order.
    flip_pairs: (left, right) indices exchanged by a mirror.
    sigmas: K OKS constants, empty if the metric needs none.
    limbs: pairs of joints that are connected in rendered images.
    category: COCO id of the person class.
    annotated: every annotated person gets exactly one prediction, neither rescored nor suppressed.
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

    names: C names.
    ids: the number of each class in the files of the data set (label ids of Cityscapes, category ids of COCO, positions
        of the synsets of ImageNet: then 0..C-1).
    palette: C colours (red, green, blue), 0 to 255; () for none.
    flip_pairs: (left, right) indices exchanged by a mirror (LIP).
    """

    names: tuple[str, ...]
    ids: tuple[int, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One network input: `image` uint8 (H, W, 3) in the variant's colour order, and what `finish` needs to map back."""

    sample: int | str
    image: np.ndarray
    content: Any = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted for one image, in the frame of the original image.

    Pose and detection: a list of COCO results rows (dicts). Segmentation: class indices (H, W) uint8, or uint16 for
    more than 255 classes. Classification: (class indices (k,), scores (k,)), best first.
    """

    sample: int | str
    value: Any


@dataclass(frozen=True, slots=True)
class State:
    """The sufficient statistics of a metric: named NumPy arrays (rows keyed by sample id) and JSON parameters.

    Stored as states.npz, read without pickle. Rows can be merged only if their `params` are equal.
    """

    metric: str
    version: int
    params: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class ByImage:
    """The numbers of a state as a function of how often each image occurs: what judging two states needs.

    images: (I,) ids of the images, rising, each once. Only these are resampled.
    names: of the Q numbers, as their quantities have them.
    overall: how many of them, from the first, are not of a single class.
    at: weights (B, I) int64 -> (B, Q) float64, NaN for a number that does not exist under them. With every weight 1 the
        numbers are the metric's scores, to the last bit (Cityscapes' iIoU: to rounding, since its official sum runs
        over instances).
    at_once: how many weightings `at` is best given at once.
    resampled: (weights (B, I), once (I,)) -> (B, Q), as `at`, for weights that resample the images of `once`. A class
        that occurs in these images, and not in a resample, keeps in a mean over classes its number of all of them, so
        that a mean is over the same classes in every resample. None if it is the same as `at`.
    truth: (I,) uint64 digests of each image's ground truth; None if the state has none (files of format 1).
    groups: (I,) names of the groups that images belong to, such as cities; None if there are none.
    qualities: what `Metric.qualities` gives: image -> how good it is, in [0, 1]; images without a value are absent.
    right: (I, Q) bool if each number is a share of images: whether an image is right; None for other metrics.
    """

    images: np.ndarray
    names: tuple[str, ...]
    overall: int
    at: Callable[[np.ndarray], np.ndarray]
    qualities: Callable[[], Mapping[int | str, float]]
    at_once: int = 1
    truth: np.ndarray | None = None
    groups: np.ndarray | None = None
    right: np.ndarray | None = None
    resampled: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


# --- results ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drawing:
    """A rendered prediction: an image file in the entry's folder, with its caption."""

    file: str
    sample: int | str
    kind: Literal["worst", "typical"]
    caption: str


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
    """

    source: str
    sha256: str | None
    file: str = ""
    use: str = ""
    fits: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """On which data a score was measured; sha256: digest of annotations and images; images: how many there are."""

    name: str
    sha256: str | None
    images: int


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """What computed a score."""

    version: int
    engine: str


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
    """

    kind: Literal["entry", "progress", "cost", "note", "result", "failed"]
    entry: str
    phase: str = ""
    text: str = ""
    done: int = 0
    total: int = 0
