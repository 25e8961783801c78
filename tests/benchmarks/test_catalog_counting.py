"""The whole catalog built and counted in one process, and the largest published input in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

GIB = 2**30
W48_PAPER = 696.2  # HRNetV2-W48 at 1024x2048, README of HRNet-Semantic-Segmentation

# Every twelfth row is also passed through torch's own counter, by turns, so that a busy machine slows both. What torch
# prepares at a first call is done before.
WHOLE = """
import json, resource, time
import torch
from torch.utils.flop_counter import FlopCounterMode
from hrbench import catalog
from hrbench.contracts import CountedByPart
from hrbench.core.plugins import resolve
from hrbench.cost.operations.count import MASKS, PROPOSALS, count_operations, on_meta
from hrbench.cost.parameters import parameter_costs
from hrbench.models.build import build

def peer(net, shape):
    image = torch.empty(shape, device="meta")
    with torch.inference_mode(), torch.device("meta"), FlopCounterMode(display=False):
        if isinstance(net, CountedByPart):
            net.count_parts(image, proposals=PROPOSALS, masks=MASKS)
        else:
            net(image)

def spent(work, *args):
    start = time.process_time()
    made = work(*args)
    return made, time.process_time() - start

with torch.device("meta"):
    first = torch.nn.Conv2d(3, 3, 1)
peer(first, (1, 3, 8, 8))
count_operations(first, (1, 3, 8, 8))
wrong, ours, theirs = [], 0.0, 0.0
rows = [row for row in catalog.variants().values() if not row.absent]
for number, row in enumerate(rows):
    resolve("hrbench.models", row.use)  # imported before: a tensor that is made on import would be on meta too
    shape = (1, 3, *row.input)
    net = on_meta(lambda: build(row))
    ledger, seconds = spent(count_operations, net, shape)
    if number % 12 == 0:
        ours += seconds
        theirs += spent(peer, net, shape)[1]
    if parameter_costs(net)[0].value != row.parameters and not row.miniature or not ledger.total("macs"):
        wrong.append(row.name)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"ours": ours, "theirs": theirs, "peak": peak, "rows": len(rows), "wrong": wrong}))
"""

LARGEST = """
import json, resource, time
import torch
from hrbench.cost.operations.count import count_operations
from hrbench.models import hrnet
from hrbench.models.build import build

def count(height, width):
    start = time.process_time()
    ledger = count_operations(lambda: build("seg_hrnet_w48_cityscapes19"), (1, 3, height, width))
    return ledger, time.process_time() - start

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
ledger, _ = count(1024, 2048)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
small, large = (min(count(side, 2 * side)[1] for _ in range(3)) for side in (128, 1024))
print(json.dumps({"small": small, "seconds": large, "grown": grown, "paper": ledger.total("hrnet-paper") / 2**30}))
"""


def alone(code: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_every_variant_is_counted_in_four_gigabytes_and_no_slower_than_by_torchs_counter(benchmark):
    runs: list[dict[str, Any]] = []
    benchmark.pedantic(lambda: runs.append(alone(WHOLE)), rounds=1)
    benchmark.extra_info |= runs[0]
    assert runs[0]["wrong"] == []
    # Measured 0.36 over eleven rows and 0.45 over ten others, on a busy machine: three times as slow would fail.
    assert runs[0]["ours"] <= runs[0]["theirs"]
    assert runs[0]["peak"] < 4 * GIB


def test_w48_at_1024x2048_takes_no_longer_than_at_128x256_and_holds_no_activation(benchmark):
    runs: list[dict[str, Any]] = []
    benchmark.pedantic(lambda: runs.append(alone(LARGEST)), rounds=3)
    benchmark.extra_info |= runs[0]
    assert round(runs[0]["paper"], 1) == W48_PAPER
    assert min(run["seconds"] / run["small"] for run in runs) < 1.5  # 64 times the pixels
    one_activation = 4 * 64 * 512 * 1024  # bytes of the stem's first output
    assert max(run["grown"] for run in runs) < one_activation
