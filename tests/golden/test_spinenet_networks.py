"""SpineNet against records of the official code: keys, shapes, counts, names and float64 outputs, block by block."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from empty import on_meta
from seeds import some
from spinenet_reference import Reference, nearest
from torch import Tensor, nn

from hrbench.catalog import variants
from hrbench.cost.operations.count import count_operations
from hrbench.models.spinenet import GRAPHS, SCALINGS, cls_spinenet, spinenet
from hrbench.models.weights.keys.spinenet_keras import keras_variables

pytestmark = pytest.mark.numeric

RECORDED = ("49S", "49")

# The paper's Table 7 and 11 and the TF1 model zoo: parameters in millions with 1000 and 5089 classes, GMACs at 224.
CLASSIFIERS = {"49": (22.1, 23.1, 3.5), "96": (36.5, 37.6, 5.7), "143": (60.5, 61.6, 9.1), "190": (127.1, 129.2, 19.1)}


@pytest.fixture(scope="module")
def network(fill: Any) -> Callable[..., nn.Module]:
    """A network with the records' weights, drawn once for both activations and both conventions."""

    @cache
    def weights(variant: str) -> dict[str, Tensor]:
        with on_meta():
            keys = spinenet(variant).state_dict()
        drawn = {key: fill.tensor(key, tuple(value.shape)) for key, value in keys.items()}
        return {key: torch.tensor(0) if value is None else torch.from_numpy(value) for key, value in drawn.items()}

    def make(variant: str, **choices: str) -> nn.Module:
        with on_meta():
            net = spinenet(variant, **choices).double().eval()
        net.load_state_dict(weights(variant), assign=True)
        return net

    return make


def assert_sampled(fill: Any, output: Tensor, expected: dict[str, Any]) -> None:
    ours = fill.sample(output.numpy(), len(expected["index"]))
    assert ours["shape"] == expected["shape"]
    assert ours["index"] == expected["index"]
    np.testing.assert_allclose(ours["value"], expected["value"], rtol=1e-9, atol=0)
    np.testing.assert_allclose([ours["mean"], ours["std"]], [expected["mean"], expected["std"]], rtol=1e-9, atol=0)


@pytest.mark.parametrize("variant", RECORDED)
def test_keys_shapes_and_counts_are_the_recorded_ones(variant: str, golden: Any) -> None:
    record = golden(f"spinenet/keys_{variant}.json")
    with on_meta():
        net = spinenet(variant)
    state = {key: list(value.shape) for key, value in net.state_dict().items()}
    counters = {key for key in state if key.endswith("num_batches_tracked")}
    assert {key: shape for key, shape in state.items() if key not in counters} == {
        row["key"]: row["shape"] for row in record["keys"]
    }
    assert len(counters) == sum(row["key"].endswith("running_mean") for row in record["keys"])
    assert sum(p.numel() for p in net.parameters()) == record["parameters_trainable"]


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("variant", RECORDED)
def test_every_block_and_output_is_the_official_one(
    variant: str, index: int, network: Callable[..., nn.Module], golden: Any, fill: Any
) -> None:
    record = golden(f"spinenet/parity_{variant}.json")["records"][index]
    net = network(variant, activation=record["activation"])
    written: dict[str, Tensor] = {}
    for name, module in net.named_modules():
        if name in record["blocks"]:
            module.register_forward_hook(
                lambda module, given, output, name=name: written.update({name: output.clone()})
            )
    with torch.inference_mode():
        outputs = net(torch.from_numpy(fill.image(tuple(record["input_shape"]))))
    assert len(written) == 2 + 15
    for name, expected in record["blocks"].items():
        assert_sampled(fill, written[name], expected)
    for level, output in zip(range(3, 8), outputs, strict=True):
        assert_sampled(fill, output, record["outputs"][f"P{level}"])


