"""Records what OpenMMLab's own networks make of drawn weights, for `test_round_trips.py`.

    python record_round_trips.py FOLDER [NAME ...] [--checkpoints]

writes FOLDER/NAME.json.gz for each network: keys and shapes of its state dict in its own names, the input, and samples
of its float32 outputs on the CPU, its weights drawn by `fill.py` under its own key names. --checkpoints also writes
FOLDER/NAME.pth by mmengine's `save_checkpoint`, as that library leaves training checkpoints.

Runs in an environment of its own, none of whose packages hrbench needs: torch, torchvision, and without their
dependencies mmengine 0.10.7, mmcv-lite 2.1.0, mmdet 3.3.0, mmpose 1.3.2, mmsegmentation 1.2.2, mmpretrain 1.2.0; then
addict, einops, ftfy, importlib_metadata, json_tricks, matplotlib, model-index, munkres, opencv-python-headless,
pycocotools, regex, rich, scipy, shapely, six, terminaltables, tqdm, yapf. What is compiled in mmcv is not needed.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
SMALL = (1, 3, 64, 96)  # divisible by 32, beyond which resizing conventions differ between sources


class Absent(ModuleType):
    """Stands in for a compiled module of which nothing is called here."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def prepare() -> None:
    """Lets the libraries be imported without mmcv's compiled operators and mmpose's own build of pycocotools."""
    warnings.simplefilter("ignore")
    sys.modules["mmcv._ext"] = Absent("mmcv._ext")
    for name in ("", ".coco", ".cocoeval", ".mask"):
        sys.modules["xtcocotools" + name] = importlib.import_module("pycocotools" + name)


def fill_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_fill", HERE / "fill.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- networks, as the libraries' configuration files state them ---------------------------------------------------


def stages(width: int, small: int = 0) -> dict[str, Any]:
    """mmpose's, mmseg's and mmdet's `extra` of an HRNet; small: 1 or 2 for the small variants v1 and v2."""
    stem, first, blocks, modules = {0: (4, 64, 4, (1, 4, 3)), 1: (1, 32, 2, (1, 1, 1)), 2: (2, 64, 2, (1, 3, 2))}[small]
    extra: dict[str, Any] = {"stage1": stage(1, 1, "BOTTLENECK", (stem,), (first,))}
    for number, count in zip((2, 3, 4), modules, strict=True):
        widths = tuple(width * 2**i for i in range(number))
        extra[f"stage{number}"] = stage(count, number, "BASIC", (blocks,) * number, widths)
    return extra


def stage(modules: int, branches: int, block: str, blocks: tuple[int, ...], widths: tuple[int, ...]) -> dict[str, Any]:
    return {
        "num_modules": modules,
        "num_branches": branches,
        "block": block,
        "num_blocks": blocks,
        "num_channels": widths,
    }


def pose(backbone: dict[str, Any], channels: int, joints: int = 17, **head: Any) -> Any:
    from mmpose.registry import MODELS
    from mmpose.utils import register_all_modules

    register_all_modules()
    codec = {"type": "MSRAHeatmap", "input_size": (192, 256), "heatmap_size": (48, 64), "sigma": 2}
    return MODELS.build(
        {
            "type": "TopdownPoseEstimator",
            "data_preprocessor": {"type": "PoseDataPreprocessor", "mean": [0.0] * 3, "std": [1.0] * 3},
            "backbone": backbone,
            "head": {
                "type": "HeatmapHead",
                "in_channels": channels,
                "out_channels": joints,
                "loss": {"type": "KeypointMSELoss", "use_target_weight": True},
                "decoder": codec,
                **head,
            },
        }
    )


