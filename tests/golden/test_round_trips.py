"""Files as other sources write them: loaded strictly, they give those sources' outputs in float32.

OpenMMLab's networks are known by records (`record_round_trips.py` made them; the last test runs the real code where
HRBENCH_OPENMMLAB_PYTHON names a Python that has it); timm and torchvision are asked here.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from empty import on_meta, uninitialised
from seeds import some
from torch import Tensor, nn

from hrbench.errors import InputError
from hrbench.models.build import build
from hrbench.models.weights.load import load
from hrbench.types import Variant

pytestmark = pytest.mark.numeric

HERE = Path(__file__).parent
RECORDS = sorted(path.name.removesuffix(".json.gz") for path in (HERE / "data/round_trips").glob("*.json.gz"))

HRNET = {"use": "det_hrnetv2p", "args": {"width": 18, "keys": "mmdet3"}}
RESNET = {"use": "resnet_fpn", "args": {"depth": 50}}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "mmpose_hrnet_w32": ("pose_hrnet", {"width": 32, "joints": 17}),
    "mmpose_res50": ("pose_resnet", {"depth": 50, "joints": 17}),
    "mmseg_fcn_hr18": ("seg_hrnet", {"width": 18}),
    "mmseg_fcn_hr18s": ("seg_hrnet", {"width": 18, "layer1": 2, "modules": [1, 3, 2], "blocks": 2}),
    "mmseg_fcn_hr48": ("seg_hrnet", {"width": 48}),
    "mmseg_ocrnet_hr48": ("seg_hrnet_ocr", {"width": 48, "align_corners": False}),
    "mmpretrain_hrnet_w18": ("cls_hrnet", {"width": 18}),
    "mmdet_faster_rcnn_hrnetv2p_w18": ("faster_rcnn", {"backbone": HRNET}),
    "mmdet_mask_rcnn_hrnetv2p_w18": ("mask_rcnn", {"backbone": HRNET}),
    "mmdet_cascade_rcnn_hrnetv2p_w18": ("cascade_rcnn", {"backbone": HRNET}),
    "mmdet_cascade_mask_rcnn_hrnetv2p_w18": ("cascade_mask_rcnn", {"backbone": HRNET}),
    "mmdet_fcos_hrnetv2p_w18": ("fcos", {"backbone": {**HRNET, "args": {**HRNET["args"], "stride": 2}}}),
    "mmdet_faster_rcnn_r50_fpn": ("faster_rcnn", {"backbone": RESNET}),
    "mmdet_mask_rcnn_r50_fpn": ("mask_rcnn", {"backbone": RESNET}),
    "mmdet_cascade_rcnn_r50_fpn": ("cascade_rcnn", {"backbone": RESNET}),
}
# Parts of these are parts of others: of the cascade with masks, and of the same heads on the other backbone.
CONTAINED = ("mmdet_faster_rcnn_hrnetv2p_w18", "mmdet_mask_rcnn_hrnetv2p_w18", "mmdet_cascade_rcnn_hrnetv2p_w18")

ALIKE = ("mmseg_fcn_hr48", "mmseg_fcn_hr18", "mmdet_cascade_rcnn_r50_fpn", "mmdet_faster_rcnn_r50_fpn")  # another width


def network(use: str, **args: Any) -> nn.Module:
    """The network with whatever the memory holds for weights: a file must set them all."""
    with on_meta():
        net = build(Variant(name=use, use=use, task="", input=(64, 96), args=args))
    return net.to_empty(device="cpu")


def drawn(keys: list[tuple[str, list[int]]], fill: Any) -> dict[str, Tensor]:
    """The float32 state dict that `fill.py` draws for these keys; counters are 0."""
    state = {}
    for key, shape in keys:
        value = fill.tensor(key, tuple(shape))
        state[key] = torch.zeros((), dtype=torch.int64) if value is None else torch.tensor(value, dtype=torch.float32)
    return state


def parts(net: nn.Module, images: Tensor, fill: Any) -> dict[str, Tensor]:
    """The outputs that a record names: a network's own, or a detector's by part, before boxes are decided on."""
    if not hasattr(net, "neck"):
        output = net(images)
        return {"first": output[0], "output": output[1]} if isinstance(output, list) else {"output": output}
    levels = net.neck(net.backbone(images))
    found = {f"neck.{i}": level for i, level in enumerate(levels)}
    dense = net.rpn_head if hasattr(net, "rpn_head") else net.bbox_head
    for kind, maps in zip(("scores", "boxes", "centreness"), dense(levels), strict=False):
        found |= {f"dense.{kind}.{i}": each for i, each in enumerate(maps)}
    for part, size in (("bbox_head", 7), ("mask_head", 14)) if hasattr(net, "roi_head") else ():
        head = getattr(net.roi_head, part)
        regions = torch.from_numpy(fill.image((2, 256, size, size), name=part)).float()
        for i, each in enumerate(head if isinstance(head, nn.ModuleList) else [head] if head is not None else []):
            outputs = each(regions)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            found |= {f"{part}.{i}.{j}": value for j, value in enumerate(outputs)}
    return found


def agree(ours: np.ndarray, theirs: np.ndarray, scale: float) -> None:
    """Equal to 1e-5 of the size of the values."""
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * scale)


def agrees(net: nn.Module, record: Mapping[str, Any], fill: Any) -> None:
    images = torch.from_numpy(fill.image(tuple(record["input_shape"]))).float()
    with torch.inference_mode():
        found = parts(net, images, fill)
    assert found.keys() == record["outputs"].keys()
    for name, expected in record["outputs"].items():
        ours = fill.sample(found[name].numpy(), 24)
        assert (ours["shape"], ours["index"]) == (expected["shape"], expected["index"]), name
        agree(np.array(ours["value"]), np.array(expected["value"]), np.abs(expected["value"]).max())


def record_of(name: str, folder: Path = HERE / "data/round_trips") -> dict[str, Any]:
    return json.loads(gzip.decompress((folder / f"{name}.json.gz").read_bytes()))


# --- OpenMMLab -------------------------------------------------------------------------------------------------------


def test_every_record_has_its_network() -> None:
    assert sorted(NETWORKS) == RECORDS


@pytest.mark.parametrize("name", [name for name in RECORDS if name.startswith("mmdet")])
def test_our_detectors_have_mmdetections_keys(name: str) -> None:
    use, args = NETWORKS[name]
    with on_meta():
        net = build(Variant(name=use, use=use, task="", input=(64, 96), args=args))
    ours = {key: list(value.shape) for key, value in net.state_dict().items()}
    assert ours == dict(record_of(name)["keys"])


@pytest.mark.parametrize(
    "name",
    some(
        [name for name in RECORDS if name not in CONTAINED],
        later=[
            "mmseg_fcn_hr48",
            "mmseg_fcn_hr18",
            "mmdet_cascade_rcnn_r50_fpn",
            "mmdet_faster_rcnn_r50_fpn",
            "mmdet_mask_rcnn_r50_fpn",
            "mmdet_cascade_mask_rcnn_hrnetv2p_w18",  # whose detections are held to another record
            "mmpose_res50",
        ],
    ),
)
def test_openmmlab_files_give_openmmlabs_outputs(name: str, fill: Any, tmp_path: Path) -> None:
    record = record_of(name)
    path = tmp_path / "epoch_210.pth"
    torch.save({"meta": {"epoch": 210, "cfg": ""}, "state_dict": drawn(record["keys"], fill)}, path)
    use, args = NETWORKS[name]
    net = network(use, **args)
    report = load(net, path, source="openmmlab", use=use)
    assert report.tensors == len(net.state_dict())
    agrees(net, record, fill)


# --- timm and torchvision --------------------------------------------------------------------------------------------

TIMM = {
    "hrnet_w18": {"width": 18},
    "hrnet_w18_ssld": {"width": 18},
    "hrnet_w18_small_v2": {"width": 18, "layer1": 2, "modules": [1, 3, 2], "blocks": 2},
    "hrnet_w18_small": {"widths": [16, 32, 64, 128], "planes": 32, "layer1": 1, "modules": [1, 1, 1], "blocks": 2},
}


def asked(net: nn.Module, path: Path, fill: Any) -> nn.Module:
    """A source's network in float32 with drawn weights, which are saved under the names that it gives them."""
    net = fill.fill(net).float()
    torch.save(net.state_dict(), path)
    return net


