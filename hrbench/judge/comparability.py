"""When two numbers may be compared: in one table (`comparison_key`), and as two releases that are judged.

A judgement is stricter: what differs in how two numbers were measured is named, and then no number is given. Weights,
network, code and libraries may differ; they are what is judged, and `changes` lists which of them do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from hrbench.core.digests import canonical, digest
from hrbench.types import Conditions, Measurement, Result, State, WeightsRecord


def same_value(one: Any, other: Any) -> bool:
    """Whether two plain values are equal, independent of how they are written: numbers are compared as numbers.

    >>> same_value(1, 1.0), same_value("0.20", 0.2), same_value(True, "true"), same_value([1, "2"], (1.0, 2))
    (True, True, True, True)
    >>> same_value("detector", "ground_truth"), same_value(0, None), same_value("", 0), same_value(True, "1x")
    (False, False, False, False)
    """
    return _value(one) == _value(other)


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return value


_COST_CONDITIONS = (
    "batch", "input", "dtype", "device", "threads", "convention", "proposals", "masks", "percentile", "channels_last",
    "timed", "counted",
)  # fmt: skip
"""Conditions in which two costs must agree."""

_FURTHER = ("inputs", "data", "weights", "caches", "images", "runtime", "tf32", "energy_of")
"""The same, of costs that were not there before: the basis of all others stays as it is stored."""

USUAL = {"inputs": "standard normal", "caches": "warm"}
"""What a cost that does not state these was measured with."""

_OF_NETWORKS = ("input", "proposals", "masks", "counted")
"""Of these, what networks differ in: a table compares them, and a release is held to them."""


def comparison_key(result: Result, measurement: Measurement) -> Hashable:
    """Equal for measurements that may be compared in one table; None for one that cannot be compared with any.

    An unstable cost, and one of three passes, are compared with none.

    Scores: same data, protocol and metric with its version and criteria, none of them limited. Costs: measured under
    the same conditions, whatever the sizes of networks and inputs.
    """
    if measurement.metric:
        return _score_key(result, measurement)
    if not is_compared(measurement.conditions):
        return None
    stated = _compared_conditions(measurement.conditions)
    names = [name for name in (*_COST_CONDITIONS, *_FURTHER) if name not in _OF_NETWORKS]
    return (measurement.quantity.name, *((name, stated.get(name)) for name in names))


def is_compared(conditions: Conditions) -> bool:
    """Whether a cost may be compared with any other: not if the machine disturbed it, or after three passes."""
    return conditions.stability != "unstable" and conditions.mode != "smoke"


def _score_key(result: Result, score: Measurement) -> Hashable:
    if result.limited is not None or result.entry.dataset is None:
        return None
    record = result.provenance.metrics.get(score.metric)
    version = None if record is None else record.version
    own = [canonical(record.criteria)] if record is not None and record.criteria else []
    return (*measured_on(result), digest_of(result), score.metric, version, score.quantity.name, *own)


def digest_of(result: Result) -> str:
    """SHA-256 of the data a result was measured on, from its provenance; "" if it is not known."""
    data = result.provenance.dataset
    return (data.sha256 or "") if data is not None else ""


def measured_on(result: Result) -> tuple[str, str]:
    """Name of the data set, and the protocol, of a result that has a data set."""
    assert result.entry.dataset is not None
    return result.entry.dataset.name, json.dumps(result.entry.protocol, sort_keys=True, default=str)


# --- two results that are judged ------------------------------------------------------------------------------------

_OF_RUNTIME = ("channels_last", "tf32")
"""Further conditions that a runtime's settings decide."""

_OF_PREDICTIONS = ("labels", "detection_area")
"""Parameters of states that say what the predictions were like, and not how they are judged."""


_ADD_NUMBERS = (("class_accuracy",), ("dice", "dice_over"))
"""Parameters of states that add numbers and change no other: what only one of two states tells is new or missing."""


def protocol_differences(first: Result, second: Result) -> list[str]:
    """How the settings differ that both were predicted with: ["protocol: flip true / false"].

    Predictions from a file have no protocol that is known; they differ from no other.
    """
    one, other = first.entry.protocol, second.entry.protocol
    if not one or not other:
        return []
    return [f"protocol: {text}" for text in _differences(one, other)]


