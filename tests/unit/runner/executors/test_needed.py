"""What an entry's jobs import is known before, from its recipe alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

import hrbench
from hrbench.runner.executors.local import MODULES
from hrbench.runner.executors.needed import modules_for
from hrbench.types import Entry, Variant


def entry(use: str, **args) -> Entry:
    variant = Variant("name", use, "pose", (64, 64), args=args)
    return Entry("name", variant, None, {}, (), {})


def test_built_ins_and_the_networks_among_their_arguments():
    found = modules_for(entry("mask_rcnn", backbone={"use": "det_hrnetv2p", "args": {"stem": {"use": "resnet"}}}))
    own = {name for name in found if name.startswith("hrbench.models.")}
    assert {"hrbench.models.detectors.rcnn", "hrbench.models.hrnet", "hrbench.models.resnet"} <= own
    assert len(found) == len(set(found))


def test_what_others_wrote_is_not_imported_by_the_server():
    plain = modules_for(entry("ourpkg.nets:pose"))
    assert not any("ourpkg" in name for name in plain)
    found = set(modules_for(entry("timm:hrnet_w18"))) - set(plain)
    assert "timm" not in found and "torchvision" in found
    assert found == {"torchvision", "hrbench.models.adapters.timm"}


def test_all_that_is_named_exists_and_leaves_a_single_thread():
    """Every module that the miniature suite and the server ask for is imported, and a fork then has one thread."""
    suite = hrbench.load_suite("miniature")
    names = dict.fromkeys([*MODULES, *(name for entry in suite.entries for name in modules_for(entry))])
    assert "hrbench.models.detectors.rcnn" in names and "hrbench.metrics.topk" in names
    code = (
        f"import importlib, os\nfor name in {list(names)!r}: importlib.import_module(name)\n"
        "if not os.fork(): os._exit(0)\n"  # OpenBLAS ends its threads before a fork
        "os.wait(); print(len(os.listdir('/proc/self/task')))\n"
        "import torch; print(torch.get_num_threads() > 0, torch.cuda.is_initialized())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "True", "False"], done.stderr


@pytest.mark.parametrize("metrics", [(), ("topk",)])
def test_metrics_and_data(metrics):
    suite = hrbench.load_suite("miniature", only="cls_resnet*")
    found = modules_for(replace(suite.entries[0], metrics=metrics))
    assert ("hrbench.metrics.topk" in found) == bool(metrics)
    assert any(name.startswith("hrbench.datasets.") for name in found)
    assert any(name.startswith("hrbench.tasks.") for name in found)


def test_scoring_alone_needs_no_torch():
    suite = hrbench.load_suite("miniature")
    names = dict.fromkeys([*MODULES, *(name for entry in suite.entries for name in modules_for(entry, network=False))])
    assert "hrbench.metrics.topk" in names and "hrbench.tasks.detection.task" in names
    imports = f"import importlib, sys\nfor name in {list(names)!r}: importlib.import_module(name)\n"
    code = f"{imports}print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False"], done.stderr