@pytest.mark.parametrize("name", some(TIMM, later=["hrnet_w18_ssld", "hrnet_w18_small_v2"]))
def test_timm_files_give_timms_logits(name: str, fill: Any, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    with uninitialised():
        theirs = timm.create_model(name)
    theirs = asked(theirs, tmp_path / "model.pth", fill)
    ours = network("cls_hrnet", **TIMM[name])
    notes = load(ours, tmp_path / "model.pth", source="timm", use="cls_hrnet").notes
    assert any("set to 0: the ssld variants" in note for note in notes) == name.endswith("ssld")
    images = torch.from_numpy(fill.image((2, 3, 64, 96))).float()
    with torch.inference_mode():
        expected = theirs(images).numpy()
        agree(ours(images).numpy(), expected, np.abs(expected).max())


@pytest.mark.parametrize("source", ["torchvision", "timm"])
def test_a_resnet_file_fills_our_backbone_and_gives_the_sources_last_map(
    source: str, fill: Any, tmp_path: Path
) -> None:
    images = torch.from_numpy(fill.image((1, 3, 64, 96))).float()
    if source == "torchvision":
        from torchvision.models import resnet50
        from torchvision.models.feature_extraction import create_feature_extractor

        with uninitialised():
            theirs = resnet50()
        theirs = asked(theirs, tmp_path / "w.pth", fill)
        last = lambda images: create_feature_extractor(theirs, ["layer4"])(images)["layer4"]  # noqa: E731
    else:
        timm = pytest.importorskip("timm", reason="timm is not installed")
        with uninitialised():
            theirs = timm.create_model("resnet50")
        theirs = asked(theirs, tmp_path / "w.pth", fill)
        last = theirs.forward_features
    ours = network("resnet", depth=50)
    (note,) = load(ours, tmp_path / "w.pth", source=source, use="resnet").notes
    assert note == "fc.weight and 1 more beside the network: the classifier, which a backbone does without"
    with torch.inference_mode():
        expected = last(images).numpy()
        agree(ours(images)[-1].numpy(), expected, np.abs(expected).max())


def test_a_torchvision_network_takes_its_own_file_without_the_auxiliary_classifier(fill: Any, tmp_path: Path) -> None:
    from torchvision.models.segmentation import fcn_resnet50

    with uninitialised():
        theirs = fcn_resnet50(weights=None, weights_backbone=None, aux_loss=True)
    theirs = asked(theirs, tmp_path / "w.pth", fill)
    ours = network("torchvision:fcn_resnet50", task="segmentation")
    report = load(ours, tmp_path / "w.pth", source="torchvision", use="torchvision:fcn_resnet50")
    assert any("aux_classifier" in note for note in report.notes) == (report.tensors < len(theirs.state_dict()))
    images = torch.from_numpy(fill.image((1, 3, 64, 96))).float()
    with torch.inference_mode():
        expected, output = theirs(images)["out"].numpy(), ours(images)
        agree((output[-1] if isinstance(output, list) else output).numpy(), expected, np.abs(expected).max())


def test_torchvisions_first_detectors_have_norms_that_add_nothing_to_the_variance(fill: Any, tmp_path: Path) -> None:
    """Built as `fasterrcnn_resnet50_fpn` builds itself for its COCO weights: frozen norms, eps 0."""
    from torchvision.models import resnet50
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection._utils import overwrite_eps
    from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
    from torchvision.ops.misc import FrozenBatchNorm2d

    with uninitialised():
        theirs = FasterRCNN(_resnet_fpn_extractor(resnet50(norm_layer=FrozenBatchNorm2d), 3), 91)
    overwrite_eps(theirs, 0.0)
    theirs = asked(theirs, tmp_path / "fasterrcnn.pth", fill)
    use = "torchvision:fasterrcnn_resnet50_fpn"
    with uninitialised():
        ours = build(Variant(name=use, use=use, task="detection", input=(64, 96), args={"task": "detection"}))
    notes = load(ours, tmp_path / "fasterrcnn.pth", source="torchvision", use=use).notes
    assert notes[0].startswith("norms without eps")
    images = torch.from_numpy(fill.image((1, 3, 64, 96))).float()
    with torch.inference_mode():
        for expected, level in zip(theirs.backbone(images).values(), ours.backbone(images).values(), strict=True):
            agree(level.numpy(), expected.numpy(), float(expected.abs().max()))


# --- the official code -----------------------------------------------------------------------------------------------


def test_in_place_abn_of_the_official_segmentation_code(golden: Any, fill: Any, tmp_path: Path) -> None:
    """A file as the branch master writes it: FullModel's prefix and loss, no counters."""
    record = golden("seg_cls_det/models/seg_hrnet_w18_small_v2_cityscapes19.json")
    state = {f"model.{key}": torch.tensor(fill.tensor(key, tuple(shape))) for key, shape in _counted(record["keys"])}
    path = tmp_path / "hrnet_w18_small_v2_cityscapes_cls19.pth"
    torch.save({"state_dict": state | {"loss.criterion.weight": torch.ones(19)}}, path)
    use, args = NETWORKS["mmseg_fcn_hr18s"]
    net = network(use, **args).double()
    part, *notes = load(net, path, source="official", use=use).notes
    assert "the weights are 'state_dict' of the checkpoint" in str(part) and len(notes) == 4
    assert notes[0] == "prefix 'model.' dropped from all keys"
    assert "loss.criterion.weight beside the network: the training loss" in notes[1]
    assert "|weight| + 1e-5" in notes[2]
    expected = record["inplace_abn"]
    with torch.inference_mode():
        output = net(torch.from_numpy(fill.image(tuple(expected["input_shape"])))).numpy()
    ours = fill.sample(output)
    np.testing.assert_allclose(ours["value"], expected["output"]["value"], rtol=1e-9, atol=0)


def test_a_file_of_the_official_detection_code(golden: Any, fill: Any, tmp_path: Path) -> None:
    """Names of early mmdetection: heads of regions at the top level, necks of plain convolutions."""
    record = golden("seg_cls_det/models/det_hrnetv2p_w32_hrfpn.json")
    backbone = {"use": "det_hrnetv2p", "args": {"width": 32, "keys": "mmdet3"}}
    net = network("mask_rcnn", backbone=backbone, convention="mmdet1", hidden=16).double()
    heads = [(key, list(value.shape)) for key, value in net.state_dict().items() if "_head" in key.partition(".")[0]]
    state = {}
    for key, shape in _counted(record["keys"]):
        state[key] = torch.from_numpy(fill.tensor(key, tuple(shape)))
    for key, shape in heads:  # the largest tensors, which no record holds
        state[key.removeprefix("roi_head.")] = torch.ones(tuple(shape), dtype=torch.float64) * 0.25
    assert "bbox_head.fc_cls.weight" in state and "neck.fpn_conv.0.weight" in state
    path = tmp_path / "mask_rcnn_hrnetv2p_w32.pth"
    torch.save({"state_dict": state}, path)
    _, *notes = load(net, path, source="official", use="mask_rcnn").notes
    assert notes[0] == "keys renamed from those of HRNet-Object-Detection and mmdetection 1"
    images = torch.from_numpy(fill.image(tuple(record["input_shape"])))
    with torch.inference_mode():
        levels = net.neck(net.backbone(images))
    for level, expected in zip(levels, record["output"], strict=True):
        np.testing.assert_allclose(fill.sample(level.numpy())["value"], expected["value"], rtol=1e-9, atol=0)
    assert torch.equal(net.state_dict()["roi_head.bbox_head.fc_cls.weight"], state["bbox_head.fc_cls.weight"])
    with on_meta():  # keys and shapes are enough to refuse it
        use = {"backbone": backbone, "hidden": 16}
        later = build(Variant("later", "mask_rcnn", task="", input=(64, 96), args=use))
    with pytest.raises(InputError, match=r"built with convention='mmdet1' \(this network has 'mmdet3'\)"):
        load(later, path, source="official", use="mask_rcnn")


def _counted(keys: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]]:
    return [(key, shape) for key, shape in keys if not key.endswith("num_batches_tracked")]


