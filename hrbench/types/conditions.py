"""What a cost was measured under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


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
    ended: what ended the sweep over batches, in words.
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
