"""HRNet: a high-resolution branch kept from start to end, lower-resolution branches added stage by stage.

V1, pose: Sun, Xiao, Liu, Wang: Deep High-Resolution Representation Learning for Human Pose Estimation, CVPR 2019.
V2, V2p, C: Wang, Sun, Cheng, Jiang, Deng, Zhao, Liu, Mu, Tan, Wang, Liu, Xiao: Deep High-Resolution Representation
Learning for Visual Recognition, TPAMI 2021. State-dict keys are those of leoxiaobin/deep-high-resolution-net.pytorch
and of HRNet/HRNet-{Semantic-Segmentation,Image-Classification,Object-Detection,Facial-Landmark-Detection}, so their
checkpoints load unchanged.

    entry           reads of the branches              enlarges by    parameters
    pose_hrnet      the highest                        nearest        w32 28,536,113  w48 63,595,745 (17 joints)
    seg_hrnet       all, enlarged and concatenated     bilinear       w40 45,894,435  w48 65,859,379 (19 classes)
    seg_hrnet_ocr   the same, then ocr.py              bilinear       w48 70,372,678 (19 classes)
    face_hrnet      as seg_hrnet                       bilinear       w18 9,662,528 (98 landmarks)
    det_hrnetv2p    the same, then a pyramid           nearest        w32 32,379,072 (backbone and neck)
    cls_hrnet       all, each added to the next lower  nearest        w18 21,299,004  w48 77,469,864

    width                widths of the branches    layer1             modules in stages 2, 3, 4    blocks
    w18, w30 ... w64     C    2C   4C   8C         4, 64 channels     1, 4, 3                      4
    W18-small-v2         18   36   72  144         2, 64 channels     1, 3, 2                      2
    W18-small-v1         16   32   64  128         1, 32 channels     1, 1, 1                      2

    stage      1/4      1/8      1/16     1/32
    layer1     bottlenecks
    stage2     ====x    ====x                         x: exchange unit, one at the end of every module (8 in all);
    stage3     ====x    ====x    ====x         (x4)   the last one of stage 4 writes only what the head reads
    stage4     ====x    ====x    ====x    ====x (x3)

Ablations of the CVPR paper, section 4.4, and how they are read here:

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
from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.layers.blocks import BasicBlock, Bottleneck, conv_norm, initialise
from hrbench.models.layers.ocr import SpatialGather, SpatialOCR
from hrbench.models.layers.pyramid import HRFPN, KEYS, Keys, concatenate_branches, enlarge

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
    Weights are randomly initialised as in the official training from scratch (`blocks.initialise`).

    width: channels of the highest branch; the others have 2, 4 and 8 times as many, unless `widths` has all four.
    joints: number of heatmaps.
    exchange, head: ablations, see the top of this file; head=k gives heatmaps at 1 / 2^(k+1) of the input.
    stem: channels before the branches.
    layer1: number of bottlenecks in layer1, of 4 x stem channels.
    modules: number of modules in stages 2, 3 and 4.
    blocks: basic blocks per branch and module.

    Raises UsageError on values that make no network.
    """
    config = checked_config(
        "pose_hrnet", TrunkConfig(width, widths, stem, stem, layer1, modules, blocks), joints=joints
    )
    if exchange not in EXCHANGES:
        raise UsageError(f"pose_hrnet: exchange {exchange!r} was given; there are {', '.join(EXCHANGES)}.")
    if head not in (1, 2, 3, 4):
        raise UsageError(f"pose_hrnet: head {head!r} was given; heatmaps come from branch 1, 2, 3 or 4.")
    return PoseHRNet(config, joints, head, exchange)


