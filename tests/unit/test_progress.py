"""What a log says of a run, and when."""

from __future__ import annotations

from hrbench.progress import Bars, Lines, line, tally
from hrbench.types import Event


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_long_phase_is_told_every_few_seconds_and_at_its_end():
    clock, said = Clock(), []
    lines = Lines(said.append, clock)
    lines(Event("entry", "net"))
    for done in range(1, 31):
        clock.now += 1
        lines(Event("progress", "net", "predict", "images", done, 30))
    lines(Event("result", "net", "accuracy"))
    assert said == [
        "net: accuracy",
        "net: predict: 11/30 images, 1.0/s, 0:19 left",
        "net: predict: 21/30 images, 1.0/s, 0:09 left",
        "net: predict: 30/30 images, 1.0/s, 0:00 left",
        "net: accuracy done",
    ]


def test_seconds_are_no_rate():
    assert tally(Event("progress", "net", "latency", "seconds", 3, 10), 3.0) == "3/10 seconds"


def test_what_is_said_of_each_event():
    assert line(Event("failed", "net", "accuracy", "no memory")) == "net: FAILED: no memory"
    assert line(Event("result", "net", "accuracy", "no data; get it")) == "net: accuracy left empty: no data; get it"
    assert line(Event("cost", "net", "latency, batch 1")) == "net: costs: latency, batch 1"
    assert line(Event("note", "net", text="stored already")) == "net: stored already"
    assert "\n" not in line(Event("failed", "net", text="two\nlines"))


def test_bars_come_and_go(capsys):
    bars = Bars()
    bars(Event("entry", "net"))
    for done in range(3):
        bars(Event("progress", "net", "predict", "images", done, 3))
    bars(Event("progress", "net", "score"))
    bars(Event("failed", "net", "accuracy", "no [memory]"))
    bars.close()
    assert "net: FAILED: no [memory]" in capsys.readouterr().err
