"""Which published row belongs to which result."""

from __future__ import annotations

import pytest
from report_factory import make

from hrbench.report.layout import PublishedLayout, read_layout
from hrbench.report.published import find_row, read_published

SHIPPED = PublishedLayout(file="pose", section="coco_keypoints")
OWN = PublishedLayout(rows=({},))


def coco_rows():
    return read_published(read_layout("pose"))["pose-coco-val"]


def test_the_row_of_the_same_network_and_input():
    row = find_row(coco_rows(), make("HRNet-W48", input=(384, 288)), SHIPPED)
    assert row is not None
    assert (row["model"], row["input"], row["AP"], row["split"]) == ("HRNet-W48", "384x288", 76.3, "val2017")


@pytest.mark.parametrize(
    "published",
    [
        {},
        {"file": "pose", "section": "mpii", "model": "HRNet-W32", "input": "256x192"},
        {"file": "pose", "section": "coco_keypoints", "model": "HRNet-W32", "input": "64x48"},
        {
            "file": "pose",
            "section": "coco_keypoints",
            "model": "HRNet-W32",
            "input": "256x192",
            "split": "test-dev2017",
        },
    ],
)
def test_no_row_where_the_variant_points_elsewhere(published):
    assert find_row(coco_rows(), make("HRNet-W32", published=published), SHIPPED) is None


def test_rows_of_ones_own_are_found_by_entry_variant_or_title():
    result = make("Ours", name="ours-1", published=False)
    for row in ({"entry": "ours-1"}, {"variant": "v_Ours"}, {"model": "Ours"}, {"model": "Ours", "input": "256x192"}):
        assert find_row([{"model": "Other"}, row], result, OWN) is row
    for row in ({"entry": "ours-2"}, {"variant": "Ours"}, {"model": "Ours", "input": "384x288"}, {"AP": 1}):
        assert find_row([row], result, OWN) is None
