"""Twelve pose networks that misbehave, for the tiny bench (`tests/end_to_end/tiny_bench.py`), and what becomes of each.

(bench.folder / "misbehaving_nets.py").write_text(misbehaving.NETWORKS)
suite = bench.suite(misbehaving.suite(well=("first", "middle", "last")))
"""

from __future__ import annotations

from dataclasses import dataclass

NETWORKS = '''
"""Networks like those of tiny_nets.py that do something to their process on every pass with real values."""
import os
import signal
import sys
import time

import torch
from torch import nn


class Misbehaving(nn.Module):
    def __init__(self, joints, fault):
        super().__init__()
        self.net, self.fault = nn.Conv2d(3, joints, 5, stride=4, padding=2), fault

    def forward(self, x):
        y = self.net(x)
        if not x.is_meta:
            globals()[self.fault]()
        return y


def pose(joints=17, fault=""):
    return Misbehaving(joints, fault)


def os_exit():
    os._exit(3)


def segfault():
    os.kill(os.getpid(), signal.SIGSEGV)


def sys_exit():
    sys.exit("this network gives up")


def abort():
    os.abort()


def hang():
    time.sleep(600)


def chdir():
    os.chdir("/")


def float64():
    torch.set_default_dtype(torch.float64)


def meta():
    torch.set_default_device("meta")


def one_thread():
    torch.set_num_threads(1)


def close_stdout():
    sys.stdout.close()


def generator_exit():
    raise GeneratorExit


printed = False


def much_output():
    global printed
    for _ in range(0 if printed else 100):
        sys.stdout.write("z" * 999_999 + "\\n")
    printed = True
'''


@dataclass(frozen=True)
class Fault:
    """What becomes of a network: whether its run fails, and words that its reason, or else one of its notes, holds.

    fails: None if that depends on what the measuring itself computes after the network has changed its process.
    """

    fails: bool | None
    words: str


FAULTS = {
    "os_exit": Fault(True, "ended with status 3"),
    "segfault": Fault(True, "killed by SIGSEGV (segmentation fault)"),
    "sys_exit": Fault(True, "sys.exit('this network gives up')"),
    "abort": Fault(True, "killed by SIGABRT (abort)"),
    "hang": Fault(True, "timeout of 1 s"),
    "chdir": Fault(False, "working folder"),
    "float64": Fault(None, "torch's default dtype (float32 -> float64)"),
    "meta": Fault(None, "torch's default device (cpu -> meta)"),
    "one_thread": Fault(False, "torch's thread count (2 -> 1)"),
    "close_stdout": Fault(False, "standard output (closed)"),
    "generator_exit": Fault(True, "GeneratorExit"),
    "much_output": Fault(False, "printed 100,000,000 bytes"),
}
"""Each by the name of its entry and of its function. The thread count is that of OMP_NUM_THREADS=2."""


def suite(well: tuple[str, ...], faults: tuple[str, ...] = tuple(FAULTS)) -> str:
    """A suite with two or three well-behaved entries: before, in the middle of, and after the networks of `faults`."""
    half = len(faults) // 2
    first, *middle, last = well
    entries = [
        _well(first, "[64, 48]"),
        *map(_misbehaving, faults[:half]),
        *(_well(one, "[96, 72]") for one in middle),
        *map(_misbehaving, faults[half:]),
        _well(last, "[48, 36]"),
    ]
    return _HEAD + "".join(entries)


def _well(name: str, size: str) -> str:
    model = f'{{base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {{joints: 17}}, input: {size}}}'
    return f"  - {{name: {name}, model: {model}}}\n"


def _misbehaving(fault: str) -> str:
    args = f"args: {{joints: 17, fault: {fault}}}, input: [64, 48]"
    timeout = ", timeout: 1" if fault == "hang" else ""
    model = f'{{base: pose_hrnet_w32_coco_256x192, use: "misbehaving_nets:pose", {args}}}'
    return f"  - {{name: {fault}, model: {model}{timeout}}}\n"


_HEAD = """suite: misbehaving
defaults:
  dataset: coco-keypoints-val2017
  protocol: {boxes: ground_truth}
  weights: tiny.safetensors
  resamples: 60
  cost: {operations: true, latency: {batch: [1], budget: 0.02}}
entries:
"""