def data_differences(first: Result, second: Result) -> list[str]:
    """How the data differ that both were measured on. What a state knows of each image is not looked at."""
    found = []
    one, other = first.provenance.dataset, second.provenance.dataset
    if one is None or other is None:
        return ["data: not known"]
    if one.sha256 != other.sha256:
        found.append(f"data: {one.name} {_short(one.sha256)} / {other.name} {_short(other.sha256)}")
    if one.images != other.images:
        found.append(f"data: {one.images:,} images / {other.images:,} images")
    return found


def limit_differences(first: Result, second: Result) -> list[str]:
    """How the limits on the number of images differ, and the rules by which the images were chosen."""
    one, other = (_limit(result) for result in (first, second))
    return [] if one == other else [f"limit: {one} / {other}"]


def version_differences(first: Result, second: Result, metric: str) -> list[str]:
    """How the version and the criteria differ of the metric that two results were scored with."""
    records = [result.provenance.metrics.get(metric) for result in (first, second)]
    one, other = (None if record is None else record.version for record in records)
    found = [] if one == other else [f"metric: {metric} version {one or '-'} / {other or '-'}"]
    own, others = ({} if record is None else record.criteria for record in records)
    return found + [f"metric: {metric} {text}" for text in _differences(own, others)]


def metric_differences(first: State, second: State) -> list[str]:
    """How the metric of two states differs: its version, its options."""
    found = []
    if first.version != second.version:
        found.append(f"metric: {first.metric} version {first.version} / {second.version}")
    one, other = metric_options(first), metric_options(second)
    if "names" not in one or "names" not in other:  # what classes are called is told of some states only
        one, other = ({key: value for key, value in side.items() if key != "names"} for side in (one, other))
    for names in _ADD_NUMBERS:
        if names[0] not in one or names[0] not in other:
            one, other = ({key: value for key, value in side.items() if key not in names} for side in (one, other))
    return found + [f"metric: {first.metric} {text}" for text in _differences(one, other)]


def metric_options(state: State) -> dict[str, Any]:
    """What decides how predictions are judged, of a state's parameters."""
    return {name: value for name, value in state.params.items() if name not in _OF_PREDICTIONS}


def cost_differences(first: Measurement, second: Measurement, across: Iterable[str] = ()) -> list[str]:
    """How two costs of one quantity differ in what they were measured under: ["batch 1 / 8"].

    across: conditions that are meant to differ, of `across.ACROSS`.
    """
    one, other = _compared_conditions(first.conditions), _compared_conditions(second.conditions)
    meant = {*across, *(_OF_RUNTIME if "runtime" in across else ())}
    texts = (one.get("runtime", ""), other.get("runtime", ""))
    if "runtime" in across and any("threads" in text for text in texts):
        meant.add("threads")  # which the runtime sets
    if "threads" in across and {_without_threads(text) for text in texts} == {"eager"}:
        meant.add("runtime")
    names = [name for name in (*_COST_CONDITIONS, *_FURTHER) if name not in meant]
    return _differences({name: one.get(name) for name in names}, {name: other.get(name) for name in names})


def _without_threads(text: str) -> str:
    """A runtime in words without its threads.

    >>> _without_threads("eager, threads 1"), _without_threads(""), _without_threads("compile, threads 2")
    ('eager', 'eager', 'compile')
    """
    return ", ".join(part for part in text.split(", ") if not part.startswith("threads ")) or "eager"


