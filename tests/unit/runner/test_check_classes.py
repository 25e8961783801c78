"""What is said of a network's classes beside those of the data set: their names, and a detector's number of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hrbench.errors import EntryError
from hrbench.runner.check_classes import class_differences, class_names, class_notes
from hrbench.types import ClassScheme


def test_names_are_those_of_a_configuration_that_has_some() -> None:
    named = SimpleNamespace(config=SimpleNamespace(id2label={0: "cat", 1: "dog"}))
    assert class_names(named) == ["cat", "dog"]
    for labels in ({0: "LABEL_0", 1: "LABEL_1"}, {}, {1: "cat"}, None):
        assert class_names(SimpleNamespace(config=SimpleNamespace(id2label=labels))) == []
    assert class_names(SimpleNamespace()) == []


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (["Cat", "hot dog", "cow"], []),
        (
            ["hot_dog", "cat", "cow"],
            [
                "the network's classes are those of the data set in another order: 0 'cat' / 'hot_dog', 1 'hot dog, "
                "sausage' / 'cat' (network / data set)"
            ],
        ),
        (
            ["cat", "horse", "cow"],
            [
                "1 of 3 classes have another name in the network's configuration: 1 'hot dog, sausage' / 'horse' "
                "(network / data set)"
            ],
        ),
    ],
)
def test_other_names_and_another_order_are_told(ours: list[str], said: list[str]) -> None:
    assert class_differences(["cat", "hot dog, sausage", "cow"], ours) == said


# --- detectors -------------------------------------------------------------------------------------------------------


def said(net: Any, meaning: str = "contiguous", names: tuple[str, ...] = ("cat", "dog"), ids=(3, 7)) -> list[str]:
    data: Any = SimpleNamespace(scheme=ClassScheme(names, ids))
    entry: Any = SimpleNamespace(protocol={"labels": meaning}, variant=SimpleNamespace(task="detection"))
    return class_notes(net, data, entry)


def test_a_detector_of_the_data_sets_classes_is_passed_over() -> None:
    assert said(SimpleNamespace(label_count=2)) == []
    assert said(SimpleNamespace(label_count=7), "category") == said(SimpleNamespace(label_count=8), "id") == []


def test_a_detector_of_more_classes_fails_where_labels_are_positions() -> None:
    with pytest.raises(EntryError, match=r"tells 3 classes .* has 2.*above 1\. Set protocol\.labels to"):
        said(SimpleNamespace(label_count=3))


@pytest.mark.parametrize(
    ("count", "meaning", "lacking"),
    [
        (1, "contiguous", "dog (label 1)"),
        (6, "category", "dog (label 6); where"),
        (7, "id", "dog (label 7); where"),
        (2, "category", "cat (label 2), dog (label 6); where"),
    ],
)
def test_classes_that_a_detector_has_no_label_for_are_named(count: int, meaning: str, lacking: str) -> None:
    (note,) = said(SimpleNamespace(label_count=count), meaning)
    assert f"labels are 0 to {count - 1}, can find all but {lacking}" in note
    assert ("set protocol.labels to contiguous" in note) == (meaning != "contiguous")


def test_names_are_compared_at_the_label_that_stands_for_a_class() -> None:
    theirs = [f"other {number}" for number in range(8)]
    theirs[2], theirs[6] = "cat", "dog"
    assert said(SimpleNamespace(label_names=theirs), "category") == []
    (note,) = said(SimpleNamespace(label_names=theirs), "id")
    assert "2 of 2 classes have another name in the network's configuration: 0 'other 3' / 'cat'" in note
    (note,) = said(SimpleNamespace(label_names=["dog", "cat"]))
    assert "in another order" in note


def test_what_a_detector_does_not_tell_is_said_to_be_unknown() -> None:
    (note,) = said(SimpleNamespace())
    assert "were not compared" in note and "label_count" in note


def test_other_tasks_tell_their_number_by_the_shape_of_their_output() -> None:
    data: Any = SimpleNamespace(scheme=ClassScheme(("cat", "dog")))
    entry: Any = SimpleNamespace(protocol={}, variant=SimpleNamespace(task="classification"))
    assert class_notes(SimpleNamespace(), data, entry) == []
    assert class_notes(SimpleNamespace(label_names=["a", "b", "c"]), data, entry) == []
    assert len(class_notes(SimpleNamespace(label_names=["dog", "cat"]), data, entry)) == 1
