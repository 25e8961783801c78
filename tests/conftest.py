"""What several tests need: golden records, the official way to draw weights, and real images where there are any."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# Several test processes share the cores: each computes on one, told before anything imports torch.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def fill() -> ModuleType:
    """`fill.py`, which draws the weights and inputs that the golden records were made with."""
    spec = importlib.util.spec_from_file_location("golden_fill", GOLDEN / "fill.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The records themselves, one folder per family."""
    return GOLDEN / "data"


@pytest.fixture(scope="session")
def golden(golden_folder: Path):
    """Reads one record: `golden("pose/protocol/affine.json")`."""

    def read(name: str) -> Any:
        return json.loads((golden_folder / name).read_text())

    return read


@pytest.fixture(scope="session")
def realdata() -> Path:
    """A folder with `coco/` in the official layout holding some real images; skips where there is none."""
    folder = os.environ.get("HRBENCH_REALDATA", "")
    if not folder or not (Path(folder) / "coco").is_dir():
        pytest.skip("set HRBENCH_REALDATA to a folder with coco/ in the official layout to check on real images")
    return Path(folder)
