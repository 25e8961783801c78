"""Keeps the pictures of a run folder that show the same images for several networks: renders them where they changed.

Which images are shown and how they are drawn is said by `side_by_side.py`, which runs in a separate process.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hrbench.core.files import whole_folder
from hrbench.errors import in_words
from hrbench.runner import jobs
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.execution import Processes
from hrbench.runner.settings import Settings
from hrbench.runner.side_by_side import groups_of, key_of
from hrbench.store.side_by_side import FOLDER, SideBySide, side_by_side_key, write_side_by_side
from hrbench.types import Event, Result


def update_shared_pictures(
    run: Path, results: Sequence[Result], settings: Settings, processes: Processes, suite: str, on_event: EventHandler
) -> None:
    """Renders the pictures of a run folder anew; those that are there and still count stay.

    run: the folder.
    results: of all its entries.
    settings: its `images` says how many of each kind; 0 for none.
    processes: one of them renders.
    suite: its name, for events.
    on_event: called with the progress, and why nothing was rendered: that fails no entry.
    """
    groups = groups_of(results) if settings.images else []
    if not groups:
        shutil.rmtree(run / FOLDER, ignore_errors=True)
        return
    key = key_of(groups, settings.images)
    if key == side_by_side_key(run):
        return
    entry = groups[0].entry
    try:
        with whole_folder(run / FOLDER) as part:
            request = jobs.request(entry, settings, groups=msgspec.to_builtins(groups), folder=str(part.resolve()))
            made, _ = processes.call("side_by_side", request, on_event, entry, None, network=False)
            found = msgspec.convert(made["groups"], list[SideBySide])
            write_side_by_side(part, key, found)
        reasons = [f"{one.dataset}: {one.reason}" for one in found if one.reason]
    except Exception as error:  # pictures change no number
        reasons = [in_words(error)]
    for reason in dict.fromkeys(reasons):
        on_event(Event("note", suite, text=f"no images were rendered side by side: {reason}"))
