"""Writes data/mmdet: what mmdetection 3.3.0 computes in float64 with drawn weights (fill.py), for test_mmdet_detectors.

Run in an environment with mmdet 3.3.0, mmengine, mmcv-lite 2.1.0, torch, torchvision:

    python tests/golden/record_mmdet.py

mmcv-lite has no compiled operators: NMS and RoIAlign are torchvision's here, which compute the same.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms, roi_align

sys.path.insert(0, str(Path(__file__).parent))
import fill

OUT = Path(__file__).parent / "data/mmdet"
SIZES = [(64, 96), (50, 70)]
KEPT = 40  # detections of an image that are recorded
BACKGROUND = {(False, False): 7.5, (False, True): 0.5, (True, False): 10.0, (True, True): 3.0}  # see `calm`
HRNET = "configs/hrnet/{}-rcnn_hrnetv2p-w18{}_coco.py"
CONFIGS = {
    "faster_rcnn_r50_fpn": "configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py",
    "mask_rcnn_r50_fpn": "configs/mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
    "cascade_rcnn_r50_fpn": "configs/cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py",
    "cascade_mask_rcnn_r50_fpn": "configs/cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py",
    "fcos_r50_fpn": "configs/fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
    "faster_rcnn_hrnetv2p_w18": HRNET.format("faster", "-1x"),
    "mask_rcnn_hrnetv2p_w18": HRNET.format("mask", "-1x"),
    "cascade_rcnn_hrnetv2p_w18": HRNET.format("cascade", "-20e"),
    "cascade_mask_rcnn_hrnetv2p_w18": HRNET.format("cascade-mask", "_20e"),
    "fcos_hrnetv2p_w18": "configs/hrnet/fcos_hrnetv2p-w18-gn-head_4xb4-1x_coco.py",
}
LEGACY = "configs/legacy_1.x/faster-rcnn_r50_fpn_1x_coco_v1.py"
COUNTED = {  # parameters alone
    "faster_rcnn_r101_fpn": "configs/faster_rcnn/faster-rcnn_r101_fpn_1x_coco.py",
    "mask_rcnn_r101_fpn": "configs/mask_rcnn/mask-rcnn_r101_fpn_1x_coco.py",
    "cascade_rcnn_r101_fpn": "configs/cascade_rcnn/cascade-rcnn_r101_fpn_1x_coco.py",
    "cascade_mask_rcnn_r101_fpn": "configs/cascade_rcnn/cascade-mask-rcnn_r101_fpn_1x_coco.py",
    "fcos_r101_fpn": "configs/fcos/fcos_r101-caffe_fpn_gn-head-1x_coco.py",
    "faster_rcnn_hrnetv2p_w32": "configs/hrnet/faster-rcnn_hrnetv2p-w32-1x_coco.py",
    "mask_rcnn_hrnetv2p_w32": "configs/hrnet/mask-rcnn_hrnetv2p-w32-1x_coco.py",
    "cascade_rcnn_hrnetv2p_w32": "configs/hrnet/cascade-rcnn_hrnetv2p-w32-20e_coco.py",
    "cascade_mask_rcnn_hrnetv2p_w32": "configs/hrnet/cascade-mask-rcnn_hrnetv2p-w32_20e_coco.py",
    "fcos_hrnetv2p_w32": "configs/hrnet/fcos_hrnetv2p-w32-gn-head_4xb4-1x_coco.py",
    "faster_rcnn_hrnetv2p_w40": "configs/hrnet/faster-rcnn_hrnetv2p-w40-1x_coco.py",
    "mask_rcnn_hrnetv2p_w40": "configs/hrnet/mask-rcnn_hrnetv2p-w40_1x_coco.py",
    "cascade_rcnn_hrnetv2p_w40": "configs/hrnet/cascade-rcnn_hrnetv2p-w40-20e_coco.py",
    "cascade_mask_rcnn_hrnetv2p_w40": "configs/hrnet/cascade-mask-rcnn_hrnetv2p-w40-20e_coco.py",
    "fcos_hrnetv2p_w40": "configs/hrnet/fcos_hrnetv2p-w40-gn-head_ms-640-800-4xb4-2x_coco.py",
}


# --- stand-ins for mmcv's compiled operators -----------------------------------------------------------------------


def nms_of_mmcv(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """offset: what is added to widths; moving x2 and y2 by it comes to the same."""
    return nms(boxes + boxes.new_tensor([0, 0, offset, offset]), scores, iou_threshold)


def roi_align_of_mmcv(features: Tensor, rois: Tensor, output: Tensor, *_: Any, **options: Any) -> None:
    scale, samples = options["spatial_scale"], options["sampling_ratio"]
    if not options["aligned"]:  # only the legacy record asks for it: the kernel of mmdet 1, which ends at x2 + 1
        end = torch.maximum(rois[:, 3:] + 1, rois[:, 1:3])
        rois = torch.cat([rois[:, :1], rois[:, 1:3] + 0.5 / scale, end + 0.5 / scale], dim=1)
    output.copy_(roi_align(features, rois, output.shape[-2:], scale, samples, aligned=True))


def stand_in() -> None:
    extension = types.ModuleType("mmcv._ext")
    extension.nms = nms_of_mmcv
    extension.roi_align_forward = roi_align_of_mmcv
    extension.__getattr__ = lambda name: None
    sys.modules["mmcv._ext"] = extension


# --- recording -----------------------------------------------------------------------------------------------------


def load(path: str, **changes: Any) -> tuple[Any, Any]:
    """A detector of mmdetection's own configuration, in float64 with drawn weights, and that configuration."""
    import mmdet
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    init_default_scope("mmdet")
    config = Config.fromfile(Path(mmdet.__file__).parent / ".mim" / path)
    config.merge_from_dict(changes)
    return MODELS.build(config.model), config


