"""What a log says of a run, and when."""

from __future__ import annotations

from hrbench.cli.progress import Bars, Lines, line, tally
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


def test_a_download_that_goes_on_has_the_rate_of_what_came_now():
    clock, said = Clock(), []
    lines = Lines(said.append, clock)
    lines(Event("note", "net", text="the server answers 503; trying again in 30 s"))
    clock.now = 30
    for done in (60, 90, 110):
        lines(Event("progress", "net", "download", "bytes", done * 2**20, 110 * 2**20))
        clock.now += 12
    assert said[1:] == [
        "net: download: 90.0 MiB of 110 MiB, 2.50 MiB/s, 0:08 left",
        "net: download: 110 MiB of 110 MiB, 2.08 MiB/s, 0:00 left",
    ]


def test_images_of_stored_shards_count_as_done_and_not_in_the_rate():
    clock, said = Clock(), []
    lines = Lines(said.append, clock)
    lines(Event("note", "net", text="256 of 600 images are predicted already"))
    for clock.now, done in ((10, 276), (20, 300), (172, 600)):
        lines(Event("progress", "net", "predict", "images", done, 600, before=256))
    assert said[1:] == [
        "net: predict: 300/600 images, 2.2/s, 2:16 left",
        "net: predict: 600/600 images, 2.0/s, 0:00 left",
    ]


def test_a_download_of_unknown_size_is_told_too():
    assert tally(Event("progress", "net", "download", "bytes", 3 * 2**20), 2.0) == "3.00 MiB, 1.50 MiB/s"
    bars = Bars()
    bars(Event("progress", "net", "download", "bytes", 2**20, 0))
    assert bars.progress.tasks[0].fields["count"] == "1.00 MiB" and bars.progress.tasks[0].total is None
    bars(Event("progress", "net", "download", "bytes", 2**21, 2**22))
    assert bars.progress.tasks[0].fields["count"] == "2.00 MiB of 4.00 MiB"
    assert bars.progress.tasks[0].fields["rate"].endswith(" MiB/s")
    bars.close()
