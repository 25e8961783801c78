"""Folds of pictures: which images they have, which pictures are in the page, and which are files beside it."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from report_factory import make, of

from hrbench.report.gallery import BESIDE, gallery, picture_file
from hrbench.report.write import write_reports
from hrbench.store.side_by_side import NetworkPicture, SharedImage, SideBySide, write_side_by_side
from hrbench.types import Drawing, Result


def run_of(folder: Path, *names: str) -> list[Result]:
    """A run folder of these entries, each with a worst and a typical image, and one image for all of them."""
    results = []
    for name in names:
        place = folder / "entries" / name
        (place / "drawings").mkdir(parents=True)
        for file in ("worst-1", "typical-2", "truth-1", "truth-2"):
            (place / f"drawings/{file}.webp").write_bytes(f"{file} of {'all' if 'truth' in file else name}".encode())
        drawings = (
            Drawing("drawings/typical-2.webp", 2, "typical", "image 2", 0.8, "drawings/truth-2.webp", ("dog",), "AP"),
            Drawing("drawings/worst-1.webp", 1, "worst", "image 1", 0.1, "drawings/truth-1.webp", ("cat", "dog"), "AP"),
        )
        scored = make(name, of("AP", 0.7), name=name, drawings=drawings)
        results.append(replace(scored, folder=str(place), score_key=f"key of {name}"))
    (folder / "pictures").mkdir()
    for number in range(len(names) + 1):
        (folder / "pictures" / f"{number}.webp").write_bytes(b"shared %d" % number)
    shown = tuple(NetworkPicture(name, 0.2 * at, f"{at + 1}.webp") for at, name in enumerate(names))
    group = SideBySide(
        "coco", "ap", "AP", {name: f"key of {name}" for name in names},
        (SharedImage(7, "disagreed", ("cat",), "0.webp", shown),), networks=len(names),
    )  # fmt: skip
    write_side_by_side(folder / "pictures", "key", [group])
    return results


def place_of(result: Result) -> Path:
    return Path(result.folder)


def test_shared_images_come_first_then_those_of_each_entry(tmp_path):
    found = gallery(run_of(tmp_path, "a", "b"), ["A", "B"], place_of)
    assert [(fold.shared, len(fold.images)) for fold in found.folds] == [(True, 1), (False, 2), (False, 2)]
    shared, a, _ = found.folds
    assert [shot.label for shot in shared.images[0].shots] == ["ground truth", "A", "B"]
    assert shared.images[0].kind == "most disagreed" and shared.images[0].quality == 0.0
    assert [image.kind for image in a.images] == ["worst", "typical"] and a.quality_is == "AP"
    assert [[found.classes[number] for number in image.classes] for image in a.images] == [["cat", "dog"], ["dog"]]
    # Equal pictures, such as the ground truth of two entries, are in the page once.
    texts = [base64.b64decode(address.partition(",")[2]).decode() for address in found.addresses]
    assert sorted(texts) == sorted(set(texts)) and "truth-1 of all" in texts and not found.beside


def test_a_result_that_was_replaced_is_not_shown_beside_others(tmp_path):
    a, b, c = run_of(tmp_path, "a", "b", "c")
    (fold, *_) = gallery([a, replace(b, score_key="another"), c], ["A", "B", "C"], place_of).folds
    assert [shot.label for shot in fold.images[0].shots] == ["ground truth", "A", "C"]
    (fold, *_) = gallery([a, replace(b, score_key="another")], ["A", "B"], place_of).folds
    assert not fold.shared


@pytest.mark.parametrize("room", [0, 40, 10_000])
def test_what_finds_no_room_is_a_file_beside_the_page(tmp_path, room):
    results = run_of(tmp_path / "a run", "a", "b")
    found = gallery(results, ["A", "B"], place_of, tmp_path / "a run", room)
    inside = [address for address in found.addresses if address.startswith("data:")]
    assert sum(len(base64.b64decode(one.partition(",")[2])) for one in inside) <= room
    outside = [address for address in found.addresses if not address.startswith("data:")]
    assert len(outside) == found.beside and bool(outside) == (room < 10_000)
    assert all(not address.startswith(("/", "..", "file:")) for address in outside) and not found.copies


def test_pictures_of_another_folder_are_put_beside_the_page(tmp_path, monkeypatch):
    results = run_of(tmp_path / "run", "a", "b")
    monkeypatch.setattr("hrbench.report.write.EMBEDDED", 0)
    page = write_reports(results, tmp_path / "elsewhere").read_text()
    files = sorted((tmp_path / "elsewhere" / BESIDE).iterdir())
    assert files and all(f"{BESIDE}/{file.name}" in page for file in files) and str(tmp_path) not in page
    monkeypatch.setattr("hrbench.report.write.EMBEDDED", 10_000)
    write_reports(results, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / BESIDE).exists()


@pytest.mark.parametrize("content", ["", "{", '{"format": 9, "key": "", "groups": []}', '{"format": 1}'])
def test_a_damaged_index_shows_nothing(tmp_path, content):
    results = run_of(tmp_path, "a", "b")
    (tmp_path / "pictures/index.json").write_text(content)
    assert [fold.shared for fold in gallery(results, ["A", "B"], place_of).folds] == [False, False]


def test_an_index_names_no_file_outside_its_folder(tmp_path):
    results = run_of(tmp_path, "a", "b")
    (tmp_path / "secret.webp").write_bytes(b"secret")
    shown = (NetworkPicture("a", 0.1, "../secret.webp"), NetworkPicture("b", 0.1, "2.webp"))
    keys = {name: f"key of {name}" for name in "ab"}
    group = SideBySide("coco", "ap", "AP", keys, (SharedImage(7, "worst", (), "", shown),))
    write_side_by_side(tmp_path / "pictures", "key", [group])
    first, second = gallery(results, ["A", "B"], place_of).folds[0].images[0].shots
    assert first.gone == "../secret.webp" and first.number is None and second.number is not None
    assert [picture_file(tmp_path, name) for name in ("x" * 5000 + ".webp", "\0.webp", "/etc/passwd")] == [None] * 3
