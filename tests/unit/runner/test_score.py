"""How scores are compared with those of a reference implementation."""

from __future__ import annotations

import pytest

from hrbench.errors import EntryError, UsageError
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.runner.score import score_file, verdict
from hrbench.types import Measurement, Quantity

METRIC = CocoKeypointAP()


def scores(**values):
    return [Measurement(Quantity(name, name, "fraction", "higher"), value, "m") for name, value in values.items()]


def test_equal_numbers_are_said_to_be_equal():
    said = verdict(scores(AP=0.5, APL=None, AR=None), {"AP": 0.5, "APL": -1.0, "AR": float("nan")}, METRIC)
    assert said == "coco-keypoints: pycocotools gives the same 3 numbers, bit for bit"


@pytest.mark.parametrize("theirs", [0.5000000000000001, -1.0, float("nan")])
def test_another_number_is_an_error(theirs):
    with pytest.raises(EntryError, match=r"coco-keypoints: AP is 0\.5 here and .* by pycocotools"):
        verdict(scores(AP=0.5), {"AP": theirs}, METRIC)


def test_a_number_where_the_reference_has_none_is_an_error():
    with pytest.raises(EntryError):
        verdict(scores(AP=None), {"AP": 0.5}, METRIC)


def test_options_that_a_metric_does_not_take(tmp_path):
    with pytest.raises(UsageError, match=r"^mpii-pckh does not take sigmas; it takes origin$"):
        score_file("mpii-pckh", ground_truth=tmp_path, predictions=tmp_path, options={"sigmas": [1]})
    with pytest.raises(UsageError, match=r"^topk does not take kinds, sigmas; it takes names$"):
        score_file(
            "topk", ground_truth=tmp_path, predictions=tmp_path, options={"kinds": 1, "names": [], "sigmas": [1]}
        )