def basis_of_score(
    data: tuple[str | None, int] | None,
    protocol: Mapping[str, Any],
    version: int | None,
    limit: str,
    criteria: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Equal for scores of one metric that this module lets be compared: how they were measured, as a short digest.

    data: SHA-256 and number of images.
    protocol: all its settings.
    version: of the metric.
    limit: in words.
    criteria: of the metric, if they are not the official ones.
    """
    own = [_value(criteria)] if criteria else []
    return _short_digest([data, _value(protocol), version, limit, *own])


def basis_of_cost(conditions: Conditions) -> str:
    """The same for costs of one quantity."""
    stated = _compared_conditions(conditions)
    values = [_value(stated.get(name)) for name in _COST_CONDITIONS]
    return _short_digest([*values, *([name, _value(stated[name])] for name in _FURTHER if name in stated)])


def _compared_conditions(conditions: Conditions) -> dict[str, Any]:
    """What is stated of the conditions, without what is usual: measurements that do not state it had it, too.

    Weights count as random or not: they are among what is judged.
    """
    stated = conditions.stated()
    return {
        name: value
        for name, value in stated.items()
        if USUAL.get(name) != value and (name != "weights" or value == "random")
    }


def _short_digest(values: Any) -> str:
    return digest(json.loads(json.dumps(values, default=str)))[:16]


def basis_differences(first: Result, second: Result, one: Measurement, other: Measurement) -> list[str]:
    """How two measurements of one quantity differ in how they were measured, in words; costs and scores alike."""
    if not one.metric:
        return cost_differences(one, other)
    return (
        protocol_differences(first, second)
        + version_differences(first, second, one.metric)
        + data_differences(first, second)
        + limit_differences(first, second)
    )


def changes(first: Result, second: Result) -> list[str]:
    """What differs between two results that is being judged: network, weights, code, libraries, machine."""
    found = []
    one, other = first.entry.variant, second.entry.variant
    if (one.use, one.args) != (other.use, other.args):
        found.append(f"network: {_network(first)} / {_network(second)}")
    elif first.entry.variant.input != second.entry.variant.input:
        found.append(f"input: {_sides(one.input)} / {_sides(other.input)}")
    weights = [result.provenance.weights for result in (first, second)]
    digests = [None if record is None else (record.sha256, record.key, record.drop) for record in weights]
    if digests[0] != digests[1]:
        found.append("weights: " + " / ".join(map(_part, weights)))
    if bool(first.entry.predictions) != bool(second.entry.predictions):
        texts = ("a file of predictions" if one.entry.predictions else "a network" for one in (first, second))
        found.append("predictions: " + " / ".join(texts))
    elif first.entry.predictions:
        files = [result.provenance.predictions for result in (first, second)]
        texts = [f"{one.file} {_short(one.sha256)}" if one is not None else "-" for one in files]
        if texts[0] != texts[1]:
            found.append(f"predictions: {' / '.join(texts)}")
    if first.entry.dtype != second.entry.dtype:
        found.append(f"dtype: {first.entry.dtype} / {second.entry.dtype}")
    if first.entry.runtime != second.entry.runtime:
        found.append(f"runtime: {first.entry.runtime} / {second.entry.runtime}")
    found += [f"{name}: {text}" for name, text in _environment(first, second)]
    return found


def _environment(first: Result, second: Result) -> list[tuple[str, str]]:
    one, other = first.provenance.environment, second.provenance.environment
    found = [
        (name, f"{one.get(name, '-')} / {other.get(name, '-')}")
        for name in ("hrbench", "python", "processor")
        if one.get(name) != other.get(name)
    ]
    commits = [side.get("commit") for side in (one, other)]
    if all(commits) and commits[0] != commits[1]:  # where one is not known, nothing is known to differ
        found.append(("commit", " / ".join(map(str, commits))))
    packages = [known if isinstance(known := side.get("packages"), Mapping) else {} for side in (one, other)]
    for name in sorted({*packages[0], *packages[1]}):
        versions = [str(side.get(name, "-")) for side in packages]
        if versions[0] != versions[1]:
            found.append((name, " / ".join(versions)))
    if first.provenance.device != second.provenance.device:
        found.append(("device", f"{first.provenance.device or '-'} / {second.provenance.device or '-'}"))
    return found


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """ "name value / value" for each name whose values differ."""
    return [
        f"{name.replace('_', ' ')} {_text(one.get(name))} / {_text(other.get(name))}"
        for name in dict.fromkeys([*one, *other])
        if not same_value(one.get(name), other.get(name))
    ]


def _text(value: Any) -> str:
    text = json.dumps(value, default=str)
    text = text.strip('"') if isinstance(value, str) else text.replace("null", "-")
    return text if len(text) <= 40 else f"{text[:37]}..."


def _limit(result: Result) -> str:
    if result.limited is None:
        return "none"
    rule = result.provenance.limit_rule
    return f"{result.limited} images" + (f" ({rule})" if rule else "")


def _short(sha256: str | None) -> str:
    return sha256[:12] if sha256 else "-"


def _part(record: WeightsRecord | None) -> str:
    """Which weights, in words: of a checkpoint with a chosen part also that."""
    digest = _short(None if record is None else record.sha256)
    said = [] if record is None else [record.key, f"without {record.drop}" if record.drop else ""]
    words = ", ".join(filter(None, said))
    return f"{digest} ({words})" if words else digest


def _sides(input: tuple[int, int]) -> str:
    return f"{input[0]}x{input[1]}"


def _network(result: Result) -> str:
    variant = result.entry.variant
    return variant.name or variant.use
