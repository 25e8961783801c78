"""Files of TensorFlow's detectors on SpineNet, by the names that TensorFlow gave their variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from empty import on_meta
from torch import nn

from hrbench.errors import InputError
from hrbench.models.build import build
from hrbench.models.weights.load import load
from hrbench.types import Variant

pytestmark = pytest.mark.numeric

BACKBONE = {"use": "spinenet", "args": {"variant": "49S"}}
HEADS: dict[str, dict[str, Any]] = {
    "retinanet": {"convs": 2, "width": 16},
    "spinenet_mask_rcnn": {"convs": (2, 2, 2), "width": 16, "linear": 32},
}
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
TRAINED = {
    f"model/_backbone/layer_with_weights-0/kernel/.OPTIMIZER_SLOT/optimizer/momentum{SUFFIX}": np.zeros((7, 7, 3, 64)),
    f"optimizer/iter{SUFFIX}": np.int64(300),
    f"save_counter{SUFFIX}": np.int64(3),
}


def detector(use: str, **backbone: Any) -> nn.Module:
    args = {"backbone": {**BACKBONE, "args": {**BACKBONE["args"], **backbone}}, **HEADS[use]}
    with on_meta():
        net = build(Variant(name=use, use=use, task="detection", input=(128, 128), args=args))
    return net.to_empty(device="cpu").double()


def written(record: list[Any], path: Path, spelling: str) -> Path:
    """The recorded variables, each of a value of its own, by the name that they have in a model or in a checkpoint."""
    arrays = {}
    for number, (name, place, shape) in enumerate(record):
        count = int(np.prod(shape))
        value = number + (np.arange(count) / count).reshape(shape)
        arrays[name if spelling == "name" else f"{place}{SUFFIX}"] = value
    assert len(arrays) == len(record)
    np.savez(path, **arrays, **(TRAINED if spelling == "path" else {}))
    return path


@pytest.mark.parametrize("use", HEADS)
def test_names_and_paths_of_tensorflow_are_of_the_same_keys(use: str, golden: Any, tmp_path: Path) -> None:
    record = golden("spinenet/keras_detector_names.json")[use]
    states = []
    for spelling in ("name", "path"):
        net = detector(use)
        report = load(net, written(record, tmp_path / f"{spelling}.npz", spelling), source="keras", use=use)
        assert any("training kept" in note for note in report.notes) == (spelling == "path")
        states.append(net.state_dict())
    by_name, by_path = states
    assert all(torch.equal(value, by_path[key]) for key, value in by_name.items() if "num_batches" not in key)


def test_layers_are_those_that_the_official_heads_have(golden: Any, tmp_path: Path) -> None:
    """By the attributes of the official heads, under which `record_tf_detectors.py` gave them the weights."""
    use = "spinenet_mask_rcnn"
    record = golden("spinenet/keras_detector_names.json")[use]
    net = detector(use)
    load(net, written(record, tmp_path / "w.npz", "path"), source="keras", use=use)
    number = {place.removeprefix("model/").removeprefix("_config_dict/"): i for i, (_, place, _) in enumerate(record)}
    state = {key: int(value.flatten()[0]) for key, value in net.state_dict().items() if "num_batches" not in key}
    assert state["rpn_head.convs.1.bias"] == number["rpn_head/_convs/1/bias"]
    assert state["rpn_head.bns.4.1.running_var"] == number["rpn_head/_norms/1/1/moving_variance"]
    assert state["rpn_head.scores.weight"] == number["rpn_head/_classifier/kernel"]
    assert state["rpn_head.boxes.weight"] == number["rpn_head/_box_regressor/kernel"]
    assert state["box_head.fc_bn.bias"] == number["detection_head/_fc_norms/0/beta"]
    assert state["box_head.scores.weight"] == number["detection_head/_classifier/kernel"]
    assert state["box_head.boxes.bias"] == number["detection_head/_box_regressor/bias"]
    assert state["mask_head.deconv.weight"] == number["mask_head/_deconv/kernel"]
    assert state["mask_head.logits.bias"] == number["mask_head/_mask_regressor/bias"]
    assert len(set(state.values())) == len(record)


def test_inputs_of_linear_layers_go_from_rows_and_columns_to_channels_first(golden: Any, tmp_path: Path) -> None:
    use = "spinenet_mask_rcnn"
    record = golden("spinenet/keras_detector_names.json")[use]
    net = detector(use)
    load(net, written(record, tmp_path / "w.npz", "name"), source="keras", use=use)
    arrays = np.load(tmp_path / "w.npz")
    crops = np.random.default_rng(0).standard_normal((3, 7, 7, 16))  # as TensorFlow has them
    theirs = crops.reshape(3, -1) @ arrays["detection_head/detection-fc_0/kernel:0"]
    ours = net.get_submodule("box_head.fc")
    found = torch.from_numpy(crops.transpose(0, 3, 1, 2).copy()).flatten(1) @ ours.weight.T
    np.testing.assert_allclose(found.detach().numpy(), theirs, rtol=1e-9)
    scores = arrays["detection_head/detection-scores/kernel:0"]
    np.testing.assert_array_equal(net.state_dict()["box_head.scores.weight"].numpy(), scores.T)


@pytest.mark.parametrize("use", HEADS)
def test_the_other_padding_and_a_missing_variable_are_refused(use: str, golden: Any, tmp_path: Path) -> None:
    record = golden("spinenet/keras_detector_names.json")[use]
    whole = written(record, tmp_path / "w.npz", "name")
    with pytest.raises(InputError, match=r"built with backbone\.padding='tf2' \(this network has 'tf1'\)"):
        load(detector(use, padding="tf1"), whole, source="keras", use=use)
    with pytest.raises(InputError, match="1 missing from the file"):
        load(detector(use), written(record[:-1], tmp_path / "cut.npz", "name"), source="keras", use=use)
