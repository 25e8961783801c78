"""Wheels with the compiled helper and without, as they are built from the checkout and from the source archive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hrbench.core.native.sources import LIBRARY, NOT_BUILT, SOURCES, sources

ROOT = Path(__file__).parents[2]
FOLDER = "hrbench/core/native"

pytest.importorskip("hatchling", reason="hatchling builds the wheel: it is in the dev group")

needs_compiler = pytest.mark.skipif(
    not os.environ.get("CI") and not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler"
)


def built(kind: str, folder: Path, root: Path = ROOT, **variables: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


def told(wheel: Path, folder: Path, **variables: str) -> str:
    """Which way an installed wheel runs, by its own word."""
    site = folder / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = "from hrbench.core.native.loader import described; print(described())"
    environment = {**os.environ, "PYTHONPATH": str(site), "HRBENCH_COMPILED": "1", **variables}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_compiler
def test_a_wheel_of_the_source_archive_has_the_library(tmp_path):
    archive = built("sdist", tmp_path / "sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    root = next((tmp_path / "unpacked").iterdir())
    assert {path.name for path in sources(root / FOLDER)} == {path.name for path in sources()}
    assert not [path for path in root.rglob("*") if path.suffix in (".so", ".dylib", ".dll")]
    wheel = built("wheel", tmp_path / "wheel", root)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert f"{FOLDER}/{LIBRARY}" in names and f"{FOLDER}/{NOT_BUILT}" not in names
    # no version of Python in the name: the library has nothing of Python
    assert "-py3-none-" in wheel.name and "-any" not in wheel.name
    assert told(wheel, tmp_path) == "used"
    assert told(wheel, tmp_path, HRBENCH_COMPILED="0") == "not used: HRBENCH_COMPILED is 0"


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [("no-such-compiler", "no C compiler was found"), ("false", "the C compiler false failed (exit status 1)")],
)
def test_without_a_working_compiler_the_wheel_is_pure(tmp_path, compiler, reason):
    wheel = built("wheel", tmp_path / "wheel", CC=compiler)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert wheel.name.endswith("-py3-none-any.whl")
    assert f"{FOLDER}/{LIBRARY}" not in names and f"{FOLDER}/{NOT_BUILT}" in names
    assert reason in told(wheel, tmp_path)


@needs_compiler
def test_sources_that_do_not_compile_are_told_with_what_the_compiler_says(tmp_path):
    shutil.copytree(ROOT, tmp_path / "copy", ignore=shutil.ignore_patterns(".*", "tests", "runs", "__pycache__"))
    (tmp_path / "copy" / FOLDER / "broken.c").write_text("int broken(void) { return nothing_of_this_name; }\n")
    wheel = built("wheel", tmp_path / "wheel", tmp_path / "copy")
    assert wheel.name.endswith("-py3-none-any.whl")
    said = told(wheel, tmp_path)
    assert "failed" in said and "nothing_of_this_name" in said and "\n" not in said


def test_no_library_lies_among_the_sources():
    """An editable install keeps it beside the installed packages: a checkout may be installed in several places."""
    assert not [path.name for path in SOURCES.iterdir() if path.name in (LIBRARY, NOT_BUILT)]
