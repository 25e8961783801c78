"""Networks of other libraries whose operations are counted by hrbench and by torch's counter: a table of docs.

    python tests/helpers/counted_networks.py

writes the lines of the table in docs/operations.md; some minutes, since every network is run on the CPU as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hrbench.cost.operations.cross_check import SecondCount, flop_counter_mode
from hrbench.models.build import build
from hrbench.types import Variant

NETWORKS = {
    "timm:resnet50": "classification 224x224",
    "timm:mobilenetv3_large_100": "classification 224x224",
    "timm:efficientnet_b0": "classification 224x224",
    "timm:convnext_tiny": "classification 224x224",
    "timm:hrnet_w18": "classification 224x224",
    "timm:vit_tiny_patch16_224": "classification 224x224",
    "timm:cait_xxs24_224": "classification 224x224",
    "timm:swin_tiny_patch4_window7_224": "classification 224x224",
    "timm:maxvit_tiny_tf_224": "classification 224x224",
    "timm:mixer_s16_224": "classification 224x224",
    "timm:lambda_resnet26t": "classification 256x256",
    "timm:sequencer2d_s": "classification 224x224",
    "torchvision:vit_b_16": "classification 224x224",
    "torchvision:swin_v2_t": "classification 256x256",
    "torchvision:deeplabv3_resnet50": "segmentation 256x256",
    "torchvision:maskrcnn_resnet50_fpn": "detection 320x320",
    "torchvision:fcos_resnet50_fpn": "detection 320x320",
    "torchvision:ssdlite320_mobilenet_v3_large": "detection 320x320",
    "transformers:segformer": "segmentation 256x256",
    "transformers:dinov2": "classification 224x224",
    "transformers:deformable_detr": "detection 320x320",
    "transformers:vitpose": "pose 256x192",
    "smp:Unet": "segmentation 256x256",
    "smp:DeepLabV3Plus": "segmentation 256x256",
    "smp:MAnet": "segmentation 256x256",
}
"""Name -> task and input size: convolutions dense, grouped and dilated, attention of several kinds, MLPs and LSTMs."""

EXPLAINED = 0.001
"""The share of a difference from which on it is explained by operator."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The cells of a row as they are in the document.

    network, input: its name and input size.
    ours: operations by `flops`, in 10^9.
    meta, cpu: what torch's counter says of a pass on the meta device and on the CPU, in 10^9.
    difference: of the pass on the CPU, "none" or in percent.
    operators: what explains it.
    """

    network: str
    input: str
    ours: str
    meta: str
    cpu: str
    difference: str
    operators: str


@cache
def second_count(network: str, device: str) -> SecondCount:
    """The count of one network on one device."""
    task, _, size = NETWORKS[network].partition(" ")
    height, width = map(int, size.split("x"))
    variant = Variant(name=network, use=network, task=task, input=(height, width))
    return flop_counter_mode(lambda: build(variant), (1, 3, height, width), device)


def giga(value: float | None) -> str:
    """Operations in 10^9 with three decimals."""
    return "" if value is None else f"{value / 1e9:.3f}"


def explained(count: SecondCount) -> tuple[str, str]:
    """The difference of a count in words, and the operators that explain it; those of less than 0.1 % are left out."""
    assert count.ours
    if abs(count.share) <= EXPLAINED:
        return "none" if count.ours == count.theirs else "under 0.1 %", ""
    rows = [row for row in count.differences if abs(row.ours - row.theirs) > EXPLAINED * count.ours]
    parts = [f"`{row.operator}` \u00d7{row.calls}: {giga(row.ours - row.theirs)} G, {row.why}" for row in rows]
    return f"{-100 * count.share:+.1f} %", "; ".join(parts)


def counted(network: str) -> Counted:
    """One row of the table."""
    meta, cpu = second_count(network, "meta"), second_count(network, "cpu")
    size = NETWORKS[network].partition(" ")[2]
    return Counted(network, size, giga(meta.ours), giga(meta.theirs), giga(cpu.theirs), *explained(cpu))


def line(row: Counted) -> str:
    """A row as a line of a Markdown table."""
    cells = (f"`{row.network}`", row.input, row.ours, row.meta, row.cpu, row.difference, row.operators)
    return "| " + " | ".join(cells).replace("  ", " ") + " |"


if __name__ == "__main__":
    for name in NETWORKS:
        print(line(counted(name)), flush=True)
