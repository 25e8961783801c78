"""Whether a result may be compared with published figures, and rows of one table with each other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from hrbench.judge.comparability import digest_of, measured_on, same_value
from hrbench.report.layout import PublishedLayout
from hrbench.report.words import limited_text, plain_text
from hrbench.types import Result


def incomparable_reasons(result: Result, published: PublishedLayout) -> tuple[str, ...]:
    """Why an accuracy of this result must not be compared with the published figures; empty if it may.

    The reasons: the result is limited; its provenance says so ("not_comparable"); its data set has another number of
    images than the layout requires; its metric judged by other criteria than the official ones; its protocol differs
    in a field that the layout requires.
    """
    if result.limited is not None:
        return (f"no difference: {limited_text(result.limited)}",)
    reasons = []
    stated = " ".join(result.provenance.not_comparable.split())
    if stated:
        # A note that says the same is a footnote already, and one footnote is enough.
        noted = any(" ".join(str(note).split()) == stated for note in result.notes)
        reasons.append(stated if noted else f"no difference: {stated}")
    data = result.provenance.dataset
    images = None if data is None else data.images
    if published.requires_images is not None and images is not None and images != published.requires_images:
        reasons.append(
            f"no difference: the data set has {images:,} images here, {published.requires_images:,} behind the "
            "published figure"
        )
    for metric, record in result.provenance.metrics.items():
        if record.criteria:
            stated = "; ".join(f"{key.replace('_', ' ')} {plain_text(value)}" for key, value in record.criteria.items())
            reasons.append(f"no difference: {metric} judges by other criteria than the published figure ({stated})")
    differences = [
        f"{key.replace('_', ' ')} {plain_text(result.entry.protocol.get(key))} here, {plain_text(value)} there"
        for key, value in published.requires.items()
        if not same_value(result.entry.protocol.get(key), value)
    ]
    if differences:
        reasons.append(f"no difference: the published figure has another protocol ({'; '.join(differences)})")
    return tuple(reasons)


def data_notes(results: Sequence[Result]) -> list[str]:
    """A footnote for each result whose data set has the name, but not the data, of another's; "" for all others.

    Only results of one protocol are compared: the files that a digest covers may depend on the protocol.
    """
    digests: dict[Hashable, set[str]] = {}
    for result in results:
        if result.entry.dataset is not None and digest_of(result):
            digests.setdefault(measured_on(result), set()).add(digest_of(result))
    return [_data_note(result, digests) for result in results]


def _data_note(result: Result, digests: Mapping[Hashable, set[str]]) -> str:
    dataset, digest = result.entry.dataset, digest_of(result)
    if dataset is None or not digest or len(digests[measured_on(result)]) < 2:
        return ""
    return (
        f"{dataset.title or dataset.name} as of digest {digest[:12]}: other rows were measured on other data of that "
        "name, and only rows of the same data are compared"
    )
