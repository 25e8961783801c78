"""What several tests need: golden records, the official way to draw weights, and real images if there are any.

Also what holds for all: which examples hypothesis draws, and which tests wait to be asked for.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import both_ways
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# Some containers forbid bytecode: every one of the hundreds of processes would compile all of torch's modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# It would decide over OMP_NUM_THREADS, which is what tests set.
os.environ.pop("MKL_NUM_THREADS", None)

# Several test processes share the cores: each computes on one, told before anything imports torch.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A property is tried with the same examples at every run, so that nothing fails by chance. `thorough` draws others each
# time, and many more. Neither looks at the clock: `deadline` and `too_slow` would fail on a busy machine.
CLOCKLESS: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    # The folder of a test is the same for all its examples; each writes its files anew.
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
EXAMPLES = 30
TIMES = 10
settings.register_profile("ci", derandomize=True, database=None, max_examples=EXAMPLES, **CLOCKLESS)
settings.register_profile("thorough", derandomize=False, max_examples=TIMES * 100, **CLOCKLESS)
settings.load_profile("ci")
# Recent releases of hypothesis also try the literals of all modules that are imported by then, so that what a test
# tries would depend on the tests that ran before it.
if hasattr(providers, "_get_local_constants"):
    providers._get_local_constants = providers.Constants

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


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """ "compiled" or "numpy", which hrbench then computes with; see tests/helpers/both_ways.py."""
    return both_ways.take(request.param, monkeypatch)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing that is collected is let go of before the end: Python does not look for it meanwhile, nor ever again.

    Each look through all of torch and ten thousand tests takes half a second, in a worker as in what it forks.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(700, 10, 50)
        gc.enable()


def pytest_unconfigure() -> None:
    """At the end all of it is let go of as ever: libraries say what is left."""
    gc.unfreeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the exhaustive tests unless `-m` names them, and multiplies examples under the profile `thorough`."""
    if "exhaustive" not in config.option.markexpr:
        waiting = [item for item in items if "exhaustive" in item.keywords]
        items[:] = [item for item in items if "exhaustive" not in item.keywords]
        config.hook.pytest_deselected(items=waiting)
    if not settings.default.derandomize:
        # `@settings(max_examples=...)` overrides the profile; the attribute is how hypothesis keeps it.
        functions = {getattr(item, "function", None) for item in items}
        for function in functions:
            own = getattr(function, "_hypothesis_internal_use_settings", None)
            if own is not None:
                function._hypothesis_internal_use_settings = settings(own, max_examples=TIMES * own.max_examples)