def seg_hrnet(
    width: int = 48,
    classes: int = 19,
    align_corners: bool = False,
    stem: int = 64,
    planes: int = 64,
    widths: Sequence[int] | None = None,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    layer1: int = 4,
) -> SegHRNet:
    """HRNetV2 for semantic segmentation: images (N, 3, H, W), normalised, -> logits (N, classes, H / 4, W / 4).

    H and W may have any size; they are rounded up at each halving. Weights are randomly initialised as in the official
    training from scratch, biases 0 (`blocks.initialise`).

    align_corners: how branches are enlarged, in exchange units and before the head: False in the official branches
        master and pytorch-v1.1, True in HRNet-OCR.
    width, stem, planes, widths, modules, blocks, layer1: see `TrunkConfig`.

    Raises UsageError on values that make no network.
    """
    config = checked_config(
        "seg_hrnet", TrunkConfig(width, widths, stem, planes, layer1, modules, blocks), classes=classes
    )
    return SegHRNet(config, classes, align_corners)


def face_hrnet(
    width: int = 18,
    landmarks: int = 98,
    stem: int = 64,
    planes: int = 64,
    widths: Sequence[int] | None = None,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    layer1: int = 4,
) -> FaceHRNet:
    """HRNetV2 for facial landmarks: images (N, 3, H, W), normalised, -> heatmaps (N, landmarks, H / 4, W / 4).

    As HRNet/HRNet-Facial-Landmark-Detection has it: the network of `seg_hrnet` with its two convolutions called `head`.
    Weights are randomly initialised as in the official training from scratch.

    landmarks: number of heatmaps: 98 (WFLW), 68 (300W), 29 (COFW), 19 (AFLW).
    width, stem, planes, widths, modules, blocks, layer1: see `TrunkConfig`.

    Raises UsageError on values that make no network.
    """
    config = TrunkConfig(width, widths, stem, planes, layer1, modules, blocks)
    return FaceHRNet(checked_config("face_hrnet", config, landmarks=landmarks), landmarks)


def seg_hrnet_ocr(
    width: int = 48,
    classes: int = 19,
    align_corners: bool = True,
    middle: int = 512,
    key: int = 256,
    stem: int = 64,
    planes: int = 64,
    widths: Sequence[int] | None = None,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    layer1: int = 4,
) -> OCRHRNet:
    """HRNetV2 + OCR: images (N, 3, H, W), normalised, -> two logits (N, classes, H / 4, W / 4), auxiliary and final.

    The final logits are the prediction; the auxiliary ones weight the pixels of each class. Official branch HRNet-OCR;
    as there, the head is initialised by torch's defaults.

    middle, key: channels of the features and of the attention in `ocr`.
    The other parameters are those of `seg_hrnet`.

    Raises UsageError on values that make no network.
    """
    config = TrunkConfig(width, widths, stem, planes, layer1, modules, blocks)
    config = checked_config("seg_hrnet_ocr", config, classes=classes, middle=middle, key=key)
    return OCRHRNet(config, classes, align_corners, middle, key)


def cls_hrnet(
    width: int = 18,
    classes: int = 1000,
    head: Sequence[int] = (32, 64, 128, 256),
    features: int = 2048,
    stem: int = 64,
    planes: int = 64,
    widths: Sequence[int] | None = None,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    layer1: int = 4,
) -> ClsHRNet:
    """HRNet-C for classification: images (N, 3, H, W), normalised, -> logits (N, classes).

    The official code takes H and W that are multiples of 32; here every other size is rounded up at each halving.
    Convolutions are initialised as in the official code (normal, He et al. 2015, fan-out), all else by torch's
    defaults.

    head: a bottleneck brings branch i to 4 x head[i] channels.
    features: channels that are averaged and classified.
    width, stem, planes, widths, modules, blocks, layer1: see `TrunkConfig`.

    Raises UsageError on values that make no network.
    """
    config = TrunkConfig(width, widths, stem, planes, layer1, modules, blocks)
    config = checked_config("cls_hrnet", config, classes=classes, features=features, head=head)
    if len(head) != 4:
        raise UsageError(f"cls_hrnet: head {tuple(head)} was given; there are four branches to bring to a width.")
    return ClsHRNet(config, classes, head, features)


