"""Writes data/points/mmpose.npz: what mmpose 1.3.2 gives for PCK, area under its curve, end-point error and NME.

Run where NumPy 1.26.4 is installed and mmpose 1.3.2 is unpacked (`pip install --no-deps mmpose==1.3.2`); its package
file asks for mmcv, so the module with the formulas is loaded alone:

    python tests/golden/record_mmpose_points.py
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

OUT = Path(__file__).parent / "data/points/mmpose.npz"
THRESHOLDS = (0.05, 0.2, 0.5)


def functions() -> ModuleType:
    """mmpose/evaluation/functional/keypoint_eval.py without the packages above it."""
    found = importlib.util.find_spec("mmpose")
    assert found is not None and found.submodule_search_locations is not None
    folder = Path(found.submodule_search_locations[0]) / "evaluation/functional"
    heatmaps = ModuleType("mmpose.codecs.utils")
    heatmaps.get_heatmap_maximum = heatmaps.get_simcc_maximum = None
    sys.modules |= {"mmpose": ModuleType("mmpose"), "mmpose.codecs": ModuleType("mmpose.codecs")}
    sys.modules["mmpose.codecs.utils"] = heatmaps
    for name in ("mesh_eval", "keypoint_eval"):
        spec = importlib.util.spec_from_file_location(f"alone.{name}", folder / f"{name}.py")
        assert spec is not None and spec.loader is not None
        sys.modules.setdefault("alone", ModuleType("alone"))
        module = sys.modules[f"alone.{name}"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["alone.keypoint_eval"]


def case(seed: int) -> dict[str, np.ndarray]:
    """People of 17 joints: rounded offsets, so that many lie exactly at a threshold; joints that nobody shows."""
    rng = np.random.default_rng(seed)
    people = int(rng.integers(1, 14))
    truth = rng.uniform(0, 400, (people, 17, 2)).round(seed % 3)
    steps = np.array([0, 3, 4, 5, 12, 15, 20, 40, 75])
    offset = rng.choice(steps, truth.shape) * rng.choice([-1, 1], truth.shape) + rng.normal(0, 3, truth.shape) * (
        seed % 2
    )
    mask = rng.random((people, 17)) < 0.7
    mask[:, rng.integers(17)] = False
    mask[:, 0] = True
    size = rng.choice([30.0, 100.0, 75.0, 123.4], people)
    return {"truth": truth, "predicted": truth + offset, "mask": mask, "size": size}


def main() -> None:
    mmpose = functions()
    record: dict[str, np.ndarray] = {"versions": np.array([np.__version__, "mmpose 1.3.2"])}
    for seed in range(12):
        one = case(seed)
        both = np.stack([one["size"], one["size"]], axis=1)
        given = one["predicted"], one["truth"], one["mask"]
        found = [mmpose.keypoint_pck_accuracy(*given, t, both.copy()) for t in THRESHOLDS]
        one["each"] = np.array([each for each, _, _ in found])
        one["mean"] = np.array([mean for _, mean, _ in found])
        one["auc"] = np.array(mmpose.keypoint_auc(*given, 30.0))
        one["epe"] = np.array(mmpose.keypoint_epe(*given))
        one["nme"] = np.array(mmpose.keypoint_nme(*given, both.copy()))
        record |= {f"{seed}/{name}": value for name, value in one.items()}
    OUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(OUT, **record)


if __name__ == "__main__":
    main()
