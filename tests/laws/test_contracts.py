"""Every built-in plug-in has what its contract asks for, and no member that is nearly an optional one."""

from __future__ import annotations

import pytest
from task_cases import case_of

from hrbench import catalog, contracts
from hrbench.core import plugins
from hrbench.runner.conformance import held_to_contract

DATASETS = {row.use: row for row in catalog.datasets().values()}
CAPABILITIES = [(group, kind) for group, kinds in contracts.OPTIONAL.items() for kind in kinds]


@pytest.mark.parametrize("use", DATASETS)
def test_data_sets(use: str, tmp_path):
    dataset = plugins.resolve("hrbench.datasets", use)(tmp_path, **DATASETS[use].args)
    assert held_to_contract("hrbench.datasets", use, dataset) == []


@pytest.mark.parametrize("name", plugins.names("hrbench.tasks"))
def test_tasks(name: str, tmp_path):
    task = case_of(name, tmp_path).task
    assert isinstance(task, contracts.Task) and held_to_contract("hrbench.tasks", name, task) == []


@pytest.mark.parametrize("name", plugins.names("hrbench.metrics"))
def test_metrics(name: str):
    metric = plugins.resolve("hrbench.metrics", name)()
    assert isinstance(metric, contracts.Metric) and held_to_contract("hrbench.metrics", name, metric) == []


@pytest.mark.parametrize(("group", "kind"), CAPABILITIES)
def test_a_capability_has_members_and_says_what_they_are(group: str, kind: type):
    assert contracts.members(kind) and kind.__doc__
    assert getattr(kind, "_is_runtime_protocol", False), "isinstance must work on it"


def test_members_of_a_group_do_not_resemble_one_another():
    """Else a right one would be taken for another that is misspelt."""
    for group, kinds in contracts.OPTIONAL.items():
        required = contracts.members(contracts.REQUIRED[group]) if group in contracts.REQUIRED else ()
        names = {*required, *(name for kind in kinds for name in contracts.members(kind))}
        plugin = type("All", (), dict.fromkeys(names, 1))()
        assert held_to_contract(group, "all", plugin) == []
