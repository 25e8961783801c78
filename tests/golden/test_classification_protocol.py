"""The crops of the official classification codes: HRNet's by Pillow, and those of TensorFlow's models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from hrbench.tasks.classification.task import CentreCrop, Classification, centre_crop
from hrbench.types import ClassScheme, Sample, Variant

pytestmark = pytest.mark.numeric

RECORD = "seg_cls_det/protocol/seg_cls_preprocess.json"


def picture(fill, size: tuple[int, int], name: str) -> np.ndarray:
    """The record's `u8`: (H, W, 3) uint8."""
    return np.clip(np.rint(128 + 50 * fill.image((*size, 3), 0, name)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_imagenet_as_hrnet_evaluates_it(golden, fill, number: int, tmp_path: Path) -> None:
    """From a file to the network's input, through the task."""
    case = [case for case in golden(RECORD)["cases"] if case["what"].startswith("ImageNet")][number]
    path = tmp_path / "image.png"
    Image.fromarray(picture(fill, tuple(case["size"]), case["name"])).save(path)
    variant = Variant("any", "any", "classification", (224, 224))
    task = Classification(variant, SimpleNamespace(scheme=ClassScheme(("a",))), asdict(CentreCrop()))
    inputs: list[torch.Tensor] = []

    def net(batch: torch.Tensor) -> torch.Tensor:
        inputs.append(batch)
        return batch.mean(dim=(1, 2, 3))[:, None]

    task.forward(net, task.prepare(Sample("image", path)))
    found, expected = inputs[0][0].double().numpy(), case["output"]
    assert list(found.shape) == expected["shape"]
    np.testing.assert_allclose(found.reshape(-1)[expected["index"]], expected["value"], atol=2e-6)
    assert found.mean() == pytest.approx(expected["mean"], abs=1e-6)
    assert found.std() == pytest.approx(expected["std"], abs=1e-6)


def test_spinenet_as_tensorflows_models_evaluate_it(golden, fill) -> None:
    """TensorFlow's values are not rounded; the network's input here is, to whole levels."""
    record = golden("seg_cls_det/protocol/tf_classification_crop.json")
    (protocol,) = (one for one in Classification.protocols if one.name == "spinenet")
    for case in record["cases"]:
        image = picture(fill, tuple(case["size"]), case["name"])
        found = centre_crop(image, tuple(case["input"]), protocol).astype(np.float64)
        expected = case["output"]
        assert list(found.shape) == expected["shape"]
        assert np.abs(found.reshape(-1)[expected["index"]] - expected["value"]).max() <= 0.501
        assert found.mean() == pytest.approx(expected["mean"], abs=0.02)
