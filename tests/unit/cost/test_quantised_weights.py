"""Quantised layers are counted by their packed weights: as many parameters and products as before quantisation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from hrbench.cost import memory
from hrbench.cost.operations.count import count_operations
from hrbench.cost.packed_weights import packed_objects, packed_tensors
from hrbench.cost.parameters import parameter_costs

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the module is to move to another package
    import torch.ao.quantization as quantization

pytestmark = [
    pytest.mark.skipif(not set(torch.backends.quantized.supported_engines) - {"none"}, reason="no quantised kernels"),
    pytest.mark.filterwarnings("ignore"),
]

IMAGE = (1, 3, 4, 4)


class Rows(nn.Module):
    """A recurrent layer or cell over the rows of an image."""

    def __init__(self, layer: nn.Module, cell: bool = False) -> None:
        super().__init__()
        self.layer, self.cell = layer, cell

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x[0, 0])[0] if self.cell else self.layer(x[0])[0]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def dynamic(build: Callable[[], nn.Module], dtype: torch.dtype) -> nn.Module:
    kinds = {nn.Linear, nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell}
    return quantization.quantize_dynamic(build().eval(), kinds, dtype=dtype)


def static() -> nn.Module:
    layers = (nn.Conv2d(3, 8, 3, groups=1), nn.ConvTranspose2d(8, 4, 3, groups=2), nn.Flatten(), nn.Linear(64, 4))
    net = nn.Sequential(quantization.QuantStub(), *layers, quantization.DeQuantStub()).eval()
    net.qconfig = quantization.get_default_qconfig("fbgemm")
    net[2].qconfig = quantization.qconfig.QConfig(  # a transposed convolution takes one scale for its weight
        activation=quantization.default_observer, weight=quantization.default_weight_observer
    )
    quantization.prepare(net, inplace=True)
    net(torch.randn(IMAGE, generator=torch.Generator().manual_seed(0)))
    return quantization.convert(net, inplace=True)


FLOATING: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 4, bias=False)),
    "lstm": lambda: Rows(nn.LSTM(4, 6, 2, bidirectional=True)),
    "gru": lambda: Rows(nn.GRU(4, 6)),
    "lstm cell": lambda: Rows(nn.LSTMCell(4, 6), cell=True),
    "gru cell": lambda: Rows(nn.GRUCell(4, 6), cell=True),
}


@pytest.mark.parametrize("dtype", [torch.qint8, torch.float16], ids=str)
@pytest.mark.parametrize("name", FLOATING)
def test_dynamically_quantised_layers_have_the_counts_of_the_floating_ones(name, dtype):
    build = FLOATING[name]
    before, after = build(), dynamic(build, dtype)
    parameters, _ = parameter_costs(after)
    assert parameters.value == sum(value.numel() for value in before.parameters())
    assert parameters.conditions.counted == f"{int(parameters.value):,} of them packed by quantised layers"
    assert count_operations(after, IMAGE, device="cpu").total("macs") == count_operations(before, IMAGE).total("macs")


def test_statically_quantised_layers_too():
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        pytest.skip("no fbgemm")
    net = static()
    assert parameter_costs(net)[0].value == 8 * 27 + 8 + 8 * 2 * 9 + 4 + 64 * 4 + 4
    ledger = count_operations(net, IMAGE, device="cpu")
    assert {row.operator: row.counts["macs"] for row in ledger.by_operator() if row.counts} == {
        "quantized::conv2d": 4 * 8 * 27,
        "quantized::conv_transpose2d": 8 * 4 * 2 * 9,
        "quantized::linear": 64 * 4,
    }


def test_packed_weights_of_a_layer_are_found_once_under_its_path():
    layer = dynamic(lambda: nn.Sequential(nn.Linear(4, 3)), torch.qint8)[0]
    found = list(packed_objects(nn.ModuleDict({"a": layer, "b": layer})))
    assert [path for path, _ in found] == ["a._packed_params"]
    assert [tuple(value.shape) for value in packed_tensors(found[0][1])] == [(3, 4), (3,)]


def test_their_bytes_are_those_of_the_packed_weights():
    net = dynamic(lambda: nn.Sequential(nn.Linear(4, 3)), torch.qint8)
    assert memory.bytes_of(net, torch.float32) == 12 * 1 + 3 * 4


def test_weights_that_cannot_be_told_are_a_reason_and_no_zero():
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.zeros(4, 3, dtype=torch.int8))

    parameters, buffers = parameter_costs(Frozen())
    assert parameters.value is None and "12 numbers in buffers" in str(parameters.reason) and buffers.value == 12
    traced = torch.jit.trace(dynamic(FLOATING["linear"], torch.qint8), torch.zeros(IMAGE))
    assert parameter_costs(traced)[0].value is None and "TorchScript" in str(parameter_costs(traced)[0].reason)
    assert parameter_costs(nn.ReLU())[0].value == 0
    assert parameter_costs(torch.jit.trace(nn.Linear(4, 3), torch.zeros(1, 4)))[0].value == 15
