"""The rows of the catalog as JSON: the same as those of the YAML files, and never older than they are."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from hrbench import catalog
from hrbench.catalog import FOLDER, compiled
from hrbench.errors import InputError, UsageError

YAML = "models: {b: {use: u, task: t, input: [1, 2]}, a: {use: u, task: t, input: [1, 2], args: {x: [1, 2.0, null]}}}"


def load(folder: Path) -> compiled.Catalog:
    return compiled.load(folder, lambda: compiled.Catalog(*catalog.read(sorted(folder.glob("*.yaml")))))


def unread() -> compiled.Catalog:
    raise AssertionError("the YAML files were read")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.yaml").write_text(YAML)
    return tmp_path


def test_what_ships_is_what_the_yaml_files_hold():
    """If this fails, `hrbench models` writes the file anew: commit it."""
    shipped = json.loads((FOLDER / compiled.FILE).read_text(encoding="utf-8"))
    assert shipped["digest"] == compiled.digest(FOLDER)
    models, sets = catalog.read(sorted(FOLDER.glob("*.yaml")))
    found = compiled.load(FOLDER, unread)
    assert (found.models, found.datasets) == (models, sets)
    assert list(found.models) == sorted(models, key=lambda name: models[name].miniature)
    assert list(found.datasets) == sorted(sets, key=lambda name: sets[name].miniature)
    assert all(repr(row) == repr(models[name]) for name, row in found.models.items())
    assert all(repr(row) == repr(sets[name]) for name, row in found.datasets.items())
    assert (catalog.variants(), catalog.datasets()) == (models, sets)


def test_rows_are_written_once_and_then_read_from_the_file(folder: Path):
    first = load(folder)
    assert list(first.models) == ["b", "a"] and first.models["a"].args == {"x": [1, 2.0, None]}
    again = compiled.load(folder, unread)
    assert repr(again) == repr(first) and not list(folder.glob(".*"))


@pytest.mark.parametrize("change", ["edited", "added", "renamed", "removed"])
def test_another_source_makes_it_anew(folder: Path, change: str):
    (folder / "two.yaml").write_text("models: {c: {use: u, task: t, input: [1, 2]}}")
    load(folder)
    two = folder / "two.yaml"
    match change:
        case "edited":
            two.write_text(two.read_text().replace("[1, 2]", "[1, 3]"))
        case "added":
            (folder / "three.yaml").write_text("models: {d: {use: u, task: t, input: [1, 2]}}")
        case "renamed":
            two.rename(folder / "a.yaml")
        case "removed":
            two.unlink()
    found, expected = load(folder), catalog.read(sorted(folder.glob("*.yaml")))
    assert (found.models, list(found.models)) == (expected[0], list(expected[0]))
    assert compiled.load(folder, unread) == found


def test_a_row_with_another_field_makes_it_anew(folder: Path, monkeypatch: pytest.MonkeyPatch):
    before = compiled.digest(folder)
    monkeypatch.setattr(compiled, "fields", lambda kind: fields(kind)[:-1])
    assert compiled.digest(folder) != before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"digest": 1}', b"\xff\xfe"])
def test_a_damaged_file_is_not_used(folder: Path, content: bytes):
    expected = load(folder)
    (folder / compiled.FILE).write_bytes(content)
    assert load(folder) == expected and compiled.load(folder, unread) == expected


def test_a_folder_that_cannot_be_written_has_its_rows_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object) -> None:
        raise UsageError("the folder cannot be written")

    monkeypatch.setattr(compiled, "write_whole", refused)
    assert list(load(folder).models) == ["b", "a"] and not (folder / compiled.FILE).exists()


def test_a_faulty_source_is_an_error_whatever_was_compiled_before(folder: Path):
    load(folder)
    (folder / "one.yaml").write_text(YAML.replace("use: u, task: t", "usse: u, task: t", 1))
    with pytest.raises(InputError, match=r"one.yaml:1: b: unknown field 'usse'"):
        load(folder)


def test_an_installed_copy_needs_no_parser(tmp_path: Path):
    for path in FOLDER.glob("*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    assert compiled.load(tmp_path, unread).models == catalog.variants()
