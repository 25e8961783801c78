"""Every built-in plug-in has what its contract asks for, and no member that is nearly an optional one."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import torch
from task_cases import case_of

from hrbench import catalog, contracts
from hrbench.core import plugins
from hrbench.cost.quantities import known_quantities
from hrbench.errors import UnavailableError
from hrbench.runner.conformance import check_contract
from hrbench.types import TASKS, Conditions, Variant

DATASETS = {row.use: row for row in catalog.datasets().values()}
CAPABILITIES = [(group, kind) for group, kinds in contracts.OPTIONAL.items() for kind in kinds]


@pytest.mark.parametrize("use", DATASETS)
def test_data_sets(use: str, tmp_path):
    dataset = plugins.resolve("hrbench.datasets", use)(tmp_path, **DATASETS[use].args)
    assert check_contract("hrbench.datasets", use, dataset) == []


@pytest.mark.parametrize("name", plugins.names("hrbench.tasks"))
def test_tasks(name: str, tmp_path, few_images):
    task = case_of(name, tmp_path).task
    assert isinstance(task, contracts.Task) and check_contract("hrbench.tasks", name, task) == []


@pytest.mark.parametrize("name", plugins.names("hrbench.metrics"))
def test_metrics(name: str):
    metric = plugins.resolve("hrbench.metrics", name)()
    assert isinstance(metric, contracts.Metric) and check_contract("hrbench.metrics", name, metric) == []


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
        assert check_contract(group, "all", plugin) == []


@pytest.mark.parametrize("name", plugins.names("hrbench.costs"))
def test_cost_probes(name: str):
    probe = plugins.resolve("hrbench.costs", name)()
    assert isinstance(probe, contracts.CostProbe) and check_contract("hrbench.costs", name, probe) == []
    assert probe.name == name and set(probe.depends) <= {"device", "driver", "torch", "threads"}
    options = probe.Options()
    if getattr(options, "dtype", None) == ():  # a run gives the entry's
        options = dataclasses.replace(options, dtype=("float32",))
    assert dataclasses.is_dataclass(options) and options.__dataclass_params__.frozen
    assert probe.cells(options) and all(isinstance(cell, Conditions) for cell in probe.cells(options))
    if isinstance(probe, contracts.FedImages):
        variants = [Variant("any", "any", task, (8, 8)) for task in TASKS]
        assert {probe.fed_images(variant, options) for variant in variants} <= {"never", "if there", "always"}
    for quantity in probe.quantities:
        assert quantity.label and quantity.description and quantity.heading


def test_quantities_of_costs_have_names_of_their_own():
    every = [
        one.name for name in plugins.names("hrbench.costs") for one in plugins.resolve("hrbench.costs", name).quantities
    ]
    assert sorted(every) == sorted(set(every)) == sorted(known_quantities())


@pytest.mark.parametrize("name", plugins.names("hrbench.runtimes"))
def test_runtimes_change_no_output(name: str):
    runtime = plugins.resolve("hrbench.runtimes", name)()
    assert isinstance(runtime, contracts.Runtime) and check_contract("hrbench.runtimes", name, runtime) == []
    assert runtime.name == name
    dtype = torch.float32 if name == "onnxruntime" else torch.float64  # it has no convolution of float64
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Dropout()).to(dtype).eval()
    image = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    if name == "cuda-graph" and not torch.cuda.is_available():
        with pytest.raises(UnavailableError, match="needs an NVIDIA GPU"):
            runtime.prepare(net, image)
        return
    with torch.inference_mode():
        expected = net(image)
    net.train()
    prepared = runtime.prepare(net, image)
    assert isinstance(prepared, contracts.HasParameters)
    assert {value.dtype for value in prepared.parameters()} == {dtype}
    with torch.inference_mode():
        for size in (5, 2, 1):  # batches of other sizes
            torch.testing.assert_close(prepared(image[:size]), expected[:size])


def test_runtimes_are_read_without_torch():
    """A suite is validated by what they take."""
    code = (
        "import sys; from hrbench.core import plugins\n"
        "for name in plugins.names('hrbench.runtimes'): plugins.resolve('hrbench.runtimes', name)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_probes_are_read_without_torch():
    """A suite is validated by their options."""
    code = (
        "import sys; from hrbench.core import plugins\n"
        "for name in plugins.names('hrbench.costs'): plugins.resolve('hrbench.costs', name)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
