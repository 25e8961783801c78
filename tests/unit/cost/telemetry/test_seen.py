"""What was seen between two moments, by hand."""

from __future__ import annotations

import pytest

from hrbench.cost.telemetry.seen import between
from hrbench.cost.telemetry.watch import Record


def readings(*rows: dict) -> Record:
    return Record([{"at": float(at), **row} for at, row in enumerate(rows)], busy=0.01)


def test_shares_are_of_the_time_between_the_first_and_the_last_reading_inside():
    record = readings(
        {"ran": 90.0, "waited": 50.0, "steal": [9.0, 9.0], "throttled": 5.0, "pressure": 7.0, "used": 100.0},
        {"ran": 0.0, "waited": 0.0, "steal": [1.0, 2.0], "throttled": 0.0, "pressure": 0.0, "used": 0.0},
        {"ran": 0.0, "waited": 0.0, "steal": [1.0, 2.0], "throttled": 0.0, "pressure": 0.0, "used": 0.0},
        {"ran": 3.0, "waited": 1.0, "steal": [1.1, 2.5], "throttled": 0.2, "pressure": 1.0, "used": 3.6, "load": 2.5},
    )
    seen = between(record, 1.0, 3.0)
    assert seen == {
        "waited": 0.25, "steal": 0.25, "throttled": 0.1, "pressure": 0.5, "others": pytest.approx(0.3), "load": 2.5,
        "sampler": pytest.approx(0.01 / 3, abs=1e-5),
    }  # fmt: skip


def test_what_is_not_told_is_not_seen():
    assert between(readings({}, {}), 0, 1) == {"sampler": 0.01}
    assert between(readings({"ran": 1.0, "waited": 0.0}), 0, 9) == {}
    assert between(Record(missing="no /proc"), 0, 9) == {}


def test_a_clock_moves_from_the_5th_to_the_95th_percentile():
    steady = readings(*[{"clock": 2400.0}] * 38, {"clock": 600.0}, {"clock": 2400.0})
    assert between(steady, 0, 99)["clock_spread"] == 0  # one reading of forty
    moving = readings(*[{"clock": 2400.0}] * 20, *[{"clock": 1800.0}] * 20)
    seen = between(moving, 0, 99)
    assert seen["clock_spread"] == pytest.approx(600 / 2400)


def test_a_gpu_is_told_by_shares_of_its_readings():
    def gpu(sm: int, reasons: int, **more) -> dict:
        return {
            "gpu": {"sm": sm, "memory": 2600, "power": 300.0, "temperature": 50 + sm % 7, "reasons": reasons, **more}
        }

    record = readings(gpu(1980, 0, foreign=0), gpu(1980, 0x4), gpu(1980, 0x40), gpu(1410, 0x8 | 0x4, foreign=2))
    record = Record(record.readings, {"gpu": {"ecc": True, "mig": False, "power_limit": 700.0}}, 0.0)
    seen = between(record, 0, 9)
    assert (seen["slowed"], seen["power_limited"], seen["locked"], seen["foreign"]) == (0.5, 0.5, 0.0, 2)
    assert seen["sm_clock"] == 1980 and seen["sm_clock_spread"] == pytest.approx(570 / 1980, abs=1e-5)
    assert seen["memory_clock_spread"] == 0 and seen["power"] == 300
    assert (seen["ecc"], seen["mig"], seen["power_limit"]) == (True, False, 700.0)
