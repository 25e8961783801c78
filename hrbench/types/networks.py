"""A network as a catalog or a suite describes it, how its library feeds it, and how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

TASKS = ("pose", "segmentation", "panoptic", "detection", "classification", "landmarks", "backbone")
"""What networks are made for. Costs are measured for all of them; for a backbone there is nothing else to measure."""


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
    states_colours: whether colour, mean and std are stated too, and are no default.
    """

    stated_by: str
    input: tuple[int, int] | None = None
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    states_colours: bool = True


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
