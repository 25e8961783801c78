"""Values, protocols and limits as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from hrbench.core import units
from hrbench.core.plugins import model_ref
from hrbench.types import Conditions, Reason, Result, Variant


def plain_text(value: Any) -> str:
    """A JSON value as words.

    >>> plain_text(True), plain_text(None), plain_text([1, 2]), plain_text({"a": 0.5})
    ('yes', 'none', '1, 2', 'a 0.5')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(plain_text(item) for item in value)
    return str(value)


def protocol_text(protocol: Mapping[str, Any]) -> str:
    """A protocol in one line of words: name, version, then every field.

    >>> protocol_text({"name": "top-down", "version": 1, "flip": True, "oks_threshold": 0.9}), protocol_text({})
    ('top-down v1 (flip yes, oks threshold 0.9)', 'not stated')
    """
    if not protocol:  # of precomputed predictions whose protocol the suite does not state
        return "not stated"
    fields = ", ".join(_field(key, value) for key, value in protocol.items() if key not in ("name", "version"))
    head = f"{protocol.get('name', 'protocol')} v{protocol.get('version', '?')}"
    return f"{head} ({fields})" if fields else head


def _field(key: str, value: Any) -> str:
    return f"{key.replace('_', ' ')} {setting_text(value)}"


_KINDS = {"boxes": "Box", "masks": "Mask"}


def name_apart(metric: str, label: str) -> str:
    """What a score is called where another metric's has its label, too.

    >>> name_apart("coco-boxes", "AP"), name_apart("lvis-masks", "AP50"), name_apart("miou", "mIoU")
    ('Box AP', 'Mask AP50', 'miou mIoU')
    """
    return f"{_KINDS.get(metric.rpartition('-')[2], metric)} {label}"


def setting_text(value: Any) -> str:
    """The value of a protocol's field, as an item of a list: a list among values is written without commas.

    >>> setting_text([0.75, 1.0, 1.25]), setting_text("ground_truth"), setting_text(False)
    ('0.75/1/1.25', 'ground truth', 'no')
    """
    if isinstance(value, (list, tuple)):
        return "/".join(map(setting_text, value))
    text = plain_text(value)
    return text.replace("_", " ") if re.fullmatch("[a-z]+(_[a-z]+)+", text) else text


def settings_apart(protocols: Sequence[Mapping[str, Any]]) -> list[str]:
    """How each of several protocols differs from the others: its name, if others have another, and of those of its name
    the settings that are not equal in all.

    >>> settings_apart([{"name": "a", "version": 1, "flip": True}, {"name": "a", "version": 1, "flip": False}])
    ['flip yes', 'flip no']
    >>> settings_apart([{"name": "a", "version": 1, "flip": True}, {"name": "b", "version": 1, "scales": [1]}, {}])
    ['a v1', 'b v1', 'protocol not stated']
    """
    names = [f"{one.get('name', 'protocol')} v{one.get('version', '?')}" if one else "" for one in protocols]
    found = []
    for protocol, name in zip(protocols, names, strict=True):
        alike = [other for other, own in zip(protocols, names, strict=True) if own == name]
        keys = dict.fromkeys(key for other in alike for key in other)
        apart = [key for key in keys if len({str(other.get(key)) for other in alike}) > 1]
        words = [_field(key, protocol.get(key)) for key in apart]
        head = [name] if name and len({*names}) > 1 else []
        found.append(", ".join([*head, *words]) or "protocol not stated")
    return found


