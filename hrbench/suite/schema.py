"""The form of a suite file as pydantic models (its keys and their types), and its JSON Schema for editors.

`entries.py` checks whether names exist and fit each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from hrbench.suite.costs import cost_schema
from hrbench.suite.dataset_fields import DatasetFields, DatasetName, known_names
from hrbench.suite.policy_schema import GateFields
from hrbench.types import IMAGES, Known

Dtype = Literal["float32", "float16", "bfloat16", "float64"]
SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,119}$"

# Tags of unions are in parentheses, which distinguishes them from keys in the paths that pydantic reports.
ONE, FIELDS, NAME = "(one)", "(fields)", "(name)"


def _fields_or_name(value: Any) -> str:
    return FIELDS if isinstance(value, dict) else NAME


def _one_or_name(value: Any) -> str:
    return NAME if isinstance(value, str) else ONE


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Positive = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=1, le=100_000)]
Channels = Annotated[list[float], Field(min_length=1)]
Channel = Annotated[float, Field(gt=0)]
ModelName = Annotated[str, known_names("variants")]


class RuntimeFields(Strict):
    """How a network is run."""

    name: Annotated[str, known_names("runtimes")] | None = Field(
        None, description='Entry point of hrbench.runtimes; "eager" if left out, "own" for a network in a file.'
    )
    mode: str | None = Field(None, description="Of torch.compile: reduce-overhead, max-autotune, ...")
    provider: str | None = Field(None, description="Of onnxruntime; left out, that of the device.")
    channels_last: bool | None = Field(None, description="Whether weights and inputs have the channels last in memory.")
    fused_bn: bool | None = Field(None, description="Whether batch norms are folded into the layers before them.")
    tf32: bool | None = Field(
        None, description="Whether float32 may use TF32 on a GPU; left out, as torch is set: in convolutions only."
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="CPU threads, 1,024 at most; left out, those of the process."
    )


class WeightsFields(Strict):
    """A part of a training checkpoint."""

    file: Annotated[str, known_names("weights")] = Field(
        description='The checkpoint, relative to the suite file; or a source of the catalog ("official").'
    )
    key: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description='Which part of it: "model_ema", or with dots a part of a part: "ema.module". Left out, the rule of '
        "README chooses.",
    )
    drop: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description='A prefix that all its keys have and the network\'s have not ("net.module."): dropped from all of '
        "them. Those of common wrappers are dropped without it.",
    )


class ModelFields(Strict):
    """A network written in the suite, or one of the catalog with some fields replaced."""

    base: ModelName | None = Field(None, description="Name of the catalog row that the other fields override.")
    name: str | None = Field(None, description="What to call it; `base` or the last part of `use` otherwise.")
    use: Annotated[str, known_names("models")] | None = Field(
        None,
        description='Entry point of hrbench.models, "package.module:callable" returning a torch module, or a network '
        'of another source: "timm:NAME", "torchvision:NAME", "transformers:ID" (a repository or ./folder), "smp:ARCH", '
        '"onnx:FILE", "exported:FILE" (files relative to the suite file).',
    )
    args: dict[str, Any] | None = Field(
        None,
        description="Keyword arguments of `use`; merged with those of `base` unless `use` is given. A network "
        "among them (a detector's backbone) is a mapping of `use` and `args`; only what changes needs to be written.",
    )
    task: str | None = Field(
        None, description="Task it is made for; by default that of catalog rows with the same `use`."
    )
    input: tuple[Pixels, Pixels] | None = Field(None, description="Height and width of the input in pixels.")
    colour: Literal["rgb", "bgr"] | None = Field(None, description="Channel order the network reads.")
    mean: Channels | None = Field(None, description="Subtracted from values in [0, 1], by channel position.")
    std: Annotated[list[Channel], Field(min_length=1)] | None = Field(
        None, description="What the difference is divided by."
    )
    weights: dict[str, str] | None = Field(None, description="Source -> file name looked for under --weights.")
    parameters: Positive | None = Field(None, description="Known parameter count.")
    published: dict[str, str] | None = Field(None, description="Where the published row is: file, section and fields.")
    title: str | None = Field(None, description="Its name in tables.")
    miniature: bool | None = Field(None, description="Labelled as a miniature wherever it appears.")


Model = Annotated[Annotated[ModelName, Tag(NAME)] | Annotated[ModelFields, Tag(FIELDS)], Discriminator(_fields_or_name)]
Dataset = Annotated[
    Annotated[DatasetName, Tag(NAME)] | Annotated[DatasetFields, Tag(FIELDS)], Discriminator(_fields_or_name)
]


Runtime = Annotated[
    Annotated[str, known_names("runtimes"), Tag(NAME)] | Annotated[RuntimeFields, Tag(FIELDS)],
    Discriminator(_fields_or_name),
]


class Common(Strict):
    """Keys of both `defaults` and entries. Entries override defaults, mapping by mapping."""

    dataset: Dataset | None = Field(
        None, description='Name of a data set, or its fields; "none" or left out: costs only.'
    )
    protocol: (
        Annotated[Annotated[str, Tag(NAME)] | Annotated[dict[str, Any], Tag(FIELDS)], Discriminator(_fields_or_name)]
        | None
    ) = Field(
        None,
        description="Name of one of the task's protocols, or its settings, `name` among them.",
        json_schema_extra={"known": "protocols"},
    )
    metrics: Annotated[list[Annotated[str, known_names("metrics")]], Field(min_length=1)] | None = Field(
        None, description="Metrics that score predictions; by default those of the data set."
    )
    cost: dict[str, Any] | None = Field(
        None,
        description="What is measured beside accuracy: name of a cost -> its settings, true or false. By default "
        "all that ships with hrbench, latency at batch 1.",
        json_schema_extra={"known": "costs"},
    )
    weights: (
        Annotated[
            Annotated[str, known_names("weights"), Tag(NAME)] | Annotated[WeightsFields, Tag(FIELDS)],
            Discriminator(_fields_or_name),
        ]
        | None
    ) = Field(
        None,
        description='A file relative to the suite file, a source of the catalog ("official"), "none" (costs only), or '
        '"own" (a user-defined callable returns the network with them); by default the first source found under '
        "--weights. A part of a training checkpoint is written with its `key`.",
    )
    batch: (
        Annotated[Annotated[Positive, Tag(ONE)] | Annotated[Literal["auto"], Tag(NAME)], Discriminator(_one_or_name)]
        | None
    ) = Field(
        None,
        description='Images or crops per forward pass while evaluating, 16 by default; "auto": as many as run '
        "fastest and fit into memory.",
    )
    dtype: Dtype | None = Field(None, description="Precision while evaluating; float32 if left out.")
    runtime: Runtime | None = Field(
        None,
        description="How the network is run while it predicts and while it is timed: a name, or its settings, `name` "
        "among them.",
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = Field(
        None, description="Seed of random weights and of the bootstrap."
    )
    resamples: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Resamples of the bootstrap behind each interval; 1000 if left out, 0 for no intervals."
    )
    timeout: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="Seconds that the accuracy of an entry, or one cell of its costs, may take; then it is stopped and "
        "fails. No limit by default.",
    )
    shards: (
        Annotated[Annotated[Positive, Tag(ONE)] | Annotated[Literal["auto"], Tag(NAME)], Discriminator(_one_or_name)]
        | None
    ) = Field(
        None,
        description="Into how many parts the images of an entry are cut, each predicted and stored by itself, so that "
        'an interrupted run goes on with those that are missing; "auto" by default: 1 on one machine, several for each '
        "device on many. No number depends on it.",
    )


class Defaults(Common):
    """Values for every entry that does not override them."""


class EntryFields(Common):
    """One row, or with `models`, `datasets` or `runtimes` one row for each of them with each other."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["model"]}, {"required": ["models"]}, {"required": ["predictions"]}]},
        extra="forbid",
        strict=True,
    )

    name: Annotated[str, Field(pattern=SAFE_NAME)] | None = Field(
        None, description="Name of the entry and of its folder; by default derived from the model's name."
    )
    model: Model | None = Field(None, description="Name of a catalog row, or the fields of a network.")
    models: Annotated[list[Model], Field(min_length=1)] | None = Field(None, description="Several of `model`.")
    datasets: Annotated[list[Dataset], Field(min_length=1)] | None = Field(None, description="Several of `dataset`.")
    runtimes: Annotated[list[Runtime], Field(min_length=1)] | None = Field(None, description="Several of `runtime`.")
    predictions: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="A file of predictions, relative to the suite file, in the format of the data set's metrics: "
        "scored instead of running a network. `model` then only says whose costs are measured, and which published row "
        "belongs to them.",
    )