# --- Keras -----------------------------------------------------------------------------------------------------------


def in_keras(record: Mapping[str, Any], fill: Any) -> dict[str, np.ndarray]:
    """The variables of a recorded SpineNet by their Keras names, with the values of the record."""
    arrays = {}
    for each in record["keys"]:
        value = fill.tensor(each["key"], tuple(each["shape"]))
        arrays[each["tf_name"]] = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
        assert list(arrays[each["tf_name"]].shape) == each["tf_shape"]
    return arrays


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_keras_variables_by_name_give_tensorflows_outputs(kind: str, golden: Any, fill: Any, tmp_path: Path) -> None:
    arrays = in_keras(golden("spinenet/keys_49S.json"), fill)
    path = tmp_path / f"spinenet.{kind}"
    if kind == "npz":
        np.savez(path, **arrays)
    else:
        h5py = pytest.importorskip("h5py", reason="h5py is not installed")
        with h5py.File(path, "w") as file:
            for name, value in arrays.items():
                file[name] = value
    net = network("spinenet", variant="49S").double()
    notes = load(net, path, source="keras", use="spinenet").notes
    assert notes[:2] == (
        "keys renamed from those of TensorFlow's SpineNet",
        "kernels turned from height, width, inputs, outputs",
    )
    record = next(each for each in golden("spinenet/parity_49S.json")["records"] if each["activation"] == "relu")
    with torch.inference_mode():
        outputs = net(torch.from_numpy(fill.image(tuple(record["input_shape"]))))
    for output, expected in zip(outputs, record["outputs"].values(), strict=True):
        ours = fill.sample(output.numpy(), len(expected["index"]))
        np.testing.assert_allclose(ours["value"], expected["value"], rtol=1e-9, atol=0)


# --- the real code of OpenMMLab --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDS)
def test_checkpoints_that_openmmlab_writes_today(name: str, fill: Any, tmp_path: Path) -> None:
    """The library draws, runs and saves afresh; the file is loaded as it is, and the record has not aged."""
    python = os.environ.get("HRBENCH_OPENMMLAB_PYTHON")
    if not python:
        pytest.skip("set HRBENCH_OPENMMLAB_PYTHON to a Python with the packages of record_round_trips.py")
    command = [python, str(HERE / "record_round_trips.py"), str(tmp_path), name, "--checkpoints"]
    subprocess.run(command, check=True, capture_output=True)
    fresh, kept = record_of(name, tmp_path), record_of(name)
    assert fresh["keys"] == kept["keys"]
    use, args = NETWORKS[name]
    net = network(use, **args)
    load(net, tmp_path / f"{name}.pth", source="openmmlab", use=use)
    agrees(net, fresh, fill)
    agrees(net, kept, fill)
