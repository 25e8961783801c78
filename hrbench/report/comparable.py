"""What may be compared with what: a result with the published figures, and the rows of one table with each other."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from hrbench.report.layout import PublishedLayout
from hrbench.report.words import limited_text, plain_text
from hrbench.types import Result, Score


def same_value(one: Any, other: Any) -> bool:
    """Whether two plain values are the same, however they are written: numbers are compared as numbers.

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


def unlikeness(result: Result, published: PublishedLayout) -> tuple[str, ...]:
    """Why an accuracy of this result must not be set against the published figures; empty where it may be.

    The result is limited; whoever measured it says so (provenance "not_comparable"); its data set has another number
    of images than the layout asks for; its protocol differs in a field that the layout requires.
    """
    if result.limited is not None:
        return (f"no difference: {limited_text(result.limited)}",)
    reasons = []
    stated = " ".join(str(result.provenance.get("not_comparable") or "").split())
    if stated:
        # A note that says the same is a footnote already, and one footnote is enough.
        noted = any(" ".join(note.split()) == stated for note in result.notes)
        reasons.append(stated if noted else f"no difference: {stated}")
    images = _data(result).get("images")
    if published.requires_images is not None and images is not None and images != published.requires_images:
        reasons.append(
            f"no difference: the data set has {images:,} images here, {published.requires_images:,} behind the "
            "published figure"
        )
    unlike = [
        f"{key.replace('_', ' ')} {plain_text(result.entry.protocol.get(key))} here, {plain_text(value)} there"
        for key, value in published.requires.items()
        if not same_value(result.entry.protocol.get(key), value)
    ]
    if unlike:
        reasons.append(f"no difference: the published figure has another protocol ({'; '.join(unlike)})")
    return tuple(reasons)


def score_key(result: Result, score: Score) -> Hashable:
    """Equal for scores that may be compared: same data, protocol and metric, none of them limited."""
    if result.limited is not None or result.entry.dataset is None:
        return None
    return (*_measured_on(result), digest_of(result), score.metric, score.quantity.name)


def digest_of(result: Result) -> str:
    """SHA-256 of the data a result was measured on, as its provenance has it, or ""."""
    return str(_data(result).get("sha256") or "")


def data_notes(results: Sequence[Result]) -> list[str]:
    """A footnote to each result that shares its data set's name, but not the data, with another; "" to the others.

    Results of one protocol are looked at together: which files a digest covers may depend on the protocol.
    """
    digests: dict[Hashable, set[str]] = {}
    for result in results:
        if result.entry.dataset is not None and digest_of(result):
            digests.setdefault(_measured_on(result), set()).add(digest_of(result))
    return [_data_note(result, digests) for result in results]


def _data_note(result: Result, digests: Mapping[Hashable, set[str]]) -> str:
    dataset, digest = result.entry.dataset, digest_of(result)
    if dataset is None or not digest or len(digests[_measured_on(result)]) < 2:
        return ""
    return (
        f"{dataset.title or dataset.name} as of digest {digest[:12]}: other rows were measured on other data of that "
        "name, and only rows of the same data are compared"
    )


def _measured_on(result: Result) -> tuple[str, str]:
    """Name of the data set, and the protocol, of a result that has a data set."""
    assert result.entry.dataset is not None
    return result.entry.dataset.name, json.dumps(result.entry.protocol, sort_keys=True, default=str)


def _data(result: Result) -> Mapping[str, Any]:
    found = result.provenance.get("dataset")
    return found if isinstance(found, Mapping) else {}
