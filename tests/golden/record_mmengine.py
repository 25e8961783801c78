"""Writes data/operations/mmengine.json: what mmengine 0.10.7 counts of the networks of operation_cases.py in eval mode.

Run where hrbench and mmengine 0.10.7 are installed, with torch 2.15:

    python tests/golden/record_mmengine.py
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import mmengine  # pyright: ignore
import torch
from mmengine.analysis import ActivationAnalyzer, FlopAnalyzer, get_model_complexity_info  # pyright: ignore

sys.path.insert(0, str(Path(__file__).parent))
from operation_cases import builders

OUT = Path(__file__).parent / "data/operations/mmengine.json"


def counted(build: Any, shape: tuple[int, int, int, int]) -> dict[str, Any]:
    """Operations by operator, operators that it does not know, and activations of one network in eval mode."""
    net, images = build().eval(), (torch.zeros(shape),)
    flops = FlopAnalyzer(net, images).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    active = ActivationAnalyzer(net, images).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {
        "flops": flops.total(),
        "by_operator": dict(flops.by_operator()),
        "unsupported": dict(flops.unsupported_ops()),
        "activations": active.total(),
    }


def printed() -> dict[str, str]:
    """What `get_model_complexity_info` prints of ResNet-50 at 224x224, in training mode (as built) and in eval mode."""
    import torchvision

    texts = {}
    for mode in ("train", "eval"):
        net = torchvision.models.resnet50(weights=None).train(mode == "train")
        told = get_model_complexity_info(net, (3, 224, 224), show_table=False, show_arch=False)
        texts[mode] = told["flops_str"]
    return texts


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = {name: counted(*case) for name, case in builders().items()}
        record = {
            "versions": {"mmengine": mmengine.__version__, "torch": torch.__version__},
            "resnet50_printed": printed(),
            "cases": cases,
        }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