class ReportFields(Strict):
    """What the report shows beside the numbers."""

    images: Annotated[int, Field(ge=0, le=50)] = Field(
        IMAGES,
        description="How many images of each kind are rendered: an entry's worst and typical ones, and of the networks "
        "on one data set those that were worst in the mean, that differed most, and typical ones. 0 for none.",
    )


class SuiteFields(Strict):
    """A suite of hrbench: which networks are measured, on what, and how."""

    model_config = ConfigDict(
        title="hrbench suite",
        json_schema_extra={"anyOf": [{"required": ["entries"]}, {"required": ["models"]}]},
        extra="forbid",
        strict=True,
    )

    suite: Annotated[str, Field(pattern=SAFE_NAME)] = Field(description="Name of the suite and of its run folder.")
    title: str = Field("", description="Heading of the report.")
    table: str = Field("", description="Layout of the table: the name of one that ships, or a file.")
    report: ReportFields | None = Field(None, description="What the report shows beside the numbers.")
    gate: GateFields | None = Field(None, description="What `hrbench gate` holds a run of the suite to.")
    defaults: Defaults | None = Field(None, description="Values for every entry that does not override them.")
    models: Annotated[list[Model], Field(min_length=1)] | None = Field(
        None, description="A matrix: one entry for each of these and each of `datasets`."
    )
    datasets: Annotated[list[Dataset], Field(min_length=1)] | None = Field(
        None, description="The other side of the matrix; by default the data set of `defaults`."
    )
    runtimes: Annotated[list[Runtime], Field(min_length=1)] | None = Field(
        None, description="A third side of the matrix; by default the runtime of `defaults`."
    )
    entries: Annotated[list[EntryFields], Field(min_length=1)] | None = Field(
        None, description="Entries written out; they come after those of the matrix."
    )


