"""What may be set against what."""

from __future__ import annotations

import pytest
from report_factory import make, of

from hrbench.judge.comparability import basis_differences, basis_of_score, comparison_key, metric_differences
from hrbench.report.comparable import incomparable_reasons
from hrbench.report.layout import PublishedLayout, read_layout
from hrbench.types import DatasetRecord, MetricRecord, Provenance, State

COCO = next(table.published for table in read_layout("pose-coco-val").tables)
MPII = next(table.published for table in read_layout("pose-mpii").tables)


def test_a_result_made_as_the_published_ones_is_comparable():
    assert COCO is not None
    assert incomparable_reasons(make("a", of("AP", 0.7)), COCO) == ()
    assert (
        incomparable_reasons(
            make("a", of("AP", 0.7), provenance=Provenance(dataset=DatasetRecord("data", "d", 5000))), COCO
        )
        == ()
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("boxes", "ground_truth"),
        ("flip", False),
        ("shift_heatmap", False),
        ("quarter_offset", False),
        ("image_threshold", 0.9),
        ("visibility_threshold", 0.0),
        ("oks_threshold", 0.95),
        ("soft_nms", True),
    ],
)
def test_every_field_of_the_protocol_counts(field, value):
    assert COCO is not None
    (reason,) = incomparable_reasons(make("a", of("AP", 0.7), protocol={field: value}), COCO)
    assert reason.startswith("no difference: the published figure has another protocol (" + field.replace("_", " "))
    assert reason.count(" here, ") == 1


def test_mpii_reads_neither_boxes_nor_thresholds():
    assert MPII is not None
    other = {"boxes": "annotated", "image_threshold": 0.9, "soft_nms": True}
    assert incomparable_reasons(make("a", of("AP", 0.7), protocol=other), MPII) == ()
    assert incomparable_reasons(make("a", of("AP", 0.7), protocol={**other, "quarter_offset": False}), MPII)


@pytest.mark.parametrize("written", [0, 0.0, "0", "0.0"])
def test_numbers_are_compared_as_numbers(written):
    source = PublishedLayout(requires={"image_threshold": written})
    assert incomparable_reasons(make("a", of("AP", 0.7)), source) == ()
    assert incomparable_reasons(make("a", of("AP", 0.7), protocol={"image_threshold": 0.1}), source)


def test_a_field_that_a_protocol_does_not_have_is_unlike():
    (reason,) = incomparable_reasons(make("a", of("AP", 0.7)), PublishedLayout(requires={"crop": 0}))
    assert "crop none here, 0 there" in reason


def test_limited_results_need_no_other_reason():
    limited = make(
        "a", of("AP", 0.7), limited=3, protocol={"flip": False}, provenance=Provenance(not_comparable="boxes")
    )
    assert COCO is not None
    assert incomparable_reasons(limited, COCO) == ("no difference: limited to 3 images: not comparable",)


def test_another_version_of_a_metric_is_another_key():
    score = of("AP", 0.7)

    def key(version: int):
        record = MetricRecord(version, "")
        return comparison_key(make("a", score, provenance=Provenance(metrics={score.metric: record})), score)

    assert key(1) == key(1) != key(2)


def judged_by(**criteria: object):
    """A result whose scores were judged by criteria that are not the official ones."""
    score = of("AP", 0.7)
    record = MetricRecord(1, "", criteria)
    return make("a", score, provenance=Provenance(metrics={score.metric: record})), score


def test_other_criteria_of_a_metric_are_another_key_and_another_basis():
    official, many, more = judged_by(), judged_by(max_detections=[300]), judged_by(max_detections=[1000])
    assert len({comparison_key(*one) for one in (official, many, more)}) == 3
    assert comparison_key(*many) == comparison_key(*judged_by(max_detections=[300]))
    told = basis_differences(official[0], many[0], official[1], many[1])
    assert [text for text in told if text.endswith("max detections - / [300]")]
    assert not [text for text in basis_differences(many[0], many[0], many[1], many[1]) if "detections" in text]
    bases = [basis_of_score(None, {}, 1, "", one) for one in ({}, {"areas": {"a": [0, 1]}}, {"areas": {"a": [0, 2]}})]
    assert bases[0] == basis_of_score(None, {}, 1, "") and len(set(bases)) == 3


def test_a_score_by_other_criteria_has_no_difference_to_a_published_figure():
    assert incomparable_reasons(judged_by()[0], PublishedLayout()) == ()
    (reason,) = incomparable_reasons(judged_by(max_detections=[1, 300], class_agnostic=True)[0], PublishedLayout())
    assert "by other criteria than the published figure (max detections 1, 300; class agnostic yes)" in reason


def test_what_classes_are_called_forbids_no_comparison_unless_both_states_tell():
    one, other, plain = (State("m", 1, {"categories": [1], **more}, {}) for more in (
        {"names": ["a"]}, {"names": ["b"]}, {}))  # fmt: skip
    assert metric_differences(one, plain) == metric_differences(plain, one) == []
    assert metric_differences(one, other)


def test_scores_on_other_data_of_the_same_name_have_another_key():
    score = of("AP", 0.7)

    def key(digest: str | None):
        return comparison_key(make("a", score, provenance=Provenance(dataset=DatasetRecord("data", digest, 9))), score)

    assert key("1") == key("1") != key("2")
    assert key(None) == comparison_key(make("a", score), score)
    assert comparison_key(make("a", score, limited=3), score) is None