def protocol_remarks(protocols: Sequence[Mapping[str, Any]], short: bool = False) -> list[str]:
    """A sentence on the protocol of a table's rows: one protocol, or what several have in common and how they differ.

    short: without the settings that all rows have.

    >>> protocol_remarks([{"name": "a", "version": 1, "flip": True}], short=True)
    ['Protocol: a v1.']
    >>> protocol_remarks([{"name": "a", "version": 1, "flip": True}])
    ['Protocol: a v1 (flip yes).']
    >>> both = [{"name": "a", "version": 1, "flip": True, "k": 1}, {"name": "a", "version": 1, "flip": False, "k": 1}]
    >>> protocol_remarks(both, short=True), protocol_remarks(both)
    (['Protocol: a v1, with what the headings say.'], ['Protocol: a v1 (k 1), with flip yes or flip no.'])
    """
    different = list({protocol_text(protocol): protocol for protocol in protocols}.values())
    if len(different) < 2:
        return [f"Protocol: {protocol_text(_named(one) if short else one)}." for one in different]
    first, *others = different
    common = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    if not {"name", "version"} <= set(common):
        names = [protocol_text(_named(one) if short else one) for one in different]
        return [f"Protocols: {'; '.join(dict.fromkeys(names))}{', with what the headings say' if short else ''}."]
    if short:
        return [f"Protocol: {protocol_text(_named(common))}, with what the headings say."]
    differences = (", ".join(_field(k, v) for k, v in each.items() if k not in common) for each in different)
    return [f"Protocol: {protocol_text(common)}, with {' or '.join(differences)}."]


def _named(protocol: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in protocol.items() if key in ("name", "version")}


def use_text(variant: Variant) -> str:
    """What builds a network; a file by its name without the folder.

    >>> use_text(Variant("a", "onnx:/nets/a.onnx", "pose", (64, 48))), use_text(Variant("b", "", "pose", (0, 0)))
    ('onnx:a.onnx', 'no network: precomputed predictions')
    """
    ref = model_ref(variant.use)
    if ref.path is not None:
        return f"{ref.source}:{Path(ref.path).name}"
    return variant.use or "no network: precomputed predictions"


def status_text(result: Result) -> str:
    """How an entry ended: done, empty, failed, submitted, or costs only."""
    return result.status.replace("_", " ")


def reasons_of(result: Result) -> tuple[Reason, ...]:
    """Why an entry has no accuracy; for costs only, the text says that none was requested."""
    head = {"failed": "failed: ", "costs_only": "costs only: "}.get(result.status)
    if head is None or not result.reasons:
        return result.reasons
    first, *others = result.reasons
    return (replace(first, what=head + first.what), *others)


def on_images_text(under: Conditions) -> str:
    """What operations on images are of.

    >>> on_images_text(Conditions(inputs="8 images of pets", sizes=("80x60", "80x80"), weights="official"))
    'Operations on images: mean ± standard deviation over 8 images of pets, of 80x60 to 80x80 pixels, weights: official'
    """
    sizes = f", of {' to '.join(under.sizes)} pixels" if under.sizes else ""
    return f"Operations on images: mean ± standard deviation over {under.inputs}{sizes}, weights: {under.weights}"


def joined(reasons: Iterable[Reason]) -> str:
    """Reasons in one line."""
    return "; ".join(map(str, reasons))


def limited_text(limit: int) -> str:
    """The remark that accompanies every limited result."""
    return f"limited to {units.amount(limit, 'image')}: not comparable"


def grouped(reasons: Iterable[tuple[Reason, ...]]) -> dict[tuple[Reason, ...], tuple[str, ...]]:
    """Each list of reasons as texts: neighbours that are in the same lists become one text.

    The reasons of an entry are all that it misses, data and weights. Ten entries on one data set would repeat the data
    ten times. Grouped, the data are one text shared by ten entries, and the weights of each entry are another text.

    >>> data, a, b = Reason("no data", "get it there"), Reason("no weights a"), Reason("no weights b")
    >>> list(grouped([(data, a), (data, b)]).values())
    [('no data; get it there', 'no weights a'), ('no data; get it there', 'no weights b')]
    >>> list(grouped([(Reason("alone"), Reason("with parts"))]).values())
    [('alone; with parts',)]
    """
    lists = dict.fromkeys(reasons)
    owners: dict[Reason, set[tuple[Reason, ...]]] = {}
    for several in lists:
        for reason in several:
            owners.setdefault(reason, set()).add(several)
    return {
        several: tuple(joined(run) for _, run in groupby(several, key=lambda reason: frozenset(owners[reason])))
        for several in lists
    }
