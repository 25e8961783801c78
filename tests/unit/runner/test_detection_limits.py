"""A metric that judges more detections of an image than reach it is told, with what to do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hrbench.metrics.coco.instances import CocoBoxes
from hrbench.metrics.coco.lvis import LvisBoxes, LvisMasks
from hrbench.metrics.topk import TopK
from hrbench.runner.detection_limits import network_limit_notes, protocol_limit_notes
from hrbench.tasks.detection.task import Detection

MMDET = {"name": "mmdet", "most": 100}


def test_lvis_by_a_protocol_that_keeps_100_is_told_with_the_remedy() -> None:
    (note,) = protocol_limit_notes(MMDET, [CocoBoxes(), LvisBoxes()])
    assert str(note) == (
        "protocol mmdet keeps at most 100 detections of an image, of which lvis-boxes judges 300: AP and AR may be "
        "lower than they could be (option protocol.most: 300)"
    )


@pytest.mark.parametrize(
    ("protocol", "metrics"),
    [
        (MMDET, [CocoBoxes()]),
        (MMDET, [LvisMasks(max_detections=100)]),
        ({"name": "mmdet", "most": 300}, [LvisMasks()]),
        ({"name": "plain", "most": None}, [LvisMasks()]),
        ({"name": "other"}, [LvisMasks()]),
        (MMDET, [TopK()]),
        (MMDET, []),
    ],
)
def test_nothing_is_told_where_all_that_is_judged_can_arrive(protocol, metrics) -> None:
    assert protocol_limit_notes(protocol, metrics) == []


def test_no_protocol_is_told_for_what_coco_judges() -> None:
    assert not [one for one in Detection.protocols if protocol_limit_notes({"most": one.most}, [CocoBoxes()])]


def test_more_than_coco_s_hundred_is_told_too() -> None:
    (note,) = protocol_limit_notes(MMDET, [CocoBoxes(max_detections=[1, 10, 300])])
    assert "of which coco-boxes judges 300" in str(note)


def test_a_network_that_keeps_fewer_than_its_protocol() -> None:
    plain, net = {"name": "plain", "most": None}, SimpleNamespace(most_detections=100, most_option="per_img")
    (note,) = network_limit_notes(net, plain, [LvisBoxes()])
    assert "the network finds at most 100 detections of an image" in str(note)
    assert note.option == "model.args.per_img: 300"
    (note,) = network_limit_notes(SimpleNamespace(most_detections=100, most_option=""), plain, [LvisBoxes()])
    assert str(note).endswith("a detector that keeps 300 can reach more")


def test_a_network_is_not_told_where_it_keeps_enough_or_the_protocol_keeps_less() -> None:
    net = SimpleNamespace(most_detections=100, most_option="")
    assert network_limit_notes(net, {"most": 50}, [LvisBoxes()]) == []  # the protocol's note says it
    assert network_limit_notes(net, {"most": None}, [CocoBoxes()]) == []
    assert network_limit_notes(SimpleNamespace(), {"most": None}, [LvisBoxes()]) == []
    assert network_limit_notes(SimpleNamespace(most_detections=300, most_option=""), {}, [LvisBoxes()]) == []
