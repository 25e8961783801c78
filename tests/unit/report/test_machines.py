"""One machine, or several, on one day or more."""

from __future__ import annotations

from hrbench.report.machines import dates_and_devices, is_stated, merge

FIRST = {"date": "2026-11-19T08:00:00+00:00", "processor": "one", "gpus": [{"name": "GPU A"}, {"name": "GPU A"}]}
LATER = {**FIRST, "date": "2026-11-20T08:00:00+00:00"}
OTHER = {"date": "2026-11-20T09:00:00+00:00", "processor": "two", "gpus": []}


def test_runs_on_one_machine_are_one_environment_whenever_they_were_made():
    merged = merge([LATER, {}, FIRST])
    assert merged["date"] == [LATER["date"], FIRST["date"]]
    assert dates_and_devices(merged) == ["19 November 2026 to 20 November 2026", "GPU A"]


def test_runs_on_two_machines_name_both():
    merged = merge([FIRST, OTHER])
    assert list(merged) == ["run 1", "run 2"]
    assert dates_and_devices(merged) == ["19 November 2026 to 20 November 2026", "GPU A", "two"]
    assert is_stated(merged, {"processor": "two", "gpus": []})
    assert not is_stated(merged, {"processor": "three", "gpus": []})


def test_nothing_known():
    assert merge([]) == {} and dates_and_devices({}) == []
    assert dates_and_devices({"gpus": [{"name": None}], "processor": "one"}) == ["one"]
