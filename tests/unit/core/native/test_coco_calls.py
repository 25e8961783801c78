"""What does not fit together is refused by the functions of COCO's metrics: nothing beyond an array is touched."""

from __future__ import annotations

import numpy as np
import pytest

from hrbench.metrics.coco.assignment import _ASSIGN, _PAIRS
from hrbench.metrics.coco.compiled_tables import _EVENTS, _OBJECTS, _TABLES
from hrbench.metrics.coco.groups import _ORDER

pytestmark = pytest.mark.parametrize("way", ["compiled"], indirect=True)


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def refused(call, good: list, wrong: dict) -> None:
    """The call takes the good arguments, and none of those in which a position has a wrong one."""
    assert call(*good) >= 0
    for (place, _), argument in wrong.items():
        copies = [each.copy() if isinstance(each, np.ndarray) else each for each in good]
        changed = [argument if at == place else each for at, each in enumerate(copies)]
        with pytest.raises(IndexError):
            call(*changed)


def named(*pairs: tuple[int, object]) -> dict:
    return {(place, number): argument for number, (place, argument) in enumerate(pairs)}


def test_order(way) -> None:
    good = [whole(2, 1, -1), np.zeros(3), whole(0, 0, 0)]
    refused(_ORDER, good, named((1, np.zeros(2)), (2, whole(0, 0))))


def test_pairs(way) -> None:
    good = [
        whole(0, 1),
        whole(1, 2),
        whole(0, 2),
        whole(2, 1),
        whole(7, 8, 9),
        np.zeros(4, np.int64),
        whole(0, 0, 0, 0),
    ]
    short, few = np.zeros(3, np.int64), whole(0)
    wrong = named((0, whole(0, 2)), (0, whole(-1, 1)), (1, whole(1, 3)), (3, whole(2, 9)), (2, few), (5, short))
    refused(_PAIRS, good, wrong)
    assert good[5].tolist() == [0, 1, 2, 2] and good[6].tolist() == [7, 7, 8, 9]


def test_assign(way) -> None:
    bits, free = np.zeros((2, 2), np.uint16), np.full(2, ~np.uint64(0))
    alike, lowest, no = np.array([0.6, 0.9]), np.array([0.5, 0.75]), np.zeros(2, bool)
    good = [whole(0, 1), whole(1, 0), alike, lowest, 2, no, np.zeros(2, np.uint64), free, bits, bits.copy()]
    wrong = named(
        (0, whole(0, 2)), (0, whole(-1, 1)), (1, whole(1, 2)), (1, whole(-1, 0)), (2, alike[:1]), (4, 0), (4, 33),
        (3, np.zeros(17)), (5, no[:1]), (9, bits[:1]),
    )  # fmt: skip
    refused(_ASSIGN, good, wrong)
    assert good[8].tolist() == [[1, 1], [3, 3]] and not good[9].any()


def test_events(way) -> None:
    bits, place = np.ones((3, 2), np.uint16), np.array([[0, 1]], np.int32)
    good = [
        whole(0, 2, 1), whole(0, 2, 3), np.array([0, 1, 0], np.int32), bits, 0 * bits, 2, whole(1, 100, 1), 1, place,
        np.zeros(3, np.uint64), np.zeros(3, np.int64),
    ]  # fmt: skip
    wrong = named(
        (0, whole(0, 1, 2)), (0, whole(0, 2, 3)), (0, whole(0, 2, -1)), (1, whole(0, 4, 3)), (1, whole(0, 2)),
        (2, np.array([0, 1, 2], np.int32)), (3, bits[:2]), (5, 3), (6, whole(2, 1, 1)), (6, whole(-1, 1, 1)),
        (8, np.array([[0, 2]], np.int32)), (9, np.zeros(2, np.uint64)), (10, whole(0, 0)),
    )  # fmt: skip
    refused(_EVENTS, good, wrong)
    assert good[10].tolist() == [0, 2, 3]


def test_objects_and_tables(way) -> None:
    image, weights = np.array([0, 1], np.int32), np.array([[1, 2]], np.int32)
    good = [image, np.array([3, 1], np.int32), whole(0, 1, 2), weights, 2, np.zeros((1, 2), np.int32)]
    refused(_OBJECTS, good, named((0, image + 1), (0, -image), (2, whole(0, 3, 2)), (2, whole(-1, 1, 2)), (4, 3),
                                  (5, np.zeros((1, 1), np.int32))))  # fmt: skip
    events = (image.astype(np.uint64) << np.uint64(32)) + np.uint64(3 << 16) + np.uint64(1)
    good = [
        events, whole(0, 1, 2), weights, 2, good[5], np.ones((1, 2), bool), 2, np.array([0.0, 0.5]), np.zeros(8),
        np.zeros(4),
    ]  # fmt: skip
    wrong = named(
        (0, events + np.uint64(1 << 32)), (0, events[:1]), (1, whole(0, 2, 1)), (1, whole(0, 1)), (2, weights[:, :1]),
        (5, np.ones((1, 1), bool)), (6, 17), (6, 0), (8, np.zeros(7)), (9, np.zeros(5)),
    )  # fmt: skip
    refused(_TABLES, good, wrong)
    assert good[9].tolist() == [1 / 3, 1.0, 0.0, 0.0]
