"""How joints are estimated from a person's crop: the settings, and the published protocols by name.

    protocol       map of the crop   mirrored heatmaps        joint in a heatmap
    top-down       classic           moved right by a pixel   the maximum, a quarter pixel to its higher neighbour
    dark           classic           moved right by a pixel   DARK's expansion, smoothed with 11 x 11
    udp            udp               not moved                UDP's expansion, smoothed with 11 x 11
    udp-combined   udp               not moved                the maximum, smoothed with 23 x 23, and the offset there

top-down is that of HRNet (Sun et al., CVPR 2019) and SimpleBaseline (Xiao et al., ECCV 2018), as their official code
runs it. dark is that of DARK (Zhang et al., CVPR 2020) and udp that of UDP (Huang et al., CVPR 2020), as mmpose 1.3.2
runs them: its MSRAHeatmap(unbiased=True) and UDPHeatmap codecs; udp-combined is UDPHeatmap(heatmap_type="combined"), of
networks with three maps a joint. A network must have been trained for the map of its crops and, for the last digits, on
targets of its decoding.

Networks that find people themselves are given whole images and no boxes (`one_stage.py`):

    protocol                input                              people kept
    one-stage               the image at its own size          all that the network gives
    one-stage-torchvision   short side 800, long side 1333     all that the network gives
    one-stage-yolo          in the middle of the network's     above 0.001, boxes suppressed at an IoU of 0.7, 300 best

A person's score is the network's own; neither rescoring, OKS suppression nor mirror images take part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hrbench.contracts import LATER
from hrbench.core.plugins import model_ref
from hrbench.errors import UsageError
from hrbench.tasks.pose.decoding import Decoding
from hrbench.tasks.pose.geometry import Affine


@dataclass(frozen=True, slots=True)
class TopDown:
    """The protocol; `version` is raised by hand whenever a prediction may change.

    A data set that scores each annotated person once (MPII) uses neither boxes, rescoring nor suppression.

    boxes: "detector" (the file behind the published tables), "ground_truth", or a file below the data set's folder;
        "annotated" for a data set with only a centre and a scale for each person (MPII); "none" for a network that
        finds people itself.
    flip: whether heatmaps are averaged with those of the mirrored image.
    shift_heatmap: whether the mirrored image's heatmaps are first moved right by one pixel.
    quarter_offset: whether each maximum is moved a quarter pixel towards its higher neighbour; of decoding: maximum.
    image_threshold: minimum score of a detector's box.
    visibility_threshold: joints above it enter a person's score.
    oks_threshold: of suppression.
    soft_nms: whether the soft variant is used, with at most 20 people in an image.
    decoding: a joint is the "maximum" of its heatmap, or that refined by the expansion of "dark" or "udp"; "combined":
        the network has three maps a joint, of which two tell the offset at the maximum of the first.
    affine: the map from a person's region to the crop and back, "classic" or "udp".
    blur_kernel: side of the Gaussian, in heatmap pixels, that heatmaps are smoothed with before an expansion or, of
        decoding: combined, before the maximum is taken; odd; 0 smooths nothing.
    blur_sigma: of that Gaussian, in heatmap pixels; 0 for 0.3 ((blur_kernel - 1) / 2 - 1) + 0.8, which is 2 for 11.
    offset_radius: of decoding: combined, what an offset of 1 is, in parts of the longer side of a heatmap.
    resize: how an image becomes an input: a "crop" for each person; or whole, with boxes: none, at its own size
        ("none"), with a short side ("torchvision"), or in the middle of the network's input ("letterbox").
    short, long: for "torchvision": the short side is resized to `short` pixels, or to less if the long side would
        exceed `long`.
    score_threshold: people with no more than it are left out, with boxes: none.
    box_iou: raw candidates that overlap a better one by more are left out; 0 suppresses nothing.
    most: maximum number of people of an image, with boxes: none; 0 for all that the network gives.
    stated_by: the configuration of a library that these settings come from; "" if they come from elsewhere.
    """

    name: str = "top-down"
    version: int = 1
    boxes: Literal["detector", "ground_truth", "annotated", "none"] | str = "detector"
    flip: bool = True
    shift_heatmap: bool = True
    quarter_offset: bool = True
    image_threshold: float = 0.0
    visibility_threshold: float = 0.2
    oks_threshold: float = 0.9
    soft_nms: bool = False
    decoding: Decoding = field(default="maximum", metadata=LATER)
    affine: Affine = field(default="classic", metadata=LATER)
    blur_kernel: int = field(default=0, metadata=LATER)
    blur_sigma: float = field(default=0.0, metadata=LATER)
    resize: Literal["crop", "none", "torchvision", "letterbox"] = field(default="crop", metadata=LATER)
    short: int = field(default=0, metadata=LATER)
    long: int = field(default=0, metadata=LATER)
    score_threshold: float = field(default=0.0, metadata=LATER)
    box_iou: float = field(default=0.0, metadata=LATER)
    most: int = field(default=0, metadata=LATER)
    stated_by: str = field(default="", metadata=LATER)
    offset_radius: float = field(default=0.0, metadata=LATER)


WHOLE = {"boxes": "none", "flip": False, "shift_heatmap": False, "quarter_offset": False}
"""Settings of networks that find people themselves, which have neither boxes nor heatmaps to average."""

NAMED_PROTOCOLS = (
    TopDown(),
    TopDown("dark", quarter_offset=False, decoding="dark", blur_kernel=11),
    TopDown("udp", quarter_offset=False, decoding="udp", blur_kernel=11, affine="udp", shift_heatmap=False),
    TopDown(
        "udp-combined",
        quarter_offset=False,
        decoding="combined",
        blur_kernel=23,
        affine="udp",
        shift_heatmap=False,
        offset_radius=0.0546875,
    ),
    TopDown("one-stage", **WHOLE, resize="none"),
    TopDown("one-stage-torchvision", **WHOLE, resize="torchvision", short=800, long=1333),
    TopDown("one-stage-yolo", **WHOLE, resize="letterbox", score_threshold=0.001, box_iou=0.7, most=300),
)


def usual(use: str) -> str:
    """The protocol for networks of this `use` if no other is named.

    >>> usual("torchvision:keypointrcnn_resnet50_fpn"), usual("pose_hrnet")
    ('one-stage-torchvision', 'top-down')
    """
    return "one-stage-torchvision" if model_ref(use).source == "torchvision" else "top-down"


def checked(protocol: TopDown) -> TopDown:
    """The protocol, if its settings go together. Raises UsageError otherwise."""
    _check_people(protocol)
    kernel, sigma, refines = protocol.blur_kernel, protocol.blur_sigma, protocol.decoding != "maximum"
    if protocol.quarter_offset and refines:
        raise UsageError(
            f"protocol.quarter_offset is of decoding: maximum; set it to false for decoding: {protocol.decoding}"
        )
    if (kernel or sigma) and not refines:
        raise UsageError(
            "protocol.blur_kernel and blur_sigma are of decoding: dark, udp or combined; here it is maximum"
        )
    if (protocol.decoding == "combined") != (protocol.offset_radius > 0):
        said = f"protocol.offset_radius is {protocol.offset_radius:g}"
        raise UsageError(f"{said}; it is above 0 with decoding: combined, and 0 with others")
    if kernel < 0 or (kernel and kernel % 2 == 0):
        raise UsageError(f"protocol.blur_kernel is {kernel}; it is odd, or 0 to smooth nothing")
    if sigma < 0 or (sigma and kernel < 2):
        raise UsageError(f"protocol.blur_sigma is {sigma:g}; it is 0 or more, and above 0 only with a blur_kernel")
    return protocol


def _check_people(protocol: TopDown) -> None:
    """Raises UsageError unless people come from boxes and crops, or from whole images, and not from a mixture."""
    whole, resize = protocol.boxes == "none", protocol.resize
    if whole and resize == "crop":
        raise UsageError(
            "protocol.boxes: none is of networks that find people themselves: name the protocol one-stage, "
            "one-stage-torchvision or one-stage-yolo, or set protocol.resize"
        )
    if not whole and resize != "crop":
        raise UsageError(
            f"protocol.resize: {resize} feeds whole images, and protocol.boxes is {protocol.boxes}; it must be none, "
            "which data of single annotated people (MPII) do not allow"
        )
    if whole and (protocol.flip or protocol.decoding != "maximum" or protocol.affine != "classic"):
        raise UsageError("protocol.flip, decoding and affine are of heatmaps of crops; with boxes: none there are none")
    if resize == "torchvision" and min(protocol.short, protocol.long) < 1:
        raise UsageError(f"protocol.short and long are {protocol.short} and {protocol.long}; both are 1 pixel at least")
    if not whole and (protocol.score_threshold or protocol.box_iou or protocol.most):
        raise UsageError("protocol.score_threshold, box_iou and most are of boxes: none (image_threshold is of boxes)")
    if not 0 <= protocol.box_iou <= 1 or protocol.most < 0:
        raise UsageError(f"protocol.box_iou is {protocol.box_iou:g} and most {protocol.most}; 0 to 1, and 0 or more")