def det_hrnetv2p(
    width: int = 32,
    keys: Keys = "official",
    stride: int = 1,
    channels: int = 256,
    levels: int = 5,
    stem: int = 64,
    planes: int = 64,
    widths: Sequence[int] | None = None,
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    layer1: int = 4,
) -> DetHRNet:
    """HRNetV2p with HRFPN, for detectors: images (N, 3, H, W), normalised -> `levels` maps (N, channels, h, w).

    Finest first, at 1 / 4, 1 / 8 ... 1 / 64 of the input. H and W are multiples of 32, as detectors pad them; lower
    levels round down. The children `backbone` and `neck` can be used separately: neck(backbone(images)) is the output.
    Weights are randomly initialised as in mmdet without a checkpoint.

    keys: names of the neck's tensors: those of HRNet/HRNet-Object-Detection ("official") or of mmdet 3.
    stride: 2 halves every map (FCOS in mmdet): 1 / 8 ... 1 / 128.
    channels: of every map.
    levels: number of maps.
    width, stem, planes, widths, modules, blocks, layer1: see `TrunkConfig`.

    Raises UsageError on values that make no network.
    """
    config = TrunkConfig(width, widths, stem, planes, layer1, modules, blocks)
    config = checked_config("det_hrnetv2p", config, stride=stride, channels=channels, levels=levels)
    if keys not in KEYS:
        raise UsageError(f"det_hrnetv2p: keys {keys!r} was given; there are {', '.join(KEYS)}.")
    return DetHRNet(config, keys, stride, channels, levels)


@dataclass(frozen=True, slots=True)
class TrunkConfig:
    """The sizes of a trunk: stem and four stages.

    width: channels of the highest branch; the others have 2, 4 and 8 times as many.
    widths: channels of all four branches, instead of `width`; or None.
    stem: channels before layer1.
    planes: a quarter of the channels of layer1.
    layer1: number of bottlenecks in layer1.
    modules: number of modules in stages 2, 3 and 4.
    blocks: basic blocks per branch and module.
    """

    width: int
    widths: Sequence[int] | None
    stem: int
    planes: int
    layer1: int
    modules: Sequence[int]
    blocks: int

    @property
    def branches(self) -> tuple[int, ...]:
        """Channels of the four branches, highest resolution first."""
        return tuple(self.widths) if self.widths is not None else tuple(self.width * 2**i for i in range(4))


def checked_config(entry: str, config: TrunkConfig, **counts: Any) -> TrunkConfig:
    """The plan, checked, with what else the entry counts, by name. Raises UsageError on values that make no network."""
    names = ("width", "widths", "stem", "planes", "layer1", "modules", "blocks")
    for name, value in {**{name: getattr(config, name) for name in names}, **counts}.items():
        if (name == "widths" and value is None) or (name == "width" and config.widths is not None):
            continue  # one of the two is enough
        several = name in ("widths", "modules", "head")
        if several and not isinstance(value, Sequence):
            raise UsageError(f"{entry}: {name} {value!r} was given; it is a list of whole numbers.")
        if not all(type(each) is int and each >= 1 for each in (value if several else (value,))):
            raise UsageError(f"{entry}: {name} {value!r} was given; every count is a whole number of at least 1.")
    four, modules = config.branches, tuple(config.modules)
    if len(four) != 4 or len(modules) != 3:
        raise UsageError(
            f"{entry}: widths {four} and modules {modules} were given: HRNet has four branches and "
            "three multi-resolution stages."
        )
    return config


# --- networks ------------------------------------------------------------------------------------------------------


