"""Which images are rendered for all networks of a data set, and which networks these are."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_factory import make, of

from hrbench.runner.side_by_side import MOST, Group, groups_of, key_of, select
from hrbench.types import DatasetRecord, MetricRecord, Provenance, Result


def result(name: str, ap: float, data: str = "d", **more) -> Result:
    provenance = Provenance(dataset=DatasetRecord("coco", data, 9), metrics={"coco-keypoints": MetricRecord(1, "h")})
    made = make(name, of("AP", ap), name=name, provenance=provenance, **more)
    entry = replace(made.entry, metrics=("coco-keypoints",))
    return replace(made, entry=entry, status="done", score_key=f"key of {name}", folder=f"runs/a/entries/{name}")


@settings(max_examples=50)
@given(
    st.lists(
        st.dictionaries(st.integers(0, 9), st.sampled_from((0.0, 0.25, 0.5, 1.0)), min_size=1), min_size=1, max_size=3
    ),
    st.integers(1, 4),
)
def test_images_are_those_of_all_networks_worst_disagreed_and_typical(networks, count):
    qualities = {str(number): one for number, one in enumerate(networks)}
    found = select(qualities, count, range(8))
    shared = set(range(8)).intersection(*networks)
    assert set(found) <= shared
    worst, apart, typical = (
        [image for image in found if found[image] == kind] for kind in ("worst", "disagreed", "typical")
    )
    assert max(map(len, (worst, apart, typical))) <= count and len(found) == len(worst) + len(apart) + len(typical)
    assert len(worst) == min(count, len(shared))

    def mean(image: int) -> float:
        return sum(one[image] for one in networks)

    def spread(image: int) -> float:
        return max(one[image] for one in networks) - min(one[image] for one in networks)

    others = shared - set(worst)
    assert all(mean(a) <= mean(b) for a in worst for b in others)
    assert all(spread(a) >= spread(b) and spread(a) > 0 for a in apart for b in others - set(apart))


def test_networks_of_the_same_data_metric_and_criteria_are_one_group():
    a, b = result("a", 0.7), result("b", 0.6)
    alone = [
        result("other data", 0.5, data="e"),
        replace(result("limited", 0.5), limited=10),
        replace(result("empty", 0.5), status="empty"),
        replace(result("no key", 0.5), score_key=None),
    ]
    stricter = {"coco-keypoints": MetricRecord(1, "h", {"max_detections": 5})}
    alone.append(replace(b, name="criteria", provenance=replace(b.provenance, metrics=stricter)))
    (group,) = groups_of([a, *alone, b])
    assert list(group.folders) == ["a", "b"] and group.networks == 2
    assert msgspec.convert(msgspec.to_builtins([group]), list[Group]) == [group]  # sent to a process
    assert key_of([group], 3) != key_of([group], 4)
    (again,) = groups_of([replace(a, score_key="another"), b])
    assert key_of([group], 3) != key_of([again], 3)


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_of_more_networks_than_can_be_compared_the_best_are_shown(better):
    many = []
    for number in range(MOST + 3):
        one = result(f"net{number}", 0.01 * number)
        score = replace(one.scores[0], quantity=replace(one.scores[0].quantity, better=better))
        many.append(replace(one, scores=(score,)))
    (group,) = groups_of(many)
    first = 3 if better == "higher" else 0
    assert list(group.folders) == [f"net{number}" for number in range(first, first + MOST)]
    assert group.networks == MOST + 3
