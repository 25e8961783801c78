"""Compressed masks: areas and checks against pycocotools' codec, and IoU of masks against its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as codec

from hrbench.formats.coco.columns import Truths
from hrbench.formats.coco.rle import CodeError, Masks, checked
from hrbench.metrics.coco.mask_iou import mask_iou


def masks(codes: list[dict[str, Any]]) -> Masks:
    text = b"".join(code["counts"] for code in codes)
    lengths = [len(code["counts"]) for code in codes]
    size = np.array([code["size"] for code in codes], np.int64).reshape(-1, 2)
    area, plain = checked(text, lengths, size.prod(axis=1))
    return Masks(size, text, np.concatenate(([0], np.cumsum(lengths))), area, plain)


def encoded(drawn: np.ndarray) -> dict[str, Any]:
    return codec.encode(np.asfortranarray(drawn, np.uint8))


def plain_code(counts: list[int], height: int, width: int) -> dict[str, Any]:
    encode: Any = codec.frPyObjects
    return encode({"size": [height, width], "counts": counts}, height, width)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1)), max_size=6)
)
def test_areas_are_those_of_the_codec(drawn) -> None:
    codes = [encoded(np.random.default_rng(seed).random((h, w)) < share) for h, w, seed, share in drawn]
    found = masks(codes)
    assert found.area.tolist() == [float(codec.area(code)) for code in codes]
    assert found.plain.all() and found.codes(np.arange(len(codes))) == codes


@pytest.mark.parametrize("side", [1, 700, 5000, 23000])
def test_long_runs(side: int) -> None:
    codes = [plain_code(counts, side, side) for counts in ([side * side], [0, side * side], [side * side - 1, 1])]
    assert masks(codes).area.tolist() == [0, side * side, 1]


def test_empty_runs_are_noted() -> None:
    codes = [plain_code([0, 16], 4, 4), plain_code([4, 0, 12], 4, 4), plain_code([4, 12, 0], 4, 4)]
    found = masks(codes)
    assert found.plain.tolist() == [True, False, False] and found.area.tolist() == [16, 0, 12]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is empty"),
        (b"a" * 7 + b"0", "larger than any image"),
        (b"@P", "cut off"),
        (b"\x2f", "no compressed code"),
        (b"p", "no compressed code"),
        (b"O", "negative length"),
        (b"1", "covers 1 pixels; its size has 16"),
    ],
)
def test_what_is_no_code(text: bytes, says: str) -> None:
    good = encoded(np.eye(4))["counts"]
    for codes in ([text], [good, text, good]):
        with pytest.raises(CodeError, match=says):
            checked(b"".join(codes), [len(code) for code in codes], np.full(len(codes), 16))


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=12), min_size=1, max_size=4), st.integers(0, 2000))
def test_whatever_is_let_through_is_what_the_codec_reads(codes: list[bytes], pixels: int) -> None:
    try:
        area, _ = checked(b"".join(codes), [len(code) for code in codes], np.full(len(codes), pixels))
    except CodeError as error:
        assert str(error).startswith("counts ")
    else:
        assert area.tolist() == [float(codec.area({"size": [pixels, 1], "counts": code})) for code in codes]


@pytest.mark.parametrize("seed", range(20))
def test_iou_is_that_of_the_codec_wherever_it_reaches_the_threshold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(4, 40, 2)

    def drawn(many: int) -> list[dict[str, Any]]:
        found = [plain_code([4, 0, int(height * width) - 4], height, width)]
        for _ in range(many):
            mask = np.zeros((height, width))
            y, x = rng.integers(0, height), rng.integers(0, width)
            mask[y : y + rng.integers(1, height + 1), x : x + rng.integers(1, width + 1)] = 1
            found.append(encoded(mask * (rng.random(mask.shape) < 0.97)))
        return found

    truths, detections = drawn(8), drawn(15)
    crowd = rng.random(len(truths)) < 0.3
    image, category = rng.integers(0, 2, len(truths)), rng.integers(0, 2, len(truths))
    columns = Truths(image, category, np.ones(len(truths)), crowd, crowd)
    similarity = mask_iou(columns, masks(truths), masks(detections), 0.5)
    expected = np.asarray(codec.iou(detections, truths, crowd.astype(int).tolist()))
    pairs = [
        (d, g)
        for group in sorted({(i, c) for i, c in zip(image.tolist(), category.tolist(), strict=True)})
        for d in rng.choice(len(detections), 5, replace=False).tolist()
        for g in range(len(truths))
        if (image[g], category[g]) == group
    ]
    d, g = np.array(pairs).T
    found = similarity(d, g)
    wanted = expected[d, g]
    assert found[wanted >= 0.5].tolist() == wanted[wanted >= 0.5].tolist()
    assert ((found == wanted) | ((found == 0) & (wanted < 0.5))).all()
    assert similarity(d[:0], g[:0]).tolist() == []
