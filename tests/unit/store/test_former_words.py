"""Stored results have the words of the version that reads them, and the numbers they had."""

from __future__ import annotations

from dataclasses import replace

from report_factory import make, of

from hrbench.store.former_words import with_present_words
from hrbench.types import Measurement


def said(name: str, label: str, metric: str, description: str = "") -> Measurement:
    one = of(name, 0.5, (0.4, 0.6))
    return replace(one, metric=metric, quantity=replace(one.quantity, label=label, description=description))


def test_labels_and_signs_of_earlier_versions_are_those_of_this_one() -> None:
    older = make(
        "a", said("pckh@0.5/mean", "Mean", "mpii-pckh"), said("APM", "APM", "coco-keypoints", "32^2 to 96^2 px^2")
    )
    found = with_present_words(older)
    assert [one.quantity.label for one in found.scores] == ["PCKh@0.5 mean", "APM"]
    assert found.scores[1].quantity.description == "32² to 96² px²"
    assert [(one.quantity.name, one.value, one.interval) for one in found.scores] == [
        (one.quantity.name, one.value, one.interval) for one in older.scores
    ]


def test_what_is_not_older_is_as_it_was() -> None:
    own = make("a", said("pckh@0.5/mean", "Mean", "a-metric-of-ones-own"))
    assert with_present_words(own) is own and with_present_words(with_present_words(own)) is own