class Trunk(nn.Module):
    """Stem and four stages, without a head: images (N, 3, H, W) -> the branches that stage 4 writes.

    outputs: which branches (0 is 1/4 of the input, 3 is 1/32) the last exchange unit writes. align_corners: see
    `enlarge`. Heads derive from it because the official keys of trunk and head lie on one level.
    """

    def __init__(
        self,
        config: TrunkConfig,
        outputs: Sequence[int] = range(4),
        align_corners: bool | None = None,
        exchange: Exchange = "full",
    ) -> None:
        super().__init__()
        stem, planes = config.stem, config.planes
        self.conv1, self.bn1 = conv_norm(3, stem, 3, stride=2)
        self.conv2, self.bn2 = conv_norm(stem, stem, 3, stride=2)
        self.relu = nn.ReLU(inplace=True)
        inputs = [stem] + [4 * planes] * (config.layer1 - 1)
        self.layer1 = nn.Sequential(*(Bottleneck(channels, planes) for channels in inputs))

        two, three, four = (config.branches[:count] for count in (2, 3, 4))
        across = exchange != "final"
        within = exchange == "full"
        self.transition1 = transition([4 * planes], two)
        self.stage2 = stage(two, config, 0, within, range(2) if across else (), align_corners)
        self.transition2 = transition(two, three)
        self.stage3 = stage(three, config, 1, within, range(3) if across else (), align_corners)
        self.transition3 = transition(three, four)
        self.stage4 = stage(four, config, 2, within, outputs, align_corners)

    def features(self, x: Tensor) -> list[Tensor]:
        """Images (N, 3, H, W) -> one tensor (N, widths[i], H / 2^(i+2), W / 2^(i+2)) for each i of `outputs`."""
        x = self.relu(self.bn1(self.conv1(x)))  # (N, stem, H / 2, W / 2)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, stem, H / 4, W / 4)
        branches = [self.layer1(x)]  # (N, 4 planes, H / 4, W / 4)
        branches = self.stage2(open_branch(self.transition1, branches, 2))
        branches = self.stage3(open_branch(self.transition2, branches, 3))
        return self.stage4(open_branch(self.transition3, branches, 4))


