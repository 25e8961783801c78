"""Tiers, margins, floors and waivers of a policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from evidence import AP, parameters, points

from hrbench.judge.policies import below, fits, names_classes, place, waived
from hrbench.types import Floor, Margin, Policy, Quantity, Rule, Waiver

AP50 = Quantity("AP50", "AP50", "fraction", "higher")
PERSON = replace(points(0, 1), quantity=Quantity("AP/person", "person", "fraction", "higher"), single_class=True)


def tiers(policy: Policy) -> list[str]:
    rows = [points(0, 1), points(0, 1, quantity=AP50), parameters(1, 1), PERSON]
    return [place(policy, row, MAINS).tier for row in rows]


MAINS = {("net", "coco-boxes"): "AP"}


def test_by_default_main_numbers_and_counts_are_required() -> None:
    assert tiers(Policy()) == ["required", "watched", "required", "watched"]


def test_the_last_rule_that_fits_decides_and_is_named() -> None:
    policy = Policy(
        rules=(
            Rule("AP*", tier="watched", where="p.yaml:2"),
            Rule("AP50", tier="required", margin=Margin(points=1.0), where="p.yaml:3"),
            Rule("AP50", entry="other*", tier="ignored", where="p.yaml:4"),
        )
    )
    assert tiers(policy) == ["watched", "required", "required", "watched"]
    at = place(policy, points(0, 1, quantity=AP50), MAINS)
    assert (at.where, at.margin) == ("p.yaml:3", Margin(points=1.0))


def test_a_margin_alone_leaves_the_tier() -> None:
    at = place(Policy(rules=(Rule("AP", margin=Margin(points=2)),)), points(0, 1), MAINS)
    assert (at.tier, at.where, at.margin) == ("required", "default", Margin(points=2))


@pytest.mark.parametrize(
    ("pattern", "number", "klass"),
    [
        ("*", True, False),
        ("AP", True, False),
        ("AP*", True, False),
        ("coco-boxes/AP", True, False),
        ("coco-boxes/*", True, False),
        ("AP/person", False, True),
        ("AP/*", False, True),
        ("coco-boxes/AP/person", False, True),
        ("coco-masks/*", False, False),
    ],
)
def test_a_pattern_of_numbers_takes_classes_only_if_it_names_them(pattern: str, number: bool, klass: bool) -> None:
    assert fits(Rule(pattern), points(0, 1)) is number
    assert fits(Rule(pattern), PERSON) is klass


@pytest.mark.parametrize(
    ("floor", "told"),
    [
        (Floor("AP", 0.6), ""),
        (Floor("AP", 0.7), ""),
        (Floor("AP", 0.75, where="p.yaml:7"), "70.0 points, at least 75.0 points is asked for (p.yaml:7)"),
        (Floor("AP", 0.6, least=False, where="p.yaml:8"), "70.0 points, at most 60.0 points is asked for (p.yaml:8)"),
        (Floor("AP", 0.9, entry="other"), ""),
    ],
)
def test_floors(floor: Floor, told: str) -> None:
    assert below(Policy(floors=(floor,)), points(0, 1)) == told


@pytest.mark.parametrize(
    ("quantity", "named"),
    [("AP", False), ("coco-boxes/AP", False), ("AP/person", True), ("coco-boxes/AP/*", True), ("IoU/road", True)],
)
def test_classes_are_looked_at_where_a_pattern_names_one(quantity: str, named: bool) -> None:
    for policy in (Policy(rules=(Rule(quantity),)), Policy(floors=(Floor(quantity, 0.5),))):
        assert names_classes(policy, {"coco-boxes", "coco-masks"}) is named
    assert not names_classes(Policy(), {"coco-boxes"})


def test_a_waiver_holds_until_its_day() -> None:
    policy = Policy(waivers=(Waiver("AP", "known", "2027-01-31", where="p.yaml:9"),))
    assert waived(policy, points(-5, 1), date(2027, 1, 31)) == "known (until 2027-01-31, p.yaml:9)"
    assert waived(policy, points(-5, 1), date(2027, 2, 1)) == ""
    assert waived(policy, points(-5, 1, quantity=AP50), date(2027, 1, 1)) == ""
    assert AP.name == "AP"
