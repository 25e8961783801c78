"""Two small runs and a baseline, and the site over them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked import Answer, ask
from releases import DATA, write_release

from hrbench.serve.access import Access, guarded
from hrbench.serve.site import Site, app, site


@dataclass
class Served:
    """A site over `runs` and `baselines` in `folder`. problems: what the server would tell."""

    folder: Path
    site: Site
    app: Any
    problems: list[str] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def ask(self, address: str, **more: Any) -> Answer:
        return ask(self.app, address, **more)

    def page(self, address: str) -> str:
        answer = self.ask(address)
        assert answer.status == 200, answer.text
        return answer.text


def serve_folder(folder: Path, work: Path, access: Access | None = None) -> Served:
    problems: list[str] = []
    shown = site(folder / "runs", folder / "baselines", work, problems.append)
    return Served(folder, shown, guarded(app(shown), access or Access()), problems)


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """runs/first, runs/second with one entry each, and the baseline `kept`."""
    folder = tmp_path_factory.mktemp("stored")
    for name, right, date in (("first", 150, "2026-01-01"), ("second", 120, "2026-02-01")):
        write_release(folder / "runs" / name, np.arange(200) < right, f"{date}T00:00:00+00:00", "shapes", limited=None)
    (folder / "baselines").mkdir()
    shutil.copytree(DATA / "baseline_1", folder / "baselines" / "baseline_1")
    return folder


@pytest.fixture
def served(stored: Path, tmp_path: Path) -> Iterator[Served]:
    """The site over a copy; the server has told of no error of its own at the end."""
    shutil.copytree(stored, tmp_path / "stored")
    (tmp_path / "work").mkdir()
    made = serve_folder(tmp_path / "stored", tmp_path / "work")
    yield made
    assert made.problems == []
