"""How many classes a detector says that it tells apart: its own labels, without the background."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hrbench.contracts import CountsLabels, KeepsAtMost, NamesLabels
from hrbench.models.adapters import onnx, torchvision, transformers
from hrbench.models.build import build as built
from hrbench.suite.registry import known

MOST = {
    "fasterrcnn_mobilenet_v3_large_fpn": 100,
    "retinanet_resnet50_fpn": 300,
    "fcos_resnet50_fpn": 100,
    "ssd300_vgg16": 200,
}
"""How many detections of an image torchvision's detectors keep."""


@pytest.mark.parametrize(
    "name", ["fasterrcnn_mobilenet_v3_large_fpn", "retinanet_resnet50_fpn", "fcos_resnet50_fpn", "ssd300_vgg16"]
)
def test_those_of_torchvision_leave_the_background_out(name: str) -> None:
    with torch.device("meta"):
        net = torchvision.build(name, task="detection", num_classes=5)
    assert isinstance(net, CountsLabels) and net.label_count == 4
    assert isinstance(net, KeepsAtMost) and net.most_detections == MOST[name]
    with torch.device("meta"):
        more = torchvision.build(name, task="detection", num_classes=5, **{net.most_option: 7})
    assert isinstance(more, KeepsAtMost) and more.most_detections == 7


def test_those_of_transformers_have_what_the_configuration_says() -> None:
    pytest.importorskip("transformers")
    with torch.device("meta"):
        net = transformers.build("yolos", task="detection", num_labels=4, hidden_size=32, num_hidden_layers=1,
                                 num_attention_heads=2, intermediate_size=32, num_detection_tokens=3)  # fmt: skip
    assert isinstance(net, CountsLabels) and net.label_count == 4
    assert isinstance(net, KeepsAtMost) and (net.most_detections, net.most_option) == (3, "")


@pytest.mark.parametrize(
    ("row", "count"),
    [
        ("faster_rcnn_hrnetv2p_w18", 80),
        ("fcos_hrnetv2p_w18", 80),
        ("retinanet_spinenet_49", 90),
        ("mask_rcnn_spinenet_49", 90),
    ],
)
def test_those_of_hrbench(row: str, count: int) -> None:
    rows = [variant for name, variant in known().variants.items() if name.startswith(row)]
    with torch.device("meta"):
        net = built(rows[0])
    assert isinstance(net, CountsLabels) and net.label_count == count
    assert isinstance(net, KeepsAtMost) and net.most_detections == 100


NAMES = {
    "{0: 'cat', 1: 'hot dog'}": ["cat", "hot dog"],
    '["cat", "hot dog"]': ["cat", "hot dog"],
    "{'1': 'hot dog', '0': 'cat'}": ["cat", "hot dog"],
    "{1: 'cat', 2: 'dog'}": None,
    "{0: 'cat', 1: 2}": None,
    "cat, dog": None,
    "[" * 5000: None,
    "": None,
}


@pytest.mark.parametrize("text", NAMES)
def test_an_onnx_file_has_those_of_its_metadata(tmp_path: Path, text: str) -> None:
    library = pytest.importorskip("onnx")
    helper, floats = library.helper, library.TensorProto.FLOAT
    values = [helper.make_tensor_value_info(name, floats, [1, 3, 8, 8]) for name in ("images", "out")]
    graph = helper.make_graph([helper.make_node("Relu", ["images"], ["out"])], "net", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(model, {"names": text, "task": "detect"})
    path = tmp_path / "net.onnx"
    library.save(model, str(path))
    net, names = onnx.build(str(path), task="detection"), NAMES[text]
    assert isinstance(net, NamesLabels) == isinstance(net, CountsLabels) == (names is not None)
    if names is not None:
        assert isinstance(net, CountsLabels) and isinstance(net, NamesLabels)
        assert (list(net.label_names), net.label_count) == (names, 2)