def segmentation(width: int, small: int = 0, ocr: bool = False, classes: int = 19) -> Any:
    from mmseg.registry import MODELS
    from mmseg.utils import register_all_modules

    register_all_modules()
    widths = [width * 2**i for i in range(4)]
    norm = {"type": "BN", "requires_grad": True}
    common = {
        "in_channels": widths,
        "in_index": (0, 1, 2, 3),
        "input_transform": "resize_concat",
        "dropout_ratio": -1,
        "num_classes": classes,
        "norm_cfg": norm,
        "align_corners": False,
    }
    fcn = {
        "type": "FCNHead",
        "channels": sum(widths),
        "kernel_size": 1,
        "num_convs": 1,
        "concat_input": False,
        **common,
    }
    object_context = {"type": "OCRHead", "channels": 512, "ocr_channels": 256, **common}
    return MODELS.build(
        {
            "type": "CascadeEncoderDecoder" if ocr else "EncoderDecoder",
            **({"num_stages": 2} if ocr else {}),
            "backbone": {"type": "HRNet", "norm_cfg": norm, "norm_eval": False, "extra": stages(width, small)},
            "decode_head": [fcn, object_context] if ocr else fcn,
            "test_cfg": {"mode": "whole"},
        }
    )


def classification(arch: str) -> Any:
    import mmpretrain.models  # noqa: F401 - registers the parts by name
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import MODELS

    init_default_scope("mmpretrain")
    widths = tuple(int(arch[1:]) * 2**i for i in range(4))
    return MODELS.build(
        {
            "type": "ImageClassifier",
            "backbone": {"type": "HRNet", "arch": arch},
            "neck": [
                {"type": "HRFuseScales", "in_channels": widths},
                {"type": "GlobalAveragePooling"},
            ],
            "head": {"type": "LinearClsHead", "in_channels": 2048, "num_classes": 1000},
        }
    )


def detection(file: str, width: int = 0) -> Any:
    """A network of mmdet's own configuration files; width: of the HRNet that takes the place of the file's."""
    import mmdet
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config

    register_all_modules()
    config = Config.fromfile(str(Path(mmdet.__file__).parent / ".mim/configs" / file))
    model = config.model
    model.backbone.pop("init_cfg", None)
    if width:
        model.backbone.extra = stages(width)
        model.neck.in_channels = [width * 2**i for i in range(4)]
    return MODELS.build(model)


# --- outputs ------------------------------------------------------------------------------------------------------


def heatmaps(net: Any, images: Any, fill: ModuleType) -> dict[str, Any]:
    return {"output": net.head(net.backbone(images))}


def logits(net: Any, images: Any, fill: ModuleType) -> dict[str, Any]:
    features = net.extract_feat(images)
    if not isinstance(net.decode_head, list | tuple) and not hasattr(net.decode_head, "__len__"):
        return {"output": net.decode_head(features)}
    first = net.decode_head[0](features)
    return {"first": first, "output": net.decode_head[1](features, first)}


def classes(net: Any, images: Any, fill: ModuleType) -> dict[str, Any]:
    return {"output": net.head(net.neck(net.backbone(images)))}


def detections(net: Any, images: Any, fill: ModuleType) -> dict[str, Any]:
    """Every level of the neck, all dense heads, and the heads of regions on drawn features of two regions."""
    import torch

    levels = net.neck(net.backbone(images))
    found = {f"neck.{i}": level for i, level in enumerate(levels)}
    dense = net.rpn_head if hasattr(net, "rpn_head") else net.bbox_head
    for kind, maps in zip(("scores", "boxes", "centreness"), dense(levels), strict=False):
        found |= {f"dense.{kind}.{i}": each for i, each in enumerate(maps)}
    if not hasattr(net, "roi_head"):
        return found
    heads = net.roi_head
    for part, size in (("bbox_head", 7), ("mask_head", 14)):
        head = getattr(heads, part, None)
        if head is None:
            continue
        regions = torch.from_numpy(fill.image((2, 256, size, size), name=part)).float()
        for i, each in enumerate(head if isinstance(head, torch.nn.ModuleList) else [head]):
            outputs = each(regions)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            found |= {f"{part}.{i}.{j}": value for j, value in enumerate(outputs)}
    return found


