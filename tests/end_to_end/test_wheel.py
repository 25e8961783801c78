"""The wheel: complete, and working from outside the checkout with nothing of it in reach."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hrbench.version import __version__

ROOT = Path(__file__).parents[2]
LIMIT = 11_000_000  # bytes, of which the miniature weights may take ten million

pytest.importorskip("hatchling", reason="hatchling builds the wheel: it is in the dev group")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built by its own backend without an index."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site folder holding the wheel's files, as an installer would leave them."""
    site = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def outside(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with the installed copy ahead of the checkout, started in `folder`."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("HRBENCH_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=surroundings | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: str, *patterns: str) -> set[str]:
    """Files of the checkout below `folder`, relative to it."""
    base = ROOT / folder
    return {path.relative_to(base).as_posix() for pattern in patterns for path in base.rglob(pattern)}


def test_all_of_the_package_is_in_it(names: set[str]):
    parts = files("hrbench", "*.py", "*.yaml", "*.j2", "*.css", "*.js", "*.safetensors")
    assert {
        "cli/command_line.py",
        "catalog/pose.yaml",
        "report/templates/report.css",
        "report/templates/report.js",
    } <= parts
    assert not {f"hrbench/{part}" for part in parts} - names


@pytest.mark.parametrize(
    ("folder", "some"),
    [
        ("suites", {"pose.yaml", "miniature.yaml", "suite.schema.json"}),
        ("reports/published", {"pose.yaml"}),
        ("reports/tables", {"pose.yaml", "miniature.yaml"}),
    ],
)
def test_shared_files_are_in_it(names: set[str], folder: str, some: set[str]):
    shipped = files(folder, "*.yaml", "*.json")
    assert some <= shipped
    assert not {f"hrbench/share/{folder}/{name}" for name in shipped} - names


def test_miniature_weights_are_in_it(names: set[str]):
    """Every file that a miniature network of the catalog is without would be a row without accuracy."""
    catalog = (ROOT / "hrbench/catalog/miniature.yaml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"[\w./-]+\.safetensors", catalog))
    assert len(wanted) >= 2
    found = {Path(name).name for name in names if name.startswith("hrbench/miniature/weights/")}
    assert not {Path(name).name for name in wanted} - found


def test_miniature_weights_are_small(wheel: Path):
    infos = zipfile.ZipFile(wheel).infolist()
    assert 0 < sum(info.file_size for info in infos if info.filename.endswith(".safetensors")) < 10_000_000


def test_nothing_else_is_in_it(names: set[str], wheel: Path):
    strangers = {name for name in names if not name.startswith(("hrbench/", f"hrbench-{__version__}.dist-info/"))}
    assert not strangers
    assert not {name for name in names if "__pycache__" in name or name.endswith((".pyc", ".pth", ".log"))}
    assert wheel.stat().st_size < LIMIT


def test_what_it_says_of_itself(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    told = email.message_from_bytes(archive.read(f"hrbench-{__version__}.dist-info/METADATA"))
    assert (told["Name"], told["Version"], told["License-Expression"]) == ("hrbench", __version__, "Apache-2.0")
    assert {"timm", "onnx"} <= set(told.get_all("Provides-Extra", []))
    # Oldest releases are promised for every dependency; tests are no dependency of those who only measure.
    required = [line for line in told.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert all(">=" in line for line in required)
    assert not [line for line in required if line.startswith(("pytest", "hypothesis", "fvcore"))]
    assert f"hrbench-{__version__}.dist-info/licenses/LICENSE" in archive.namelist()


def test_it_finds_its_own_copies(installed: Path, tmp_path: Path):
    code = (
        "import hrbench; from hrbench.core.resources import shared; from importlib.metadata import distribution\n"
        "print(hrbench.__file__, *(shared(k) for k in ('suites', 'reports/published', 'reports/tables')))\n"
        "print(distribution('hrbench').locate_file(''))"
    )
    done = outside(installed, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    found = [Path(name).resolve() for name in done.stdout.split()]
    assert len(found) == 5
    assert all(path.is_relative_to(installed.resolve()) and path.exists() for path in found)


def test_commands_work_from_another_folder(installed: Path, tmp_path: Path):
    models = outside(installed, tmp_path, "-m", "hrbench", "models")
    assert models.returncode == 0, models.stderr
    assert "pose_hrnet_w32_coco_256x192" in models.stdout

    check = outside(installed, tmp_path, "-m", "hrbench", "check", "pose", "--only", "pose_resnet_50_coco*")
    assert check.returncode == 0, check.stderr
    assert str(installed / "hrbench" / "share" / "suites" / "pose.yaml") in check.stdout

    schema = outside(installed, tmp_path, "-m", "hrbench", "schema")
    assert schema.returncode == 0, schema.stderr
    assert json.loads(schema.stdout) == json.loads((ROOT / "suites" / "suite.schema.json").read_text(encoding="utf-8"))
