"""What is said of a network's own names of classes beside those of the data set."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hrbench.runner.check_network import class_differences, class_names


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
        (["cat", "hot dog"], []),
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
