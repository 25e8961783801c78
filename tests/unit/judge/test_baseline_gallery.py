"""Pictures in a baseline: small, only if asked for, held to their digests, and shown beside those of the release."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from releases import write_release

from hrbench.errors import InputError
from hrbench.judge import baseline
from hrbench.judge.compare import compare
from hrbench.judge.gate import check_baseline
from hrbench.judge.sides import read_side
from hrbench.report.changed_images import changed_entries, changed_images, stored_pictures
from hrbench.store.run_folder import RunFolder
from hrbench.types import Drawing


def run_with_pictures(folder: Path, right: np.ndarray, date: str) -> None:
    """A run that rendered three of its images, of 900 by 600 pixels."""
    made = write_release(folder, right, date)
    run = RunFolder(folder)
    part = run.begin(made.name)
    (part / "drawings").mkdir()
    for file in ("states.npz", "predictions.csv"):
        (part / file).write_bytes((Path(made.folder) / file).read_bytes())
    drawings = []
    for number in range(3):
        kind = "worst" if number < 2 else "typical"
        file = f"drawings/{kind}-{number + 1}.jpg"
        Image.new("RGB", (900, 600), (40 * number, 90, 90)).save(part / file)
        drawings.append(Drawing(file, f"n{number:06d}", kind, ""))
    run.commit(part, replace(made, drawings=tuple(drawings)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    right = np.arange(200) % 3 > 0
    run_with_pictures(tmp_path / "before", right, "2026-01-01T00:00:00+00:00")
    run_with_pictures(tmp_path / "after", ~right, "2026-02-01T00:00:00+00:00")
    return tmp_path


def test_there_are_none_unless_asked_for(place: Path) -> None:
    saved = baseline.save(place / "before", "v1", place)
    assert not saved.baseline.pictures and not list(saved.path.rglob("*.jpg"))


def test_small_ones_of_the_worst_images_are_kept_and_shown(place: Path) -> None:
    saved = baseline.save(place / "before", "v1", place, gallery=1)
    (picture,) = saved.path.rglob("*.jpg")
    assert list(baseline.read("v1", place).pictures) == ["entries/classes/gallery/worst-1.jpg"]
    with Image.open(picture) as small:
        assert small.size == (320, 213)
    sides = (read_side("v1", place), read_side(str(place / "after"), place))
    check_baseline(sides[0])
    (found,) = changed_images(list(changed_entries(compare(*sides), sides)), stored_pictures)
    assert (found.entry, found.metric) == ("classes", "topk")
    shown = {one.change.name: [when for when, _ in one.pictures] for one in found.images}
    assert shown["n000000"] == ["before", "after"] and shown["n000001"] == ["after"]


def test_a_changed_picture_is_not_trusted(place: Path) -> None:
    saved = baseline.save(place / "before", "v1", place, gallery=2)
    next(saved.path.rglob("worst-2.jpg")).write_bytes(b"another")
    with pytest.raises(InputError, match=r"worst-2\.jpg is not the picture that was saved"):
        check_baseline(read_side("v1", place))