RESNET50 = {"type": "ResNet", "depth": 50}
HRNET = "hrnet/{}_hrnetv2p-w32{}.py"

# name: (the network, what is recorded of it)
NETWORKS: dict[str, tuple[Callable[[], Any], Callable[..., dict[str, Any]]]] = {
    "mmpose_hrnet_w32": (
        lambda: pose({"type": "HRNet", "extra": stages(32)}, 32, deconv_out_channels=None),
        heatmaps,
    ),
    "mmpose_res50": (lambda: pose(RESNET50, 2048), heatmaps),
    "mmseg_fcn_hr18": (lambda: segmentation(18), logits),
    "mmseg_fcn_hr18s": (lambda: segmentation(18, small=2), logits),
    "mmseg_fcn_hr48": (lambda: segmentation(48), logits),
    "mmseg_ocrnet_hr48": (lambda: segmentation(48, ocr=True), logits),
    "mmpretrain_hrnet_w18": (lambda: classification("w18"), classes),
    "mmdet_faster_rcnn_hrnetv2p_w18": (lambda: detection(HRNET.format("faster-rcnn", "-1x_coco"), 18), detections),
    "mmdet_mask_rcnn_hrnetv2p_w18": (lambda: detection(HRNET.format("mask-rcnn", "-1x_coco"), 18), detections),
    "mmdet_cascade_rcnn_hrnetv2p_w18": (lambda: detection(HRNET.format("cascade-rcnn", "-20e_coco"), 18), detections),
    "mmdet_cascade_mask_rcnn_hrnetv2p_w18": (
        lambda: detection(HRNET.format("cascade-mask-rcnn", "_20e_coco"), 18),
        detections,
    ),
    "mmdet_fcos_hrnetv2p_w18": (lambda: detection(HRNET.format("fcos", "-gn-head_4xb4-1x_coco"), 18), detections),
    "mmdet_faster_rcnn_r50_fpn": (lambda: detection("faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"), detections),
    "mmdet_mask_rcnn_r50_fpn": (lambda: detection("mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"), detections),
    "mmdet_cascade_rcnn_r50_fpn": (lambda: detection("cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py"), detections),
}


def drawn(net: Any, fill: ModuleType) -> Any:
    """The network in float32 and eval mode with the weights that `fill.py` draws for its own key names."""
    return fill.fill(net).float().eval()


def record(name: str, fill: ModuleType) -> tuple[dict[str, Any], Any]:
    import torch

    make, outputs = NETWORKS[name]
    net = drawn(make(), fill)
    with torch.inference_mode():
        found = outputs(net, torch.from_numpy(fill.image(SMALL)).float(), fill)
    samples = {}
    for key, value in found.items():
        sample = fill.sample(value.numpy(), 24)
        samples[key] = {**sample, "value": [float(f"{each:.9g}") for each in sample["value"]]}
    keys = [[key, list(value.shape)] for key, value in net.state_dict().items()]
    return {"name": name, "versions": versions(), "input_shape": SMALL, "keys": keys, "outputs": samples}, net


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {each: version(each) for each in ("torch", "mmcv-lite", "mmdet", "mmpose", "mmsegmentation", "mmpretrain")}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--checkpoints", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    prepare()
    fill = fill_module()
    for name in given.names or NETWORKS:
        found, net = record(name, fill)
        text = json.dumps(found, separators=(",", ":"))
        (given.folder / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        if given.checkpoints:
            from mmengine.runner import save_checkpoint

            meta = {"epoch": 210, "iter": 1, "cfg": "", "dataset_meta": {"classes": ("person",)}}
            save_checkpoint({"meta": meta, "state_dict": net.state_dict()}, str(given.folder / f"{name}.pth"))


if __name__ == "__main__":
    main()
