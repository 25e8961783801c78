"""Which way runs: the compiled helper, or NumPy with the reason."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from both_ways import both_ways, take

from hrbench.core.environment import environment
from hrbench.core.native import loader, sources
from hrbench.core.native.loader import Helper, described, helper, library

ROOT = Path(__file__).parents[4]


def loaded_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Helper:
    monkeypatch.setattr(loader, "folders", lambda: [folder])
    return loader._loaded.__wrapped__()


@both_ways
def test_the_way_is_recorded(way):
    assert (library() is None) is (way == "numpy")
    assert environment()["compiled helper"] == described()
    assert described() == ("used" if way == "compiled" else "not used: HRBENCH_COMPILED is 0")


def test_nothing_built(tmp_path, monkeypatch):
    assert loaded_from(tmp_path, monkeypatch) == Helper(None, loader.NO_LIBRARY)


def test_a_failed_build_says_why(tmp_path, monkeypatch):
    (tmp_path / sources.NOT_BUILT).write_text("no C compiler was found when hrbench was installed\n")
    assert "no C compiler was found" in loaded_from(tmp_path, monkeypatch).reason


def test_a_damaged_library_is_not_used(tmp_path, monkeypatch):
    (tmp_path / sources.LIBRARY).write_bytes(b"\x7fELF and no more")
    found = loaded_from(tmp_path, monkeypatch)
    assert found.library is None and "cannot be loaded" in found.reason and sources.LIBRARY in found.reason


def test_a_library_of_other_sources_is_not_used(tmp_path, monkeypatch):
    take("compiled", monkeypatch)
    loaded = helper().library
    assert loaded is not None
    built = Path(loaded._name)
    shutil.copy(built, tmp_path / sources.LIBRARY)
    assert loaded_from(tmp_path, monkeypatch).library is not None
    monkeypatch.setattr(loader, "digest", lambda: "0" * 64)
    assert "other sources" in loaded_from(tmp_path, monkeypatch).reason


def test_a_digest_of_every_name_and_byte(tmp_path):
    (tmp_path / "a.c").write_bytes(b"int a;\n")
    (tmp_path / "notes.txt").write_text("no source")
    first = sources.digest(tmp_path)
    (tmp_path / "a.c").write_bytes(b"int a;\r\n")
    assert sources.digest(tmp_path) == first  # as another system's checkout writes the line
    (tmp_path / "a.c").write_bytes(b"int b;\n")
    second = sources.digest(tmp_path)
    (tmp_path / "a.c").rename(tmp_path / "b.c")
    assert len({first, second, sources.digest(tmp_path)}) == 3


def test_the_library_is_loaded_by_no_import():
    """A command that judges nothing pays nothing for it."""
    code = "import hrbench.core.native.calls, hrbench.core.native.loader as l; print(l._loaded.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "0"
