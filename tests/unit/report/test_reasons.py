"""Reasons shared in part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hrbench.report.words import pieces

DATA = "annotations are missing: a.json; get them there; images are missing"


def test_entries_on_one_data_set_share_its_piece_and_keep_their_weights():
    found = pieces([f"{DATA}; no weights of {name}" for name in "xyz"])
    assert list(found.values()) == [(DATA, f"no weights of {name}") for name in "xyz"]


@given(st.lists(st.text(alphabet="ab; \n", max_size=12)))
def test_no_part_of_a_reason_is_lost(reasons):
    for reason, parts in pieces(reasons).items():
        assert set("; ".join(parts).split("; ")) == set(" ".join(reason.split()).split("; "))
