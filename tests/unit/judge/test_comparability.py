"""What may be set against what."""

from __future__ import annotations

import pytest
from report_factory import make, of

from hrbench.judge.comparability import comparison_key
from hrbench.report.comparable import incomparable_reasons
from hrbench.report.layout import PublishedLayout, read_layout
from hrbench.types import DatasetRecord, MetricRecord, Provenance

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


def test_scores_on_other_data_of_the_same_name_have_another_key():
    score = of("AP", 0.7)

    def key(digest: str | None):
        return comparison_key(make("a", score, provenance=Provenance(dataset=DatasetRecord("data", digest, 9))), score)

    assert key("1") == key("1") != key("2")
    assert key(None) == comparison_key(make("a", score), score)
    assert comparison_key(make("a", score, limited=3), score) is None