def test_repeated_blocks_give_the_official_outputs(network: Callable[..., nn.Module], golden: Any, fill: Any) -> None:
    (record,) = golden("spinenet/parity_96.json")["records"]
    with torch.inference_mode():
        outputs = network("96", activation=record["activation"])(torch.from_numpy(fill.image((1, 3, 128, 128))))
    for level, output in zip(range(3, 8), outputs, strict=True):
        assert_sampled(fill, output, record["outputs"][f"P{level}"])


@pytest.mark.parametrize("variant", some(SCALINGS, later=["96", "143", "190"]))
def test_parameters_operations_and_sizes_are_the_counted_ones(variant: str, golden: Any) -> None:
    record = golden("spinenet/counts.json")["variants"][f"SpineNet-{variant}"]
    with on_meta():
        net = spinenet(variant).eval()
    assert sum(p.numel() for p in net.parameters()) == record["backbone"]["params_trainable"]
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == record["backbone"]["conv_layers"]
    for case in record["per_input"]:
        with torch.inference_mode():
            outputs = net(torch.empty(1, 3, *case["input"], device="meta"))
        assert [list(x.shape[1:]) for x in outputs] == list(case["output_shapes_CHW"].values())
        assert net.channels == tuple(x.shape[1] for x in outputs)
        assert net.strides == tuple(case["input"][0] // x.shape[2] for x in outputs)
        for padding in ("tf2", "tf1"):
            ledger = count_operations(lambda chosen=padding: spinenet(variant, padding=chosen), (1, 3, *case["input"]))
            assert ledger.total("macs") / 1e9 == pytest.approx(case["conv_GMACs_backbone"], rel=1e-12)


def test_scale_permuted_resnet_has_the_counted_parameters(golden: Any) -> None:
    with on_meta():
        net = spinenet("49", graph="r0-sp53")
    assert (
        sum(p.numel() for p in net.parameters())
        == golden("spinenet/counts.json")["R0-SP53"]["backbone_params_trainable"]
    )


@pytest.mark.parametrize("variant", some(CLASSIFIERS, later=["96", "143", "190"]))
def test_classifiers_have_the_published_figures(variant: str) -> None:
    imagenet, inaturalist, gmacs = CLASSIFIERS[variant]
    for classes, published in ((1000, imagenet), (1001, imagenet), (5089, inaturalist)):
        with on_meta():
            net = cls_spinenet(variant, classes)
        assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == published
        ledger = count_operations(net, (1, 3, 224, 224))
        assert round(ledger.total("macs") / 1e9, 1) == gmacs


def test_graphs_are_the_recorded_ones(golden: Any) -> None:
    spec = golden("spinenet/spec.json")
    recorded = {"spinenet": spec["block_specs"]}
    recorded |= {name: spec["ablation_architectures"][name.upper()]["block_specs"] for name in ("r0-sp53", "r23-sp30")}
    for name, rows in recorded.items():
        ours = [(b.level, b.kind, list(b.inputs), b.output) for b in GRAPHS[name].blocks]
        assert ours == [(r["level"], r["block_fn"], r["input_offsets"], r["is_output"]) for r in rows]


@pytest.mark.parametrize("name", ["R0-SP53", "R23-SP30", "SpineNet-49"])
def test_blocks_are_allocated_as_in_table_1(name: str, golden: Any) -> None:
    stem, permuted = golden("spinenet/spec.json")["ablation_architectures"]["block_allocation_table1"][name]
    graph = GRAPHS["spinenet" if name == "SpineNet-49" else name.lower()]
    assert [graph.stem.count(level) for level in range(2, 6)] == stem
    assert [[block.level for block in graph.blocks].count(level) for level in range(2, 8)] == permuted


@pytest.mark.parametrize("variant", RECORDED)
def test_keras_names_shapes_and_order_are_the_recorded_ones(variant: str, golden: Any) -> None:
    rows = sorted(golden(f"spinenet/keys_{variant}.json")["keys"], key=lambda row: row["tf_index"])
    ours = [(v.name, list(v.shape), v.key) for v in keras_variables(variant)]
    assert ours == [(row["tf_name"], row["tf_shape"], row["key"]) for row in rows]


def test_keras_names_of_repeated_blocks_are_the_official_ones(golden: Any) -> None:
    record = golden("spinenet/keras_names.json")["96"]
    ours = keras_variables("96")
    assert [[v.name, list(v.shape)] for v in ours] == record["weights"]
    assert sorted([v.path, list(v.shape)] for v in ours) == record["paths"]


@pytest.mark.parametrize("variant", ["49S", "49", "143", "190"])
def test_keras_names_of_every_size_are_the_official_ones(variant: str, golden: Any) -> None:
    def digest(rows: list[Any]) -> str:
        return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()

    record = golden("spinenet/keras_names.json")[variant]
    ours = keras_variables(variant)
    assert len(ours) == record["count"]
    assert digest([[v.name, list(v.shape)] for v in ours]) == record["weights_sha256"]
    assert digest(sorted([v.path, list(v.shape)] for v in ours)) == record["paths_sha256"]


# --- the paper's own code, of which there is no record --------------------------------------------------------------


def test_the_reference_reproduces_the_records(network: Callable[..., nn.Module], golden: Any, fill: Any) -> None:
    record = golden("spinenet/parity_49S.json")["records"][2]
    state = {key: value.numpy() for key, value in network("49S").state_dict().items()}
    outputs = Reference(golden("spinenet/spec.json"), state, record["activation"], "tf2")(fill.image((1, 3, 128, 128)))
    for level, output in zip(range(3, 8), outputs, strict=True):
        assert_sampled(fill, torch.from_numpy(output), record["outputs"][f"P{level}"])


@pytest.mark.parametrize(  # 224: levels of 56, 28, 14, 7, 4 and 2 pixels
    ("activation", "size"), some(product(["relu", "swish"], [128, 224]), later=[("relu", 128), ("swish", 224)])
)
def test_the_papers_padding_is_that_of_the_reference(activation: Any, size: int, golden: Any, fill: Any) -> None:
    net = fill.fill(spinenet("143", activation=activation, padding="tf1", width=0.25, endpoints=16))
    state = {key: value.numpy() for key, value in net.state_dict().items()}
    image = fill.image((1, 3, size, size))
    with torch.inference_mode():
        ours = net(torch.from_numpy(image))
    expected = Reference(golden("spinenet/spec.json"), state, activation, "tf1")(image)
    for output, wanted in zip(ours, expected, strict=True):
        np.testing.assert_allclose(output.numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_the_conventions_differ(network: Callable[..., nn.Module], fill: Any) -> None:
    image = torch.from_numpy(fill.image((1, 3, 128, 128)))
    with torch.inference_mode():
        one, two = (network("49S", padding=padding)(image) for padding in ("tf2", "tf1"))
    assert all((x - y).abs().max() > 1e-3 for x, y in zip(one, two, strict=True))


def test_logits_are_the_mean_of_levels_enlarged_one_after_another(golden: Any, fill: Any) -> None:
    net = fill.fill(cls_spinenet("49", classes=10, width=0.25, endpoints=16))
    state = {key.removeprefix("backbone."): value.numpy() for key, value in net.state_dict().items()}
    image = fill.image((2, 3, 224, 224))
    with torch.inference_mode():
        logits = net(torch.from_numpy(image)).numpy()
    levels = Reference(golden("spinenet/spec.json"), state, "relu", "tf1", eps=1e-5)(image)
    total = levels[-1]
    for level in levels[3::-1]:
        total = nearest(total, level.shape[-1]) + level
    expected = total.mean((2, 3)) / 5 @ state["classifier.weight"].T + state["classifier.bias"]
    np.testing.assert_allclose(logits, expected, rtol=1e-9)


def test_a_row_is_absent_where_its_graph_is_not_known() -> None:
    rows = [row for row in variants().values() if row.use in ("spinenet", "cls_spinenet")]
    assert len(rows) == 5 + 6 + 3 + 8
    for row in rows:
        assert bool(row.absent) == (row.args.get("graph", "spinenet") not in GRAPHS) == (row.parameters is None)
