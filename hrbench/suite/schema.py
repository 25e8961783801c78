"""The shape of a suite file, as pydantic models: what keys there are, of which type; and its JSON Schema for editors.

Whether names exist and fit one another is looked at in `suite_entries.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from hrbench.suite.costs import cost_schema
from hrbench.types import Known

Dtype = Literal["float32", "float16", "bfloat16", "float64"]
SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,119}$"

# Tags of unions stand in parentheses, so that they are told from keys in the places that pydantic reports.
ONE, FIELDS, NAME = "(one)", "(fields)", "(name)"


def _fields_or_name(value: Any) -> str:
    return FIELDS if isinstance(value, dict) else NAME


def _one_or_name(value: Any) -> str:
    return NAME if isinstance(value, str) else ONE


def _names(kind: str) -> Any:
    """Marks a string for `schema`, which puts in the names that are known."""
    return Field(json_schema_extra={"known": kind})


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Positive = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=1, le=100_000)]
Channels = Annotated[list[float], Field(min_length=1)]
Channel = Annotated[float, Field(gt=0)]
ModelName = Annotated[str, _names("variants")]
DatasetName = Annotated[str, _names("datasets")]


class ModelFields(Strict):
    """A network written in place, or one of the catalog's with some fields exchanged."""

    base: ModelName | None = Field(None, description="Name of the catalog row whose fields hold where none is given.")
    name: str | None = Field(None, description="What to call it; `base` or the last part of `use` otherwise.")
    use: Annotated[str, _names("models")] | None = Field(
        None,
        description='Entry point of hrbench.models, "package.module:callable" returning a torch module, or a network '
        'of another source: "timm:NAME", "torchvision:NAME", "transformers:ID" (a repository or ./folder), "smp:ARCH", '
        '"onnx:FILE", "exported:FILE" (files relative to the suite file).',
    )
    args: dict[str, Any] | None = Field(
        None,
        description="Keyword arguments of `use`; laid over those of `base` where `use` is not given. A network among "
        "them (a detector's backbone) is written as a mapping of `use` and `args`, of which those that change will do.",
    )
    task: str | None = Field(None, description="Task it is made for; that of catalog rows with the same `use` if out.")
    input: tuple[Pixels, Pixels] | None = Field(None, description="Height and width of the input in pixels.")
    colour: Literal["rgb", "bgr"] | None = Field(None, description="Channel order the network reads.")
    mean: Channels | None = Field(None, description="Subtracted from values in [0, 1], by channel position.")
    std: Annotated[list[Channel], Field(min_length=1)] | None = Field(
        None, description="What the difference is divided by."
    )
    weights: dict[str, str] | None = Field(None, description="Source -> file name looked for under --weights.")
    parameters: Positive | None = Field(None, description="Known parameter count.")
    published: dict[str, str] | None = Field(None, description="Where the literature's row is.")
    title: str | None = Field(None, description="How a table calls it.")
    miniature: bool | None = Field(None, description="Labelled as a miniature wherever it appears.")