def suite_schema(known: Known) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of suite files, with the names that this installation knows."""
    content = SuiteFields.model_json_schema()
    content["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    named: dict[str, Any] = {
        "variants": {"enum": sorted(known.variants)},
        "datasets": {"enum": [*sorted(known.datasets), "none"]},
        "metrics": {"examples": sorted(known.metrics)},
        "runtimes": {"examples": sorted(known.runtimes)},
        "models": {"examples": sorted({row.use for row in known.variants.values()})},
        "dataset_uses": {"examples": sorted({row.use for row in known.datasets.values()})},
        "weights": {
            "examples": sorted({key for row in known.variants.values() for key in row.weights} | {"none", "own"})
        },
    }
    protocols = {task: {named.name for named in known.named(task, "").values()} for task in sorted(known.protocols)}
    shapes = [_protocol_schema(known.protocols[task], sorted(names)) for task, names in protocols.items()]
    named["protocols"] = {"anyOf": [{"enum": sorted(set().union(*protocols.values()))}, *shapes]}
    named["costs"] = cost_schema(known.costs)
    return _filled(content, named)


def _protocol_schema(protocol: type, names: Sequence[str]) -> dict[str, Any]:
    """Schema of a protocol's settings: all fields except the version, which only its author changes."""
    content = TypeAdapter(protocol).json_schema()
    content["properties"] = {key: part for key, part in content["properties"].items() if key != "version"}
    content["properties"]["name"] = {"enum": list(names) or [protocol().name]}
    content["additionalProperties"] = False
    content["description"] = " ".join((protocol.__doc__ or "").split())
    return content


def _filled(part: Any, named: dict[str, Any]) -> Any:
    """The schema with marks of `_names` replaced by the known names, and without "null", which suites do not use."""
    if isinstance(part, list):
        return [_filled(item, named) for item in part]
    if not isinstance(part, dict):
        return part
    part = {key: _filled(item, named) for key, item in part.items() if not (key == "default" and item is None)}
    options = part.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        left = [option for option in options if option != {"type": "null"}]
        part = {key: item for key, item in part.items() if key != "anyOf"}
        part = {**left[0], **part} if len(left) == 1 else {**part, "anyOf": left}
    kind = part.pop("known", None)
    if kind in ("protocols", "costs"):
        return {key: item for key, item in part.items() if key in ("title", "description")} | named[kind]
    return part if kind is None else {**part, **named[kind]}


def keys_at(path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that the mapping at `path` may have; a misspelt key is compared with them.

    path: as pydantic reports it, within an entry or the top of the file; tags and indices are ignored.
    """
    inner = [part for part in path if isinstance(part, str) and not part.startswith("(")]
    last = inner[-1] if inner else ""
    kinds: dict[str, type[BaseModel]] = {
        "model": ModelFields,
        "models": ModelFields,
        "defaults": Defaults,
        "runtime": RuntimeFields,
        "runtimes": RuntimeFields,
        "weights": WeightsFields,
        "report": ReportFields,
    }
    return tuple(kinds.get(last, EntryFields).model_fields)
