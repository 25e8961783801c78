"""HRNet: a high-resolution branch kept from start to end, lower-resolution branches added stage by stage.

Sun, Xiao, Liu, Wang: Deep High-Resolution Representation Learning for Human Pose Estimation, CVPR 2019 (V1, here for
pose). State-dict keys are those of leoxiaobin/deep-high-resolution-net.pytorch, so its checkpoints load unchanged.

    variant            widths of the branches    modules in stages 2, 3, 4    blocks    parameters (COCO, 17 joints)
    pose_hrnet w32     32   64  128  256         1, 4, 3                      4         28,536,113
    pose_hrnet w48     48   96  192  384         1, 4, 3                      4         63,595,745

    stage      1/4      1/8      1/16     1/32
    layer1     4 bottlenecks
    stage2     ====x    ====x                         x: exchange unit, one at the end of every module (8 in all);
    stage3     ====x    ====x    ====x         (x4)   the last one of stage 4 writes only what the head reads
    stage4     ====x    ====x    ====x    ====x (x3)

Ablations of the paper, section 4.4, and how they are read here:

- Table 6, repeated multi-scale fusion, trained from scratch at 256x192. The paper: (a) 1 fusion, "no exchange between
  multi-resolution subnetworks except the last exchange unit", AP 70.8; (b) 3 fusions, "no exchange between parallel
  subnetworks within each stage", 71.9; (c) the proposed network, 8 fusions, 73.4. Our reading: (a) is
  `exchange="final"`, only the last module of stage 4 exchanges; (b) is `exchange="across-stage"`, the last module of
  each stage does; (c) is `exchange="full"`. A module without exchange is its branches alone; everything else, also the
  strided convolution that opens each new branch, stays. No official code or weights of (a) and (b) are known.
- Figure 5, representation resolution. The paper: "our network outputs four response maps from high-to-low
  [re]solutions" and compares the heatmaps estimated from each; the lowest stays below 10 AP. Our reading: `head=k` is
  a network whose last exchange unit writes branch k alone and whose heatmaps are a 1x1 convolution of it, at 1/4,
  1/8, 1/16 or 1/32 of the input; `head=1` is the standard network, key for key. Whether the paper trained one network
  with four heads or four networks is not stated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.models.blocks import BasicBlock, Bottleneck, conv_norm, initialise
from hrbench.types import UsageError

Exchange = Literal["full", "final", "across-stage"]
EXCHANGES: tuple[Exchange, ...] = ("full", "final", "across-stage")


def pose_hrnet(
    width: int = 32,
    joints: int = 17,
    exchange: Exchange = "full",
    head: int = 1,
    stem: int = 64,
    widths: Sequence[int] | None = None,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    layer1: int = 4,
) -> PoseHRNet:
    """HRNet V1 for top-down pose: images (N, 3, H, W), normalised, -> heatmaps (N, joints, H / 4, W / 4).

    The official code takes H and W that are multiples of 32; here every other size is rounded up at each halving.
    width: channels of the highest branch; the others have 2, 4 and 8 times as many, or say all four in `widths`.
    exchange, head: ablations, see the top of this file; head=k gives heatmaps at 1 / 2^(k+1) of the input.
    stem: channels before the branches; layer1 is `layer1` bottlenecks of 4 x stem channels. modules: how many in
    stages 2, 3 and 4. blocks: basic blocks per branch and module. Raises UsageError on values that make no network.
    Weights are drawn as the official training from scratch draws them (`blocks.initialise`).
    """
    four = tuple(widths) if widths is not None else (width, 2 * width, 4 * width, 8 * width)
    if len(four) != 4 or len(modules) != 3 or min(*four, *modules, joints, stem, blocks, layer1) < 1:
        raise UsageError(
            f"pose_hrnet: widths {four} and modules {tuple(modules)} were given: HRNet has four branches and "
            "three multi-resolution stages, and every count is at least 1."
        )
    if exchange not in EXCHANGES:
        raise UsageError(f"pose_hrnet: exchange {exchange!r} was given; there are {', '.join(EXCHANGES)}.")
    if head not in (1, 2, 3, 4):
        raise UsageError(f"pose_hrnet: head {head!r} was given; heatmaps come from branch 1, 2, 3 or 4.")
    return PoseHRNet(joints, head, stem, layer1, four, modules, blocks, exchange)


class Trunk(nn.Module):
    """Stem and four stages, without a head: images (N, 3, H, W) -> the branches that stage 4 writes.

    outputs: which branches (0 is 1/4 of the input, 3 is 1/32) the last exchange unit writes.
    Heads derive from it because the official keys of trunk and head lie on one level.
    """

    def __init__(
        self,
        stem: int,
        layer1: int,
        widths: Sequence[int],
        modules: Sequence[int],
        blocks: int,
        exchange: Exchange,
        outputs: Sequence[int],
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(3, stem, 3, stride=2)
        self.conv2, self.bn2 = conv_norm(stem, stem, 3, stride=2)
        self.relu = nn.ReLU(inplace=True)
        inputs = [stem] + [4 * stem] * (layer1 - 1)
        self.layer1 = nn.Sequential(*(Bottleneck(channels, stem) for channels in inputs))

        across = exchange != "final"
        within = exchange == "full"
        two, three, four = widths[:2], widths[:3], widths[:4]
        self.transition1 = transition([4 * stem], two)
        self.stage2 = stage(two, modules[0], blocks, within, range(2) if across else ())
        self.transition2 = transition(two, three)
        self.stage3 = stage(three, modules[1], blocks, within, range(3) if across else ())
        self.transition3 = transition(three, four)
        self.stage4 = stage(four, modules[2], blocks, within, outputs)

    def features(self, x: Tensor) -> list[Tensor]:
        """Images (N, 3, H, W) -> one tensor (N, widths[i], H / 2^(i+2), W / 2^(i+2)) for each i of `outputs`."""
        x = self.relu(self.bn1(self.conv1(x)))  # (N, stem, H / 2, W / 2)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, stem, H / 4, W / 4)
        branches = [self.layer1(x)]  # (N, 4 stem, H / 4, W / 4)
        branches = self.stage2(open_branch(self.transition1, branches, 2))
        branches = self.stage3(open_branch(self.transition2, branches, 3))
        return self.stage4(open_branch(self.transition3, branches, 4))


class PoseHRNet(Trunk):
    """`pose_hrnet` says what it is: heatmaps by one 1x1 convolution of one branch."""

    def __init__(
        self,
        joints: int,
        head: int,
        stem: int,
        layer1: int,
        widths: Sequence[int],
        modules: Sequence[int],
        blocks: int,
        exchange: Exchange,
    ) -> None:
        super().__init__(stem, layer1, widths, modules, blocks, exchange, outputs=(head - 1,))
        self.final_layer = nn.Conv2d(widths[head - 1], joints, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        (branch,) = self.features(x)  # (N, widths[head - 1], H / 4, W / 4) for head 1
        return self.final_layer(branch)  # (N, joints, H / 4, W / 4)


def transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleDict:
    """What turns the branches of one stage into the inputs of the next, by index of the new branch.

    A branch whose width stays is passed on and has no entry; one whose width changes gets a 3x3 convolution; the new
    lowest branch is a strided 3x3 convolution of the lowest one so far (one more level of keys there, as officially).
    """
    layers = nn.ModuleDict()
    for i, channels in enumerate(after):
        if i >= len(before):
            layers[str(i)] = nn.Sequential(nn.Sequential(*conv_norm(before[-1], channels, 3, 2), nn.ReLU(inplace=True)))
        elif before[i] != channels:
            layers[str(i)] = nn.Sequential(*conv_norm(before[i], channels, 3), nn.ReLU(inplace=True))
    return layers


def open_branch(layers: nn.ModuleDict, branches: list[Tensor], count: int) -> list[Tensor]:
    """Apply a `transition`: the branches of one stage -> the `count` inputs of the next."""
    sources = [branches[min(i, len(branches) - 1)] for i in range(count)]
    return [layers[str(i)](x) if str(i) in layers else x for i, x in enumerate(sources)]


def stage(widths: Sequence[int], modules: int, blocks: int, within: bool, outputs: Sequence[int]) -> nn.Sequential:
    """`modules` modules in a row, of which the last writes `outputs`. within: the ones before it exchange too."""
    every = range(len(widths)) if within else ()
    written = [every] * (modules - 1) + [outputs]
    return nn.Sequential(*(MultiResolutionModule(widths, blocks, each) for each in written))


class MultiResolutionModule(nn.Module):
    """Parallel branches of basic blocks, then an exchange unit that adds every branch to every written one.

    Takes a list of (N, widths[i], h / 2^i, w / 2^i) and returns the branches named in `outputs`, in that order; with
    no outputs there is no exchange unit and all branches are returned as they are.
    """

    def __init__(self, widths: Sequence[int], blocks: int, outputs: Sequence[int]) -> None:
        super().__init__()
        self.outputs = tuple(outputs)
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(w, w) for _ in range(blocks))) for w in widths)
        # Keyed by written branch, then by read branch; a branch is added to itself as it is and has no entry.
        self.fuse_layers = nn.ModuleDict(
            {
                str(i): nn.ModuleDict({str(j): resample(widths, j, i) for j in range(len(widths)) if j != i})
                for i in self.outputs
            }
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        x = [branch(each) for branch, each in zip(self.branches, x, strict=True)]
        if not self.outputs:
            return x
        return [self.fuse(i, x) for i in self.outputs]

    def fuse(self, i: int, x: list[Tensor]) -> Tensor:
        """ReLU of the sum of all branches, brought to the width and resolution of branch i."""
        layers = self.fuse_layers[str(i)]
        size = x[i].shape[-2:]
        total: Tensor | None = None
        for j, branch in enumerate(x):
            term = branch if j == i else layers[str(j)](branch)  # type: ignore[index]
            if j > i:
                term = F.interpolate(term, size=size, mode="nearest")
            total = term if total is None else total + term
        assert total is not None
        return self.relu(total)


def resample(widths: Sequence[int], j: int, i: int) -> nn.Sequential:
    """Branch j brought to the width of branch i: a 1x1 convolution upwards (the exchange unit then enlarges it),
    one strided 3x3 convolution per halving downwards, of which the last changes the width and has no ReLU.
    """
    if j > i:
        return nn.Sequential(*conv_norm(widths[j], widths[i], 1))
    halvings = [nn.Sequential(*conv_norm(widths[j], widths[j], 3, 2), nn.ReLU(inplace=True)) for _ in range(i - j - 1)]
    return nn.Sequential(*halvings, nn.Sequential(*conv_norm(widths[j], widths[i], 3, 2)))
