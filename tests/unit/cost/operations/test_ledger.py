"""The ledger adds up whichever way it is grouped, and is exact about what belongs where."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import Tensor, nn

from hrbench.cost.operations.count import count_operations
from hrbench.cost.operations.ledger import Ledger, LedgerRow
from hrbench.errors import UsageError


class Net(nn.Module):
    """Two stages, arithmetic of its own, a head used twice, and a branch that nobody calls."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        self.body = nn.Sequential(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()), nn.Conv2d(4, 4, 1))
        self.head = nn.Conv2d(4, 2, 1)
        self.unused = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return torch.cat([self.head(x + self.body(x)), self.head(x)])


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return count_operations(Net, (1, 3, 5, 4))


def test_rows_are_by_module_and_operator_in_the_order_of_calls(ledger):
    assert [(row.module, row.operator, row.calls, row.elements) for row in ledger.rows] == [
        ("stem.0", "aten::conv2d", 1, 80),
        ("stem.1", "aten::batch_norm", 1, 80),
        ("body.0.0", "aten::conv2d", 1, 80),
        ("body.0.1", "aten::relu", 1, 80),
        ("body.1", "aten::conv2d", 1, 80),
        ("", "aten::add", 1, 80),
        ("head", "aten::conv2d", 2, 80),
    ]
    assert ledger.rows[0].counts == {"macs": 2160, "flops": 4320, "fvcore": 2160, "mmengine": 2160, "hrnet-paper": 2160}
    assert ledger.rows[1].counts == {"fvcore": 160, "mmengine": 160}
    assert [row.activations for row in ledger.rows] == [80, 0, 80, 0, 80, 0, 80]


def test_modules_to_a_depth(ledger):
    rows = ledger.by_module(1)
    assert [(row.module, row.calls, row.counts.get("macs", 0), row.parameters) for row in rows] == [
        ("stem", 2, 2160, 108 + 8),
        ("body", 3, 640, 40),
        ("", 1, 0, 0),
        ("head", 2, 320, 10),
        ("unused", 0, 0, 30),
    ]
    deeper = [row.module for row in ledger.by_module(2)]
    assert deeper == ["stem.0", "stem.1", "body.0", "body.1", "", "head", "unused"]


def test_every_grouping_adds_up_to_the_total(ledger):
    parameters = sum(value.numel() for value in Net().parameters())
    for view in ledger.conventions:
        total = ledger.total(view)
        for rows in (ledger.by_operator(), *(ledger.by_module(depth) for depth in range(5))):
            assert sum(row.counts.get(view, 0) for row in rows) == total
            assert sum(row.activations for row in rows) == ledger.activations == 320
    for depth in range(5):
        assert sum(row.parameters or 0 for row in ledger.by_module(depth)) == parameters
    (whole,) = ledger.by_module(0)
    totals = {view: ledger.total(view) for view in ledger.conventions}
    assert whole == LedgerRow("", "", 8, 560, totals, parameters, 80, 320)


def test_operators_over_all_modules(ledger):
    convolutions = ledger.by_operator()[0]
    assert (convolutions.operator, convolutions.calls, convolutions.counts["macs"]) == ("aten::conv2d", 5, 3120)


def test_the_most_frequent_of_the_uncounted_comes_first(ledger):
    net = nn.Sequential(nn.ReLU(), nn.Sigmoid(), nn.Sigmoid(), nn.BatchNorm2d(3))
    uncounted = count_operations(net, (1, 3, 2, 2)).uncounted["macs"]
    assert [item.operator for item in uncounted] == ["aten::sigmoid", "aten::batch_norm", "aten::relu"]


def test_an_unknown_view_and_a_negative_depth_are_refused(ledger):
    with pytest.raises(UsageError, match="'gflops'; there are macs, flops, fvcore, mmengine, hrnet-paper"):
        ledger.total("gflops")
    with pytest.raises(UsageError, match="not -1"):
        ledger.by_module(-1)


def test_a_ledger_is_plain_data(ledger):
    assert pickle.loads(pickle.dumps(ledger)) == ledger
