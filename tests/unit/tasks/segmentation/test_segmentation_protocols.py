"""The named protocols of segmentation, and settings that cannot be followed."""

from __future__ import annotations

import dataclasses

import pytest

from hrbench.errors import UsageError
from hrbench.tasks.segmentation.protocols import (
    HRNET,
    HRNET_OCR,
    NAMED_PROTOCOLS,
    PLAIN,
    REFINENET,
    Inference,
    checked,
    usual,
)


def test_the_plain_one_is_first_and_holds_for_any_network():
    assert NAMED_PROTOCOLS[0] is PLAIN
    assert usual("smp:Unet") == usual("mine:net") == "plain"
    assert (usual("seg_hrnet"), usual("seg_hrnet_ocr"), usual("refinenet")) == ("hrnet", "hrnet-ocr", "refinenet")


def test_hrnet_and_its_ocr_branch_differ_in_corners_alone():
    assert dataclasses.replace(HRNET_OCR, name="hrnet", align_corners=False) == HRNET
    assert not HRNET.align_corners and HRNET_OCR.align_corners
    assert REFINENET.upsampling == "bicubic" and not REFINENET.flip


@pytest.mark.parametrize("protocol", NAMED_PROTOCOLS, ids=lambda protocol: protocol.name)
def test_named_ones_can_be_followed(protocol):
    assert checked(protocol) is protocol


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (1.0, 0.0)}, "scales"),
        ({"base": 0}, "base"),
        ({"size": "short"}, "size: short"),
        ({"crop": (0, 5)}, "crop"),
        ({"crop": (5,)}, "crop"),
        ({"stride": 0.0}, "stride"),
        ({"stride": 1.5}, "stride"),
        ({"crop": (2, 2), "stride": 0.1}, "a pixel at least"),
        ({"multiple": 0}, "multiple"),
    ],
)
def test_what_cannot_be_followed_is_refused(settings, said):
    with pytest.raises(UsageError, match=f"protocol plain of segmentation cannot be followed.*{said}"):
        checked(Inference(**settings))