class PoseHRNet(Trunk):
    """`pose_hrnet` says what it is: heatmaps by one 1x1 convolution of one branch."""

    def __init__(self, config: TrunkConfig, joints: int, head: int, exchange: Exchange) -> None:
        super().__init__(config, (head - 1,), exchange=exchange)
        self.final_layer = nn.Conv2d(config.branches[head - 1], joints, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        (branch,) = self.features(x)  # (N, widths[head - 1], H / 4, W / 4) for head 1
        return self.final_layer(branch)  # (N, joints, H / 4, W / 4)


class SegHRNet(Trunk):
    """`seg_hrnet` says what it is: logits by two 1x1 convolutions of all branches."""

    def __init__(self, config: TrunkConfig, classes: int, align_corners: bool) -> None:
        super().__init__(config, align_corners=align_corners)
        self.align_corners = align_corners
        self.last_layer = classifier(sum(config.branches), classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = concatenate_branches(self.features(x), self.align_corners)  # (N, 15 width, H / 4, W / 4)
        return self.last_layer(x)  # (N, classes, H / 4, W / 4)


class FaceHRNet(Trunk):
    """`face_hrnet` says what it is: heatmaps by two 1x1 convolutions of all branches."""

    def __init__(self, config: TrunkConfig, landmarks: int) -> None:
        super().__init__(config, align_corners=False)
        self.head = classifier(sum(config.branches), landmarks)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = concatenate_branches(self.features(x), False)  # (N, 15 width, H / 4, W / 4)
        return self.head(x)  # (N, landmarks, H / 4, W / 4)


class OCRHRNet(Trunk):
    """`seg_hrnet_ocr` says what it is: the logits of `SegHRNet` gather one object per class, pixels attend to them."""

    def __init__(self, config: TrunkConfig, classes: int, align_corners: bool, middle: int, key: int) -> None:
        super().__init__(config, align_corners=align_corners)
        initialise(self)
        self.align_corners = align_corners
        channels = sum(config.branches)
        self.conv3x3_ocr = biased(channels, middle, 3)
        self.ocr_gather_head = SpatialGather()
        self.ocr_distri_head = SpatialOCR(middle, key, middle, dropout=0.05)
        self.cls_head = nn.Conv2d(middle, classes, 1)
        self.aux_head = classifier(channels, classes)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = concatenate_branches(self.features(x), self.align_corners)  # (N, 15 width, H / 4, W / 4)
        auxiliary = self.aux_head(x)  # (N, classes, H / 4, W / 4)
        x = self.conv3x3_ocr(x)  # (N, middle, H / 4, W / 4)
        objects = self.ocr_gather_head(x, auxiliary)  # (N, middle, classes, 1)
        return [auxiliary, self.cls_head(self.ocr_distri_head(x, objects))]


class ClsHRNet(Trunk):
    """`cls_hrnet` says what it is: from the highest branch down, each is halved and added to the next."""

    def __init__(self, config: TrunkConfig, classes: int, head: Sequence[int], features: int) -> None:
        super().__init__(config)
        out = [4 * channels for channels in head]
        widened = zip(config.branches, head, strict=True)
        self.incre_modules = nn.ModuleList(nn.Sequential(Bottleneck(*each)) for each in widened)
        self.downsamp_modules = nn.ModuleList(biased(out[i], out[i + 1], 3, 2) for i in range(3))
        self.final_layer = biased(out[-1], features, 1)
        self.classifier = nn.Linear(features, classes)
        init_he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        branches = self.features(x)
        x = self.incre_modules[0](branches[0])  # (N, 4 head[0], H / 4, W / 4)
        for i, halve in enumerate(self.downsamp_modules, start=1):
            x = self.incre_modules[i](branches[i]) + halve(x)  # (N, 4 head[i], H / 2^(i+2), W / 2^(i+2))
        x = self.final_layer(x)  # (N, features, H / 32, W / 32)
        return self.classifier(F.avg_pool2d(x, x.shape[2:]).flatten(1))  # (N, classes)


class DetHRNet(nn.Module):
    """`det_hrnetv2p` says what it is: trunk and pyramid, which a detector may also take apart."""

    def __init__(self, config: TrunkConfig, keys: Keys, stride: int, channels: int, levels: int) -> None:
        super().__init__()
        self.backbone = Backbone(config)
        self.neck = HRFPN(config.branches, channels, levels, stride, keys)
        self.channels, self.strides = self.neck.channels, self.neck.strides

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.neck(self.backbone(x))


class Backbone(Trunk):
    """HRNetV2 without a head: images (N, 3, H, W) -> the four branches, highest resolution first."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__(config)
        self.channels, self.strides = config.branches, (4, 8, 16, 32)
        init_he_normal(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.features(x)


# --- layers --------------------------------------------------------------------------------------------------------


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


def stage(
    widths: Sequence[int],
    config: TrunkConfig,
    number: int,
    within: bool,
    outputs: Sequence[int],
    align_corners: bool | None,
) -> nn.Sequential:
    """The modules of a stage in a row, of which the last writes `outputs`. within: the ones before it exchange too."""
    written = [range(len(widths)) if within else ()] * (config.modules[number] - 1) + [outputs]
    return nn.Sequential(*(MultiResolutionModule(widths, config.blocks, each, align_corners) for each in written))


class MultiResolutionModule(nn.Module):
    """Parallel branches of basic blocks, then an exchange unit that adds every branch to every written one.

    Takes a list of (N, widths[i], h / 2^i, w / 2^i) and returns the branches named in `outputs`, in that order; with
    no outputs there is no exchange unit and all branches are returned as they are. align_corners: see `enlarge`.
    """

    def __init__(
        self, widths: Sequence[int], blocks: int, outputs: Sequence[int], align_corners: bool | None = None
    ) -> None:
        super().__init__()
        self.outputs = tuple(outputs)
        self.align_corners = align_corners
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
        total: Tensor | None = None
        for j, branch in enumerate(x):
            term = branch if j == i else layers[str(j)](branch)  # type: ignore[index]
            if j > i:
                term = enlarge(term, x[i], self.align_corners)
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


def classifier(channels: int, classes: int) -> nn.Sequential:
    """(N, channels, h, w) -> logits (N, classes, h, w): two 1x1 convolutions; the first has a bias beside its norm."""
    return nn.Sequential(*biased(channels, channels, 1), nn.Conv2d(channels, classes, 1))


def biased(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution with a bias, its norm and ReLU: (N, inputs, h, w) -> (N, outputs, ceil(h / stride), ...)."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def init_he_normal(net: nn.Module) -> None:
    """Initialises every convolution: normal, variance 2 / (outputs x kernel area)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