def batch() -> tuple[Tensor, list[Any]]:
    from mmdet.structures import DetDataSample

    height, width = (-(-max(side) // 32) * 32 for side in zip(*SIZES, strict=True))
    images = torch.zeros(len(SIZES), 3, height, width, dtype=torch.float64)
    samples = []
    for i, (h, w) in enumerate(SIZES):
        images[i, :, :h, :w] = torch.from_numpy(fill.image((3, h, w), name=f"image{i}"))
        shape = {"img_shape": (h, w), "ori_shape": (h, w), "scale_factor": (1.0, 1.0)}
        samples.append(DetDataSample(metainfo={**shape, "batch_input_shape": (height, width)}))
    return images, samples


def calm(model: Any, path: str) -> None:
    """Changes some of the drawn weights, so that there are a few detections and no box fills the image."""
    if "hrnet" in path:
        model.neck.reduction_conv.conv.weight /= 100
    if hasattr(model, "roi_head"):
        for head in listed(model.roi_head.bbox_head):
            head.fc_cls.bias[-1] += BACKGROUND["hrnet" in path, "cascade" in path]


def sampled(value: Any, k: int = 8) -> Any:
    if isinstance(value, Tensor):
        return fill.sample(value.numpy(), k)
    return [sampled(each, k) for each in value]


def keys_of(model: Any, store: dict[str, Any]) -> list[str]:
    """Names of the groups of keys that the model has; groups not seen before go into the store."""
    groups: dict[str, list[Any]] = {}
    for key, value in model.state_dict().items():
        groups.setdefault(key.split(".")[0], []).append([key, list(value.shape)])
    names = []
    for part, keys in groups.items():
        same = [name for name, known in store.items() if known == keys]
        names.append(same[0] if same else f"{part} {sum(name.startswith(part + ' ') for name in store) + 1}")
        store[names[-1]] = keys
    return names


def detections(results: list[Any]) -> list[dict[str, Any]]:
    rows = []
    for result in results:
        found = result.pred_instances
        row = {"count": len(found), "boxes": found.bboxes[:KEPT].tolist(), "scores": found.scores[:KEPT].tolist()}
        row["labels"] = found.labels[:KEPT].tolist()
        if len(found) and "masks" in found:
            row["areas"] = found.masks.sum(dim=(1, 2)).tolist()
            row["mask"] = np.packbits(found.masks[0].numpy()).tolist()
        rows.append(row)
    return rows


def record(path: str, store: dict[str, Any]) -> dict[str, Any]:
    model, _ = load(path)
    result: dict[str, Any] = {"config": path, "n_params": sum(p.numel() for p in model.parameters())}
    result["keys"] = keys_of(model, store)
    fill.fill(model)
    calm(model, path)
    images, samples = batch()
    features = model.extract_feat(images)
    result["neck"] = sampled(features)
    if hasattr(model, "rpn_head"):
        classes, deltas = model.rpn_head(features)
        result["rpn"] = {"classes": sampled(classes), "deltas": sampled(deltas)}
        proposals = model.rpn_head.predict(features, samples, rescale=False)
        result["proposals"] = [
            {"count": len(each), "boxes": each.bboxes[:16].tolist(), "scores": each.scores[:16].tolist()}
            for each in proposals
        ]
        regions = torch.from_numpy(fill.image((3, 256, 7, 7), name="regions"))
        result["box_heads"] = [sampled(head(regions)) for head in listed(model.roi_head.bbox_head)]
        if model.roi_head.with_mask:
            regions = torch.from_numpy(fill.image((2, 256, 14, 14), name="mask regions"))
            result["mask_heads"] = [sampled(head(regions)) for head in listed(model.roi_head.mask_head)]
    else:
        outputs = [sampled(each) for each in model.bbox_head(features)]
        result["head"] = dict(zip(("classes", "distances", "centreness"), outputs, strict=True))
    result["detections"] = detections(model.predict(images, samples, rescale=False))
    return result


def listed(heads: Any) -> list[Any]:
    return list(heads) if isinstance(heads, torch.nn.ModuleList) else [heads]


def record_legacy() -> dict[str, Any]:
    """Anchors, coder, NMS and proposals of mmdet 1 as mmdet 3 has kept them, with mmdet 1's RoIAlign."""
    suppress = {"type": "nms", "iou_threshold": 0.7, "offset": 1}
    rpn = {"nms_pre": 2000, "max_per_img": 2000, "nms": suppress, "min_bbox_size": -1}
    boxes = {"score_thr": 0.05, "nms": {**suppress, "iou_threshold": 0.5}, "max_per_img": 100}
    model, _ = load(LEGACY, **{"model.test_cfg": {"rpn": rpn, "rcnn": boxes}})
    fill.fill(model)
    images, samples = batch()
    proposals = model.rpn_head.predict(model.extract_feat(images), samples, rescale=False)
    return {
        "config": LEGACY,
        "proposals": [
            {"count": len(each), "boxes": each.bboxes[:16].tolist(), "scores": each.scores[:16].tolist()}
            for each in proposals
        ],
        "detections": detections(model.predict(images, samples, rescale=False)),
    }


def record_parts() -> dict[str, Any]:
    """Anchors, points, coders and regions on all levels, of both conventions where mmdet 3 has them."""
    from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
    from mmdet.models.task_modules import (
        AnchorGenerator,
        DeltaXYWHBBoxCoder,
        LegacyAnchorGenerator,
        LegacyDeltaXYWHBBoxCoder,
        MlvlPointGenerator,
    )

    given = {"strides": [4, 8, 16, 32, 64], "ratios": [0.5, 1.0, 2.0], "scales": [8]}
    maps = [(5, 7), (3, 4), (2, 2), (1, 1), (1, 1)]
    generators = {"mmdet3": AnchorGenerator(**given), "mmdet1": LegacyAnchorGenerator(**given, center_offset=0.5)}
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 500, (24, 2))
    boxes = torch.from_numpy(np.concatenate([corners, corners + np.exp(rng.uniform(3.5, 7, (24, 2)))], axis=1))
    deltas = torch.from_numpy(rng.normal(0, 8, (24, 8)))
    stds = [0.1, 0.1, 0.2, 0.2]
    coders = {"mmdet3": DeltaXYWHBBoxCoder(target_stds=stds), "mmdet1": LegacyDeltaXYWHBBoxCoder(target_stds=stds)}
    decoded = {
        name: coder.decode(boxes, deltas, max_shape=(400, 600)).reshape(24, 2, 4).tolist()
        for name, coder in coders.items()
    }
    layer = {"type": "RoIAlign", "output_size": 7, "sampling_ratio": 0}
    extractor = SingleRoIExtractor(layer, out_channels=2, featmap_strides=[4, 8, 16, 32])
    features = [
        torch.from_numpy(fill.image((2, 2, 800 // stride, 1216 // stride), name=f"level{stride}"))
        for stride in (4, 8, 16, 32)
    ]
    image = torch.arange(24, dtype=torch.float64)[:, None] % 2
    return {
        "maps": maps,
        "anchors": {
            name: [each.tolist() for each in generator.grid_priors(maps, dtype=torch.float64, device="cpu")]
            for name, generator in generators.items()
        },
        "points": [
            each.tolist()
            for each in MlvlPointGenerator([8, 16]).grid_priors(maps[:2], dtype=torch.float64, device="cpu")
        ],
        "boxes": boxes.tolist(),
        "deltas": deltas.tolist(),
        "size": [400, 600],
        "decoded": decoded,
        "levels": extractor.map_roi_levels(torch.cat([image, boxes], dim=1), 4).tolist(),
        "regions": sampled(extractor(features, torch.cat([image, boxes], dim=1)), 128),
    }


def half_a_pixel_in() -> None:
    """mmdet 1 moved decoded corners inwards by half a pixel. mmdet 3's legacy coder leaves that out on purpose (it
    found more accurate boxes without), so it is put back here, between decoding and clipping.
    """
    from mmdet.models.task_modules.coders import legacy_delta_xywh_bbox_coder as module

    original = module.legacy_delta2bbox

    def decode(rois: Tensor, deltas: Tensor, means: Any, stds: Any, max_shape: Any = None, *rest: Any) -> Tensor:
        boxes = original(rois, deltas, means, stds, None, *rest).unflatten(1, (-1, 4))
        height, width = max_shape[:2]
        boxes = boxes + boxes.new_tensor([0.5, 0.5, -0.5, -0.5])
        limits = boxes.new_tensor([width - 1, height - 1, width - 1, height - 1])
        return torch.minimum(boxes.clamp(min=0), limits).flatten(1)

    module.legacy_delta2bbox = decode


def main() -> None:
    stand_in()
    half_a_pixel_in()
    from mmdet.models.roi_heads.mask_heads import fcn_mask_head

    # Both turn to float32 inside, whatever the network computes in.
    torch.Tensor.float = lambda self: self
    original = fcn_mask_head._do_paste_mask
    fcn_mask_head._do_paste_mask = lambda masks, boxes, *rest, **options: original(
        masks, boxes.to(torch.float32), *rest, **options
    )
    OUT.mkdir(parents=True, exist_ok=True)
    keys: dict[str, Any] = {}
    with torch.inference_mode():
        records = {name: record(path, keys) for name, path in CONFIGS.items()}
        records["legacy"] = record_legacy()
        records["parts"] = record_parts()
        for name, path in COUNTED.items():
            model, _ = load(path)
            records.setdefault("parameters", {})[name] = sum(p.numel() for p in model.parameters())
    for name, value in {**records, "keys": keys}.items():
        (OUT / f"{name}.json").write_text(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
