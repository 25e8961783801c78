"""Options of the plug-in of pytest, and what they name. Nothing heavy is imported before a suite asks for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hrbench.judge.evidence import Options
    from hrbench.judge.sides import Side
    from hrbench.runner.settings import Settings
    from hrbench.types import Policy


def add_options(parser: pytest.Parser) -> None:
    """Registers them with pytest."""
    group = parser.getgroup("hrbench", "suites of hrbench (pytest SUITE.yaml)")
    add = group.addoption
    add("--hrbench-against", metavar="BASELINE", default="", help="judge every entry against a baseline or run folder")
    add("--hrbench-policy", metavar="FILE", default="", help="a policy; by default `gate:` of the suite")
    add("--hrbench-slices", metavar="FILE", default="", help="a CSV file of image and slice: each number on each slice")
    add("--hrbench-strict", action="store_true", help="missing data or weights, and what cannot be told, are failures")
    add("--hrbench-out", metavar="DIR", default="", help="run folder (runs/SUITE)")
    add("--hrbench-baselines", metavar="DIR", default="", help="folder of baselines (reports/baselines)")
    add("--hrbench-data", metavar="DIR", default="", help="folder of data sets (data/)")
    add("--hrbench-weights", metavar="DIR", default="", help="folder of weights (weights/)")
    add("--hrbench-device", metavar="D", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    add("--hrbench-set", metavar="KEY=VALUE", action="append", default=[], help="set a value in every entry")
    add("--hrbench-limit", metavar="N", type=int, default=None, help="evaluate N images only, spread over the set")


def _baselines(config: pytest.Config) -> Path:
    from hrbench.judge.baseline import FOLDER

    return Path(config.option.hrbench_baselines or os.environ.get("HRBENCH_BASELINES", FOLDER))


def before(config: pytest.Config) -> Side:
    """The side that entries are judged against. Raises pytest.UsageError if it cannot be read or trusted."""
    from hrbench.errors import HrbenchError
    from hrbench.judge.gate import check_baseline
    from hrbench.judge.sides import read_side

    try:
        side = read_side(config.option.hrbench_against, _baselines(config))
        check_baseline(side)
    except HrbenchError as error:
        raise pytest.UsageError(f"--hrbench-against: {error}") from None
    return side


def policy(config: pytest.Config, suite: Path) -> Policy:
    """The policy of a suite. Raises pytest.UsageError if it cannot be read."""
    from hrbench.errors import HrbenchError
    from hrbench.suite.gate import read_policy, suite_policy
    from hrbench.types import Policy

    try:
        if config.option.hrbench_policy:
            return read_policy(Path(config.option.hrbench_policy))
        return suite_policy(suite) or Policy()
    except HrbenchError as error:
        raise pytest.UsageError(str(error)) from None


def settings(config: pytest.Config) -> Settings:
    """Where data and weights lie, and what to run on."""
    from hrbench.core.remote.mirror import local_folder
    from hrbench.runner.settings import Settings

    option = config.option
    return Settings(
        data=local_folder(option.hrbench_data or os.environ.get("HRBENCH_DATA", "data")),
        weights=local_folder(option.hrbench_weights or os.environ.get("HRBENCH_WEIGHTS", "weights")),
        device=option.hrbench_device,
    )


def judging(config: pytest.Config) -> Options:
    """How entries are compared: on which slices."""
    from hrbench.judge.evidence import Options
    from hrbench.judge.slices import read_slices

    slices = config.option.hrbench_slices
    return Options(slices=read_slices(Path(slices))) if slices else Options()
