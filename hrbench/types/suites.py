"""What a suite file resolves to: entries of networks and data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hrbench.types.networks import LibraryInput, RuntimeSettings, Variant


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
    weights_drop: the prefix that is dropped from all keys of the weights ("net.module."); "" for those of the rule.
    assumed: settings of the model and the protocol by which images are prepared and which nothing states: neither the
        suite, nor a configuration of the network, nor the data set ("model.mean", "protocol.size").
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
    shards: into how many parts its images are cut that are predicted, stored and resumed one by one; "auto": one on
        this machine, and as many as keep all devices busy on several. No number depends on it, and no key.
    """

    name: str
    variant: Variant
    dataset: DatasetRow | None
    protocol: Mapping[str, Any]
    metrics: tuple[str, ...]
    cost: Mapping[str, Any]
    weights: str | None = None
    weights_key: str = ""
    weights_drop: str = ""
    assumed: tuple[str, ...] = ()
    batch: int | Literal["auto"] = 16
    limit: int | None = None
    seed: int = 0
    dtype: str = "float32"
    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)
    resamples: int = 1000
    timeout: float | None = None
    predictions: str = ""
    where: str = ""
    shards: int | Literal["auto"] = "auto"


IMAGES = 3
"""How many images of each kind are rendered, unless a suite says `report: {images: N}`."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A parsed suite file.

    table: the layout's name or path, or "" for the default of the task.
    names: names of all its entries, also of those that --only leaves out.
    options: options of the command line, as written there ("--limit 3").
    partial: whether entries were chosen with --only.
    images: how many images of each kind are rendered for the report.
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
    images: int = IMAGES


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
