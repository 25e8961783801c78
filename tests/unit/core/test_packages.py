"""Versions that are recorded are those that ran, whatever package a module came with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hrbench.core.packages import packages

LOOK = """
import importlib, json, sys
sys.path[:0] = sys.argv[1:2]
for name in sys.argv[2:]:
    importlib.import_module(name)
from hrbench.core.environment import environment
made = environment()
print(json.dumps([made["packages"], made.get("unmet", []), [each for each in ("cv2", "torch") if each in sys.modules]]))
"""


def install(folder: Path, module: str, version: str, package: str = "", package_version: str = "") -> None:
    """A module of that version, and the record of a package that brought it."""
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text(f"__version__ = {version!r}\n" if version else "")
    if package:
        about = folder / f"{package.replace('-', '_')}-{package_version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {package_version}\n")
        (about / "RECORD").write_text(f"{module}/__init__.py,,\n{about.name}/METADATA,,\n")
        (about / "top_level.txt").write_text(f"{module}\n")


def look(folder: Path, *modules: str) -> tuple[dict[str, str], list[str], list[str]]:
    """What a process records that has imported the modules, those in `folder` before any others."""
    command = [sys.executable, "-c", LOOK, str(folder), *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env={**os.environ})
    found: Any = json.loads(done.stdout)
    return found[0], found[1], found[2]


def test_nothing_is_imported_for_it_and_installed_packages_are_as_their_records_say(tmp_path: Path):
    found, unmet, loaded = look(tmp_path)
    assert found == packages() and unmet == [] and loaded == []


def test_modules_that_fit_their_packages_stand_by_the_version_of_the_package(tmp_path: Path):
    install(tmp_path, "cv2", "4.10.0", "opencv-python-headless", "4.10.0.84")
    install(tmp_path, "torchvision", "0.21.0+cpu", "torchvision", "0.21.0")
    install(tmp_path, "pycocotools", "")
    found, unmet, _ = look(tmp_path, "cv2", "torchvision", "pycocotools")
    assert (found["opencv-python-headless"], found["torchvision"]) == ("4.10.0.84", "0.21.0") and unmet == []
    assert found["pycocotools"] == packages()["pycocotools"]


@pytest.mark.parametrize(
    ("module", "package", "version", "package_version", "name", "pin"),
    [
        ("cv2", "opencv-python", "5.0.0", "5.0.0.93", "opencv-python-headless", "<5,>=4.8.0.76"),
        ("cv2", "opencv-contrib-python", "3.4.18", "3.4.18.65", "opencv-python-headless", "<5,>=4.8.0.76"),
        ("PIL", "pillow-simd", "9.5.0.post2", "9.5.0.post2", "pillow", ">=10.4"),
        ("scipy", "scipy-fork", "1.2.0", "1.2.0", "scipy", ">=1.14.1"),
    ],
)
def test_a_module_that_another_package_replaced(
    tmp_path: Path, module: str, package: str, version: str, package_version: str, name: str, pin: str
):
    install(tmp_path, module, version, package, package_version)
    found, unmet, _ = look(tmp_path, module)
    there = packages()[name]
    assert found[name] == f"{version} ({package} {package_version}), where {there} is installed"
    assert len(unmet) == 1 and f"{module} {version} ({package} {package_version}) was used" in unmet[0]
    assert f"hrbench needs {name}{pin}" in unmet[0]


def test_another_package_that_the_pin_allows_is_recorded_without_a_complaint(tmp_path: Path):
    install(tmp_path, "cv2", "4.9.0", "opencv-python", "4.9.0.80")
    found, unmet, _ = look(tmp_path, "cv2")
    assert found["opencv-python-headless"].startswith("4.9.0 (opencv-python 4.9.0.80), where ") and unmet == []


def test_a_module_of_no_package_and_one_that_was_overwritten(tmp_path: Path):
    install(tmp_path / "a", "cv2", "5.1.0-dev")
    found, unmet, _ = look(tmp_path / "a", "cv2")
    assert found["opencv-python-headless"].startswith("5.1.0-dev (of no installed package), where ")
    assert len(unmet) == 1 and "5.1.0-dev" in unmet[0]
    install(tmp_path / "b", "cv2", "5.0.0", "opencv-python-headless", "4.10.0.84")
    found, unmet, _ = look(tmp_path / "b", "cv2")
    text = "5.0.0 (in a file of opencv-python-headless 4.10.0.84)"
    assert found["opencv-python-headless"] == f"{text}, where 4.10.0.84 is installed" and text in unmet[0]


def test_an_installed_version_that_is_too_old_is_told(tmp_path: Path):
    install(tmp_path, "cv2", "4.5.1", "opencv-python-headless", "4.5.1.48")
    found, unmet, _ = look(tmp_path, "cv2")
    assert found["opencv-python-headless"] == "4.5.1.48" and "cv2 4.5.1.48 was used" in unmet[0]
