"""Folders of predicted label maps: written whole, found again, told apart, read in order."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from random_streets import load, save

from hrbench.errors import InputError, MissingError, UsageError
from hrbench.formats.label_folders import by_path, by_prefix, in_order, map_files, write_label_maps
from hrbench.types import Prediction


def test_predictions_are_written_whole(tmp_path: Path) -> None:
    place = tmp_path / "predictions"
    maps = {"ulm/a": np.array([[0, 1], [2, 0]]), "b": np.array([[2, 2, 2]], np.uint16)}
    write_label_maps((Prediction(name, value) for name, value in maps.items()), place, None, 3, "indices")
    assert {path.relative_to(place).as_posix() for path in place.rglob("*.*")} == {"ulm/a.png", "b.png", "labels.txt"}
    assert load(place / "ulm/a.png").tolist() == [[0, 1], [2, 0]] and load(place / "ulm/a.png").dtype == np.uint8
    assert (place / "labels.txt").read_text() == "indices\n"
    write_label_maps(iter([Prediction(7, np.array([[1, 0]]))]), place, np.array([300, 400]), 2, "ids")
    assert [path.name for path in sorted(place.rglob("*"))] == ["7.png", "labels.txt"]
    assert load(place / "7.png").tolist() == [[400, 300]]
    assert sorted(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("a", np.array([[3]]), "image a: predicted classes run from 3 to 3; there are 3, from 0"),
        ("a", np.array([[-1]]), "run from -1 to -1"),
        ("a", np.array([[0.5]]), "is a map of class indices"),
        ("a", np.zeros((2, 2, 1), int), r"is a map of class indices \(H, W\), this is \(2, 2, 1\)"),
        ("a", np.zeros((0, 2), int), "is a map of class indices"),
        ("b", np.array([[0]]), "image b: predicted twice"),
        ("../a", np.array([[0]]), "its name is no path within a folder"),
        ("/a", np.array([[0]]), "its name is no path within a folder"),
        ("", np.array([[0]]), "its name is no path within a folder"),
    ],
)
def test_wrong_predictions_leave_what_was_there(name: str, value: np.ndarray, words: str, tmp_path: Path) -> None:
    place = tmp_path / "predictions"
    write_label_maps(iter([Prediction("old", np.array([[1]]))]), place, None, 3, "ids")
    with pytest.raises(InputError, match=words):
        write_label_maps(iter([Prediction("b", np.array([[1]])), Prediction(name, value)]), place, None, 3, "ids")
    assert sorted(path.name for path in place.iterdir()) == ["labels.txt", "old.png"]
    assert sorted(tmp_path.iterdir()) == [place]


def test_an_error_of_the_network_passes_through(tmp_path: Path) -> None:
    def failing():
        yield Prediction("a", np.array([[1]]))
        raise OSError("an image of the data set")

    with pytest.raises(OSError, match="an image of the data set"):
        write_label_maps(failing(), tmp_path / "predictions", None, 3, "ids")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    samples = [Prediction("a", np.array([[1]])), Prediction("a.png/b", np.array([[1]]))]
    with pytest.raises(UsageError, match=r"a\.png/b\.png: cannot be written \((Not a directory|File exists)"):
        write_label_maps(iter(samples), tmp_path / "p", None, 3, "ids")


def files(folder: Path, *names: str) -> list[Path]:
    for name in names:
        save(folder / name, np.zeros((1, 1), np.uint8))
    return map_files(folder, "maps")


def test_names_that_begin_with_an_image_s(tmp_path: Path) -> None:
    found = files(tmp_path, "x/ulm_1_2_pred.png", "ulm_1_3.png", "ulm_2.jpg")
    assert {
        key: path.name for key, path in by_prefix(found, {"a": "ulm_1_2", "b": "ulm_1_3", "c": "ulm_9"}).items()
    } == {
        "a": "ulm_1_2_pred.png",
        "b": "ulm_1_3.png",
    }
    with pytest.raises(InputError, match=r"both are predictions of c; keep one"):
        by_prefix(found, {"c": "ulm_1"})


def test_paths_come_before_names_alone(tmp_path: Path) -> None:
    found = files(tmp_path, "Labels/a.png", "b.png", "deep/c.png")
    ids = ["Labels/a", "Labels/b", "Labels/c", "Labels/d"]
    assert {key: path.relative_to(tmp_path).as_posix() for key, path in by_path(tmp_path, found, ids).items()} == {
        "Labels/a": "Labels/a.png",
        "Labels/b": "b.png",
        "Labels/c": "deep/c.png",
    }
    with pytest.raises(InputError, match=r"are called b; lay predictions out like the labels, .*one/b\.png"):
        by_path(tmp_path, found, ["one/b", "two/b"])
    with pytest.raises(InputError, match="are called b"):
        by_path(tmp_path, files(tmp_path, "more/b.png"), ["one/b"])


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(MissingError, match="there is no such folder; it should hold maps"):
        map_files(tmp_path / "b", "maps")
    with pytest.raises(InputError, match="is a file; it should be a folder of maps"):
        map_files(tmp_path / "a", "maps")


def test_work_comes_back_in_order_and_a_few_at_a_time() -> None:
    open_, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal open_, most
        with lock:
            open_ += 1
            most = max(most, open_)
        time.sleep(0.001 * (number % 3))
        with lock:
            open_ -= 1
        return number

    taken = []

    def jobs():
        for number in range(40):
            taken.append(number)
            yield number

    results = in_order(work, jobs(), threads=3)
    assert [next(results) for _ in range(5)] == list(range(5))
    assert len(taken) <= 5 + 4  # what waits to be taken is bounded: memory stays flat
    assert list(results) == list(range(5, 40)) and most <= 3


def test_the_first_error_in_order_is_raised() -> None:
    later = threading.Event()

    def work(number: int) -> int:
        if number == 3:
            assert later.wait(600)  # the fourth has failed by then
        if number == 4:
            later.set()
        if number in (3, 4):
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="3"):
        list(in_order(work, range(100), threads=4))
