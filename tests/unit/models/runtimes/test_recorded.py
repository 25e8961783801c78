"""CUDA graphs with a stand-in for CUDA: what is recorded, replayed and copied."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hrbench.contracts import HasParameters
from hrbench.errors import UnavailableError
from hrbench.models.runtimes.cuda_graph import CudaGraph
from hrbench.models.runtimes.recorded import WARM_UP, Recorded


class FakeGraph:
    """Keeps what is computed while it is recorded, and computes it again from the same tensors."""

    recording: FakeGraph | None = None
    replays = 0

    def __init__(self) -> None:
        self.steps: list[tuple[torch.Tensor, torch.Tensor]] = []

    def replay(self) -> None:
        FakeGraph.replays += 1
        for given, made in self.steps:
            made.copy_(given * 2)


class Doubled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        made = images * 2
        if FakeGraph.recording is not None:
            FakeGraph.recording.steps.append((images, made))
        return {"out": made, "label": "x"}


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def graph(recorded: FakeGraph):
        FakeGraph.recording = recorded
        yield
        FakeGraph.recording = None

    stream = SimpleNamespace(wait_stream=lambda other: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda other: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", graph)


def test_a_shape_is_recorded_once_and_then_replayed(fake_cuda: None):
    net = Doubled()
    recorded, before = Recorded(net), FakeGraph.replays
    first, second = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    one, two = recorded(first), recorded(second)
    assert net.calls == WARM_UP + 1 and FakeGraph.replays - before == 2
    assert torch.equal(two["out"], second * 2) and two["label"] == "x"
    assert torch.equal(one["out"], first * 2)  # the second call did not change what the first returned
    recorded(torch.randn(1, 3, 4, 4))
    assert net.calls == 2 * (WARM_UP + 1) and len(recorded.recordings) == 2


def test_orders_of_memory_have_recordings_of_their_own(fake_cuda: None):
    recorded = Recorded(Doubled())
    images = torch.randn(2, 3, 4, 4)
    recorded(images)
    recorded(images.contiguous(memory_format=torch.channels_last))
    assert len(recorded.recordings) == 2


def test_a_cpu_and_a_detector_have_none():
    with pytest.raises(UnavailableError, match="needs an NVIDIA GPU"):
        CudaGraph().prepare(Doubled(), torch.zeros(1, 3, 4, 4))
    with pytest.raises(UnavailableError, match="depends on what it finds"):
        CudaGraph().prepare(Doubled(), [torch.zeros(3, 4, 4)])
    assert isinstance(Recorded(Doubled()), HasParameters)
