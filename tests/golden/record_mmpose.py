"""Writes data/mmpose: heatmaps, crops and joints of mmpose 1.3.2, for test_mmpose_decoding.

Run in an environment with mmpose 1.3.2 (without its dependencies), mmengine 0.10.7, mmcv-lite 2.1.0, NumPy 1.26.4,
opencv-python-headless 4.10.0.84, torch, torchvision, scipy, munkres, json_tricks:

    python tests/golden/record_mmpose.py

All steps are mmpose's own: TopdownAffine cuts the crops, the codecs encode and decode heatmaps, flip_heatmaps mirrors
them, TopdownPoseEstimator.add_pred_to_datasample maps joints back. xtcocotools, mmdet and mmcv's compiled operators,
which none of these uses, are stood in for by empty classes. Heatmaps are rounded to float16 before they are decoded, so
that they take half the room.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import sys
import types
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import mmcv
import mmengine
import numpy as np
import torch


class StandIn(types.ModuleType):
    """A module all of whose names are empty classes."""

    __path__: list[str] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a stand-in for what mmpose imports and none of the steps uses."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        absent = name.split(".")[0] in ("xtcocotools", "mmdet") or name.startswith("mmcv.ops")
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if absent else None

    def create_module(self, spec: Any) -> Any:
        return StandIn(spec.name)

    def exec_module(self, module: Any) -> None:
        pass


sys.meta_path.insert(0, StandIns())

import mmpose  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402
from mmpose.codecs import MSRAHeatmap, UDPHeatmap  # noqa: E402
from mmpose.datasets.transforms.common_transforms import GetBBoxCenterScale  # noqa: E402
from mmpose.datasets.transforms.topdown_transforms import TopdownAffine  # noqa: E402
from mmpose.models.pose_estimators.topdown import TopdownPoseEstimator  # noqa: E402
from mmpose.models.utils.tta import flip_heatmaps  # noqa: E402
from mmpose.structures import PoseDataSample  # noqa: E402

OUT = Path(__file__).parent / "data/mmpose"
FLIPPED = [0, 2, 1, 3, 5, 4]
"""Where each of the six joints goes in the mirror."""

SETS = {"256x192": ((192, 256), (48, 64), 2.0), "384x288": ((288, 384), (72, 96), 3.0)}
"""(width, height) of input and heatmap, sigma of the targets in heatmap pixels."""

BOXES = {  # x, y, width, height: float32 has them exactly
    "inside": (41.5, 30.25, 90.0, 170.5),
    "wide": (20.0, 60.0, 201.25, 80.75),
    "beyond": (-30.5, 150.0, 120.0, 140.0),
    "tiny": (100.25, 100.75, 6.5, 9.0),
}


def codecs(input: tuple[int, int], heatmap: tuple[int, int], sigma: float, kernel: int) -> dict[str, Any]:
    return {
        "udp": UDPHeatmap(input, heatmap, sigma=sigma, blur_kernel_size=kernel),
        "dark": MSRAHeatmap(input, heatmap, sigma=sigma, unbiased=True, blur_kernel_size=kernel),
    }


def drawn(rng: np.random.Generator, codec: Any, input: tuple[int, int]) -> dict[str, np.ndarray]:
    """Kind of heatmaps -> (6, h, w) float16."""
    width, height = input

    def encoded(low: float, high: float) -> np.ndarray:
        joints = rng.uniform(low, high, (1, 6, 2)) * [width - 1, height - 1]
        return codec.encode(joints.astype(np.float32))["heatmaps"]

    exact, second = encoded(0.2, 0.8), encoded(0.2, 0.8)
    noise = rng.uniform(0, 1, exact.shape).astype(np.float32)
    border = encoded(0.0, 0.04)
    border[3:] = encoded(0.97, 1.0)[3:]
    empty = encoded(0.3, 0.7)
    empty[1] = -np.abs(noise[1]) - 0.1
    empty[4] = -0.25
    kinds = {
        "exact": exact,
        "noisy": 0.8 * exact + 0.05 * noise - 0.02,
        "two": np.maximum(0.7 * exact, 0.65 * second) + 0.01 * noise,
        "border": border + 0.01 * noise,
        "low": 0.03 * exact + 0.002 * noise,
        "noise": noise,
        "empty": empty,
    }
    return {name: maps.astype(np.float16) for name, maps in kinds.items()}


def placed(joints: np.ndarray, input: tuple[int, int], place: dict[str, Any]) -> np.ndarray:
    """Joints (1, K, 2) of the input in image pixels."""
    found = InstanceData(keypoints=joints.astype(np.float64), keypoint_scores=np.ones(joints.shape[:2]))
    sample = PoseDataSample(
        metainfo={"input_center": place["centre"], "input_scale": place["scale"], "input_size": input}
    )
    sample.gt_instances = InstanceData(bboxes=np.zeros((1, 4)), bbox_scores=np.ones(1))
    TopdownPoseEstimator.add_pred_to_datasample(SimpleNamespace(test_cfg={}), [found], None, [sample])
    return sample.pred_instances.keypoints


def formula_image(height: int, width: int, k: int) -> np.ndarray:
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return (((3 * x * x + 5 * y * y + 7 * x * y) // 97 + 31 * c * (x // 3) + 17 * c * y + k) % 256).astype(np.uint8)


def cropped(box: tuple[float, ...], input: tuple[int, int], udp: bool) -> dict[str, Any]:
    x, y, w, h = box
    results = {"bbox": np.array([[x, y, x + w, y + h]], np.float32), "img": formula_image(240, 260, 5)}
    results = TopdownAffine(input, use_udp=udp).transform(GetBBoxCenterScale().transform(results))
    return {"crop": results["img"], "centre": results["input_center"], "scale": results["input_scale"]}


def drawn_combined(rng: np.random.Generator, codec: UDPHeatmap, input: tuple[int, int]) -> dict[str, np.ndarray]:
    """Kind of combined heatmaps -> (9, h, w) float16: three maps of each of three joints."""
    width, height = input

    def encoded(low: float, high: float) -> np.ndarray:
        joints = rng.uniform(low, high, (1, 3, 2)) * [width - 1, height - 1]
        return codec.encode(joints.astype(np.float32))["heatmaps"]

    exact, other, border = encoded(0.2, 0.8), encoded(0.2, 0.8), encoded(0.0, 0.05)
    border[3:] = encoded(0.96, 1.0)[3:]
    noise = rng.normal(0, 0.1, exact.shape).astype(np.float32)
    empty = exact.copy()
    empty[3] = -0.25
    kinds = {"exact": exact, "noisy": exact + noise, "two": exact + 0.9 * other, "border": border, "empty": empty}
    return {name: maps.astype(np.float16) for name, maps in kinds.items()}


def record_combined(versions: dict[str, str]) -> None:
    """Writes combined.npz: UDP's combined heatmaps, and the joints that mmpose decodes of them."""
    rng = np.random.default_rng(1911)
    out: dict[str, Any] = {"versions": np.array([f"{name} {number}" for name, number in versions.items()])}
    for name, (input, heatmap, _) in SETS.items():
        kinds: dict[str, np.ndarray] = {}
        for kernel in (11, 5):
            codec = UDPHeatmap(input, heatmap, heatmap_type="combined", blur_kernel_size=kernel)
            kinds = kinds or drawn_combined(rng, codec, input)
            for kind, maps in kinds.items():
                joints, scores = codec.decode(maps.astype(np.float32))
                out[f"{name} heatmaps {kind}"] = maps
                out[f"{name} {kernel} {kind}"], out[f"{name} {kernel} scores {kind}"] = joints[0], scores[0]
        codec = UDPHeatmap(input, heatmap, heatmap_type="combined")
        box = list(BOXES)[1]
        joints = codec.decode(kinds["noisy"].astype(np.float32))[0]
        out[f"{name} image {box}"] = placed(joints, input, cropped(BOXES[box], input, True))[0]
        direct, mirrored = (torch.from_numpy(kinds[kind].astype(np.float32))[None] for kind in ("noisy", "two"))
        mean = (direct + flip_heatmaps(mirrored.clone(), [0, 2, 1], "udp_combined", shift_heatmap=False)) * 0.5
        out[f"{name} flip"] = codec.decode(mean[0].numpy())[0][0]
    np.savez_compressed(OUT / "combined.npz", **out)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    rng = np.random.default_rng(2020)
    versions = {m.__name__: m.__version__ for m in (mmpose, mmengine, mmcv, np, cv2, torch)}
    index: dict[str, Any] = {"versions": versions, "boxes": BOXES, "crops": {}}
    for name, (input, heatmap, sigma) in SETS.items():
        places = {}
        for box, values in BOXES.items():
            for affine in ("udp", "classic"):
                place = places[box, affine] = cropped(values, input, affine == "udp")
                index["crops"][f"{name} {box} {affine}"] = {
                    "crc32": zlib.crc32(place["crop"].tobytes()),
                    "centre": place["centre"].tolist(),
                    "scale": place["scale"].tolist(),
                }
        out: dict[str, np.ndarray] = {}
        heatmaps = drawn(rng, codecs(input, heatmap, sigma, 11)["udp"], input)
        mirrored = drawn(rng, codecs(input, heatmap, sigma, 11)["udp"], input)
        for kind, maps in heatmaps.items():
            out[f"heatmaps {kind}"] = maps
        out["mirrored two"] = mirrored["two"]
        for kernel in (11, 17):
            for decoding, codec in codecs(input, heatmap, sigma, kernel).items():
                for kind, maps in heatmaps.items():
                    joints, scores = codec.decode(maps.astype(np.float32))
                    out[f"{decoding} {kernel} {kind}"] = joints[0]
                    out[f"scores {kind}"] = scores[0]
                    affine = "udp" if decoding == "udp" else "classic"
                    where = list(BOXES)[list(heatmaps).index(kind) % len(BOXES)]
                    out[f"image {decoding} {kernel} {kind}"] = placed(joints, input, places[where, affine])[0]
                    index[f"box of {kind}"] = where
                direct, other = (torch.from_numpy(m["two"].astype(np.float32))[None] for m in (heatmaps, mirrored))
                back = flip_heatmaps(other.clone(), FLIPPED, "heatmap", shift_heatmap=decoding == "dark")
                mean = (direct + back) * 0.5
                out[f"flip {decoding} {kernel}"] = codec.decode(mean[0].numpy())[0][0]
        np.savez_compressed(OUT / f"{name}.npz", **out)
    (OUT / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    record_combined(versions)


if __name__ == "__main__":
    main()
