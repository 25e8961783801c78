"""`hrbench metrics NAME`: every metric has a page with its options and numbers."""

from __future__ import annotations

import inspect

import pytest

from hrbench.cli.command_line import main
from hrbench.cli.metric_page import metric_page
from hrbench.core import plugins
from hrbench.errors import UsageError


@pytest.mark.parametrize("name", plugins.names("hrbench.metrics"))
def test_each_metric_has_a_page(name: str) -> None:
    make = plugins.resolve("hrbench.metrics", name)
    page = metric_page(name)
    lines = page.splitlines()
    starts = {line.split()[0]: line for line in lines if line and not line.startswith(" ")}
    assert starts["metric"].split()[1] == f"{name}," and {"what", "ground", "predictions"} <= set(starts)
    for option in inspect.signature(make).parameters:
        told = len(starts[option].split()) > 3
        assert told or name not in ("pck", "nme"), f"{name} does not say what {option} is"
    assert all(f"\n{quantity.name} " in page for quantity in make().quantities)


def test_a_page_shows_an_example_and_defaults(capsys) -> None:
    assert main(["metrics", "pck"]) == 0
    text = capsys.readouterr().out
    assert '"keypoints": [x, y, v' in text and "0.05,0.2,0.5" in text and "pixels, lower is better" in text


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no metric is called 'pkc'; there are .*pck"):
        metric_page("pkc")
