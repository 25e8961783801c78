"""Reasons shared in part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hrbench.report.words import grouped
from hrbench.types import Reason

DATA = (Reason("annotations are missing: a.json", "get them there"), Reason("images are missing"))


def test_entries_on_one_data_set_share_its_text_and_keep_their_weights():
    found = grouped((*DATA, Reason(f"no weights of {name}")) for name in "xyz")
    data = "annotations are missing: a.json; get them there; images are missing"
    assert list(found.values()) == [(data, f"no weights of {name}") for name in "xyz"]


def test_a_message_with_a_semicolon_is_not_taken_apart():
    path = Reason("the weights /a; b/net.pth are not there")
    assert grouped([(path, DATA[1]), (DATA[1],)])[path, DATA[1]] == (str(path), "images are missing")


REASONS = st.lists(st.builds(Reason, st.text(alphabet="ab; ", min_size=1, max_size=4)), max_size=4).map(tuple)


@given(st.lists(REASONS))
def test_no_reason_is_lost(lists):
    found = grouped(lists)
    assert set(found) == set(lists)
    for reasons, texts in found.items():
        assert "; ".join(texts) == "; ".join(map(str, reasons))
