"""Numbers as text: the doctests in hrbench/units.py show the ordinary cases, these the laws and the edges."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrbench.core import units
from hrbench.types import Unit

UNITS = get_args(Unit)
finite = st.floats(min_value=1e-6, max_value=1e13)


def test_every_unit_has_a_name_and_a_divisor():
    assert set(units.NAMES) == set(UNITS)
    assert all(units.divisor(unit) > 0 for unit in UNITS)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("unit", UNITS)
def test_what_is_no_number_is_a_dash(value, unit):
    assert units.show(value, unit) == units.signed(value, unit) == units.exact(value, unit) == "–"


@given(finite)
def test_three_significant_digits_are_kept(value):
    assert float(units.significant(value)) == pytest.approx(value, rel=5.1e-3)


@given(finite, st.sampled_from(UNITS))
def test_a_difference_and_its_opposite_differ_in_the_sign_alone(value, unit):
    up, down = units.signed(value, unit), units.signed(-value, unit)
    assert up.lstrip("+") == down.lstrip(units.MINUS)
    assert (up == down) == (up[0] not in "+−")
    assert "-" not in up + down


def test_negative_numbers_have_the_typographic_minus():
    assert units.show(-0.5, "fraction") == "−50.0"
    assert units.interval(-0.01, 0.02, "fraction") == "[−1.0, 2.0]"


def test_the_four_views_of_hrnet_w32():
    views = {"macs": 7_645_003_776, "flops": 15_290_007_552, "fvcore": 7_684_964_352, "hrnet-paper": 7_645_003_776}
    shown = {
        view: units.show(count, "operations", own=2.0**30 if view == "hrnet-paper" else None)
        for view, count in views.items()
    }
    assert shown == {"macs": "7.645", "flops": "15.290", "fvcore": "7.685", "hrnet-paper": "7.120"}


def test_shown_values_carry_no_rounding_dirt():
    assert units.shown(0.744, "fraction") == 74.4
    assert units.shown(0.0712, "fraction") == 7.12


def test_a_time_without_a_zone_claims_none():
    assert units.date("2026-11-20T09:05:00", clock=True) == "20 November 2026, 09:05"
    assert units.date("2026-11-20T09:05:00") == "20 November 2026"


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.97, "1 min 00 s"), (3599.6, "1 h 00 min"), (0.0, "0 ms"), (math.nan, "–")]
)
def test_durations_carry_over(seconds, text):
    assert units.duration(seconds) == text
