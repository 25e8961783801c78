"""Costs on a real GPU: run by hand where there is one (`run.sh`). Elsewhere everything here is skipped.

The same code is tested everywhere with a fake clock, a fake NVML and a fake CUDA (tests/unit/cost, tests/unit/models).
What is asserted of times are relations that hold on any GPU, with a wide margin.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hrbench import catalog
from hrbench.cost.energy.counters import nvml_counter
from hrbench.cost.energy.measure import measure_energy
from hrbench.cost.forward import device_name
from hrbench.cost.latency.clocks import gpu_uuid
from hrbench.cost.latency.measure import measure_latency
from hrbench.cost.memory import GpuMemory
from hrbench.cost.throughput.measure import measure_throughput
from hrbench.models.build import build
from hrbench.models.runtimes.configured import in_force
from hrbench.runner.device import runtime
from hrbench.types import Conditions, Measurement, Reason, RuntimeSettings

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")

LARGE, SMALL = (16, 3, 512, 512), (1, 3, 64, 64)


def layers(width: int, depth: int) -> nn.Module:
    torch.manual_seed(0)
    convs = [nn.Conv2d(3 if number == 0 else width, width, 3, padding=1) for number in range(depth)]
    return nn.Sequential(*convs).eval()


def latency(net: nn.Module, shape: tuple[int, int, int, int], settings: RuntimeSettings | None = None, **more: Any):
    with in_force(settings or RuntimeSettings()):
        made = runtime(settings)
        return measure_latency(net, shape, device="cuda", runtime=made, budget=more.pop("budget", 4.0), **more)


def valued(one: Measurement) -> tuple[float, Conditions]:
    assert one.value is not None, one.reason
    return one.value, one.conditions


def test_events_agree_with_wall_time_where_the_device_is_the_limit():
    value, under = valued(latency(layers(256, 8), LARGE))
    assert under.device_time is not None and 0.8 * value < under.device_time <= 1.02 * value
    assert under.launch_share is not None and under.launch_share < 0.5


def test_a_small_network_is_bound_by_launching():
    _, under = valued(latency(layers(8, 64), SMALL))
    assert under.launch_share is not None and under.launch_share > 0.5


def test_what_is_seen_of_the_gpu():
    _, under = valued(latency(layers(256, 8), LARGE))
    assert under.stability in ("stable", "unstable") and under.device == device_name("cuda")
    for name in ("sm_clock", "memory_clock", "power", "temperature"):
        assert under.seen[name] > 0
    assert under.seen["sampler"] < 0.02


def test_a_cuda_graph_computes_the_same_and_launches_less():
    variant = catalog.variants()["cls_hrnet_miniature_imagenet"]
    torch.manual_seed(0)
    net = build(variant).cuda().eval()
    image = torch.randn(4, 3, *variant.input, device="cuda")
    with torch.inference_mode():
        expected = net(image)
        call = runtime(RuntimeSettings("cuda-graph")).prepare(net, image)
        for part in (image, image.flip(0), image[:1], image):
            torch.testing.assert_close(call(part), net(part), rtol=1e-4, atol=1e-4)
        first = call(image)
        call(image.flip(0))
        torch.testing.assert_close(first, expected, rtol=1e-4, atol=1e-4)  # a later call did not change it
    shape = (1, 3, *variant.input)
    eager, graph = (valued(latency(build(variant), shape, RuntimeSettings(name))) for name in ("eager", "cuda-graph"))
    assert graph[0] < eager[0] and graph[1].runtime == "cuda-graph"


@pytest.mark.parametrize(
    ("setting", "named", "exact"),
    [(None, "convolutions", False), (True, "convolutions and matrix products", False), (False, "", True)],
)
def test_tf32_is_named_and_has_its_error(setting: bool | None, named: str, exact: bool):
    if torch.cuda.get_device_capability()[0] < 8:
        pytest.skip("this GPU has no TF32")
    settings = RuntimeSettings(tf32=setting)
    assert valued(latency(layers(64, 2), (1, 3, 128, 128), settings))[1].tf32 == named
    net, image = layers(256, 4), torch.randn(1, 3, 64, 64)
    with torch.inference_mode(), in_force(settings):
        expected = net.double()(image.double())
        found = runtime(settings).prepare(net.float(), image.cuda())(image.cuda())
    error = ((found.double().cpu() - expected).abs().max() / expected.abs().max()).item()
    assert (error < 1e-5) is exact


def test_memory_is_torchs_own():
    meter = GpuMemory(torch.device("cuda"))
    kept = torch.zeros(1 << 20, device="cuda")
    meter.begin()
    held = torch.zeros(1 << 24, device="cuda")
    meter.reset()
    more = torch.zeros(1 << 25, device="cuda")
    del more
    found = {one.name: value for one, value in dict(meter.peaks()).items()}
    assert sorted(found.values())[0] == 4 * ((1 << 24) + (1 << 25))
    assert max(found.values()) == torch.cuda.max_memory_reserved() and kept.numel() and held.numel()


def test_out_of_memory_is_a_reason_and_the_next_cell_is_measured():
    total = torch.cuda.get_device_properties(0).total_memory
    batch = total // (64 * 512 * 512 * 4) + 1
    one = latency(layers(64, 2), (batch, 3, 512, 512))
    assert one.value is None and "out of memory" in str(one.reason)
    valued(latency(layers(64, 2), SMALL))


def test_throughput_finds_a_knee():
    one = measure_throughput(layers(32, 4), (64, 64), runtime=runtime(), device="cuda", budget=1.0, largest=512)
    value, under = valued(one)
    rates = [each.rate for each in under.curve]
    assert value == pytest.approx(max(rates), rel=0.1) and under.knee and under.knee > 1


def test_energy_is_that_of_nvmls_counter():
    counter = nvml_counter(gpu_uuid("cuda"))
    if isinstance(counter, Reason):
        pytest.skip(str(counter))
    net, shape = layers(256, 4), (8, 3, 256, 256)
    one = measure_energy(net, shape, counter=counter, runtime=runtime(), device="cuda", seconds=10.0, windows=3)
    value, under = valued(one)
    assert value > 0 and under.power and under.idle_power and under.power > under.idle_power
    assert under.power == pytest.approx(under.seen["power"], rel=0.25)  # as NVML reads it
