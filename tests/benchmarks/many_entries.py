"""A suite of many entries, and a run folder in which all of them are finished, without running a network for each."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from hrbench.runner.prepare import assemble
from hrbench.runner.settings import Settings
from hrbench.runner.suite import run_suite
from hrbench.store.run_folder import RunFolder
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known
from hrbench.types import Result

ENTRY = (
    "  - {{name: net{number:04d}, model: pose_resnet_miniature_coco, dataset: miniature-coco-keypoints,"
    " resamples: {resamples}}}\n"
)


def write_suite(path: Path, many: int) -> Path:
    """One network on one data set, scored with another number of resamples in each entry."""
    entries = "".join(ENTRY.format(number=number, resamples=100 + number) for number in range(many))
    path.write_text(f"suite: many\ndefaults: {{cost: {{latency: false}}}}\nentries:\n{entries}")
    return path


def finish(folder: Path, suite: Path, data: Path) -> Path:
    """A run folder of the suite: its first entry is run, the others have its numbers under keys of their own."""
    settings = Settings(data=data, device="cpu", in_process=True)
    loaded = load_suite(suite, known())
    run = RunFolder(folder)
    (first,) = run_suite(replace(loaded, entries=loaded.entries[:1]), run, settings)
    for entry in loaded.entries[1:]:
        _stored(run, replace(first, name=entry.name, entry=entry), Path(first.folder), settings)
    run.write_run(loaded)
    return folder


def _stored(run: RunFolder, result: Result, source: Path, settings: Settings) -> None:
    folder = run.begin(result.name)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("result.json"))
    key = assemble(result.entry, settings).score_key(result.files)
    run.commit(folder, replace(result, score_key=key))
