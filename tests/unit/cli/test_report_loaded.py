"""What the report needs is imported beside the first network, and before anything is timed."""

from __future__ import annotations

import threading

import pytest

from hrbench.cli import run
from hrbench.types import Event


def test_it_is_imported_when_a_network_predicts_and_before_costs(monkeypatch: pytest.MonkeyPatch):
    let, loaded, shown = threading.Event(), [], []

    def slow(module: str) -> None:
        let.wait(20)
        loaded.append(module)

    monkeypatch.setattr(run, "import_module", slow)
    handler = run._ReportLoaded(shown.append)
    events = [Event("entry", "net"), Event("note", "net"), Event("progress", "net", "score")]
    for event in events:
        handler(event)
    assert handler._thread is None  # all may be stored already, and a latency begin at once
    events += [Event("progress", "net", "predict", "images", 1, 2), Event("progress", "net", "predict", "images", 2, 2)]
    for event in events[3:]:
        handler(event)
    assert loaded == [] and shown == events
    threading.Timer(0.05, let.set).start()
    handler(Event("cost", "net", "latency"))
    assert tuple(loaded) == handler.MODULES and not handler._thread.is_alive()


def test_an_import_that_fails_is_told_by_the_report(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run._ReportLoaded, "MODULES", ("no_such_module",))
    handler = run._ReportLoaded(lambda event: None)
    handler(Event("progress", "net", "predict", "images", 1, 2))
    handler(Event("cost", "net", "latency"))