class DatasetFields(BaseModel):
    """A data set written in place, or one of the catalog's with some arguments exchanged.

    Keys that are not listed are arguments of `use`, such as `split`, `annotations`, `images`, `sigmas`, `flip_pairs`.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    base: DatasetName | None = Field(None, description="Name of the catalog row whose fields hold where none is given.")
    use: Annotated[str, _names("dataset_uses")] | None = Field(
        None, description='Entry point of hrbench.datasets, or "package.module:callable".'
    )
    name: str | None = Field(None, description="What to call it.")
    title: str | None = Field(None, description="How a table calls it.")
    task: str | None = Field(None, description="Task it is for; that of catalog rows with the same `use` if left out.")
    metrics: Annotated[list[Annotated[str, _names("metrics")]], Field(min_length=1)] | None = Field(
        None, description="What predictions on it are judged by; as `task` if left out."
    )
    home: str | None = Field(None, description="Where a person gets it, in words.")
    annotations: str | None = Field(None, description="Annotation file, relative to the suite file.")
    images: str | None = Field(None, description="Folder of images, relative to the suite file.")


Model = Annotated[Annotated[ModelName, Tag(NAME)] | Annotated[ModelFields, Tag(FIELDS)], Discriminator(_fields_or_name)]
Dataset = Annotated[
    Annotated[DatasetName, Tag(NAME)] | Annotated[DatasetFields, Tag(FIELDS)], Discriminator(_fields_or_name)
]


class Common(Strict):
    """What `defaults` and entries share. Entries are laid over defaults, mapping by mapping."""

    dataset: Dataset | None = Field(
        None, description='Name of a data set, or its fields in place; "none" or left out: costs only.'
    )
    protocol: (
        Annotated[Annotated[str, Tag(NAME)] | Annotated[dict[str, Any], Tag(FIELDS)], Discriminator(_fields_or_name)]
        | None
    ) = Field(
        None,
        description="Name of one of the task's protocols, or its settings, `name` among them.",
        json_schema_extra={"known": "protocols"},
    )
    metrics: Annotated[list[Annotated[str, _names("metrics")]], Field(min_length=1)] | None = Field(
        None, description="What predictions are judged by; the data set's own metrics if left out."
    )
    cost: dict[str, Any] | None = Field(
        None,
        description="What is measured beside accuracy: name of a cost -> its settings, true or false. All that ships "
        "with hrbench, latency at batch 1, if left out.",
        json_schema_extra={"known": "costs"},
    )
    weights: Annotated[str, _names("weights")] | None = Field(
        None,
        description='A file relative to the suite file, a source of the catalog ("official"), "none" (costs only), or '
        '"own" (a callable of one\'s own returns the network with them); left out, the first source found under '
        "--weights.",
    )
    batch: (
        Annotated[Annotated[Positive, Tag(ONE)] | Annotated[Literal["auto"], Tag(NAME)], Discriminator(_one_or_name)]
        | None
    ) = Field(
        None,
        description='Images or crops per forward pass while evaluating, 16 if left out; "auto": as many as are worth '
        "while and fit into memory.",
    )
    dtype: Dtype | None = Field(None, description="Precision while evaluating; float32 if left out.")
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = Field(None, description="Seed of all that is drawn.")
    resamples: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Resamples of the bootstrap behind each interval; 1000 if left out, 0 for no intervals."
    )
    timeout: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="Seconds that the accuracy of an entry, or one cell of its costs, may take before it is ended as "
        "failed; no limit if left out.",
    )


class Defaults(Common):
    """Laid under every entry."""


class EntryFields(Common):
    """One row, or with `models` or `datasets` one row for each pair of them."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["model"]}, {"required": ["models"]}, {"required": ["predictions"]}]},
        extra="forbid",
        strict=True,
    )

    name: Annotated[str, Field(pattern=SAFE_NAME)] | None = Field(
        None, description="Name of the entry and of its folder; made from the model's name if left out."
    )
    model: Model | None = Field(None, description="Name of a catalog row, or the fields of a network in place.")
    models: Annotated[list[Model], Field(min_length=1)] | None = Field(None, description="Several of `model`.")
    datasets: Annotated[list[Dataset], Field(min_length=1)] | None = Field(None, description="Several of `dataset`.")
    predictions: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="A file of predictions, relative to the suite file, in the format of the data set's metrics: "
        "judged in place of running a network. `model` then only says what is costed and which published row it is.",
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
    defaults: Defaults | None = Field(None, description="Laid under every entry.")
    models: Annotated[list[Model], Field(min_length=1)] | None = Field(
        None, description="A matrix: one entry for each of these and each of `datasets`."
    )
    datasets: Annotated[list[Dataset], Field(min_length=1)] | None = Field(
        None, description="The other side of the matrix; the data set of `defaults` if left out."
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
    """Schema of a protocol's settings: all its fields but the version, which only its author changes."""
    made = TypeAdapter(protocol).json_schema()
    made["properties"] = {key: part for key, part in made["properties"].items() if key != "version"}
    made["properties"]["name"] = {"enum": list(names) or [protocol().name]}
    made["additionalProperties"] = False
    made["description"] = " ".join((protocol.__doc__ or "").split())
    return made


def _filled(part: Any, named: dict[str, Any]) -> Any:
    """The schema with each mark of `_names` exchanged for what is known; "null" is for code alone, not for suites."""
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
    """Names of the keys that the mapping at `path` may have: what a misspelt one is compared with.

    path: as pydantic reports places, within an entry or the top of the file; tags and indices are passed over.
    """
    inner = [part for part in path if isinstance(part, str) and not part.startswith("(")]
    last = inner[-1] if inner else ""
    kinds: dict[str, type[BaseModel]] = {
        "model": ModelFields,
        "models": ModelFields,
        "defaults": Defaults,
    }
    return tuple(kinds.get(last, EntryFields).model_fields)
