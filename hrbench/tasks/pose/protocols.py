"""How joints are estimated from a person's crop: the settings, and the published protocols by name.

    protocol   map of the crop   mirrored heatmaps        joint in a heatmap
    top-down   classic           moved right by a pixel   the maximum, a quarter pixel towards its higher neighbour
    dark       classic           moved right by a pixel   DARK's expansion, smoothed with 11 x 11
    udp        udp               not moved                UDP's expansion, smoothed with 11 x 11

top-down is that of HRNet (Sun et al., CVPR 2019) and SimpleBaseline (Xiao et al., ECCV 2018), as their official code
runs it. dark is that of DARK (Zhang et al., CVPR 2020) and udp that of UDP (Huang et al., CVPR 2020), as mmpose 1.3.2
runs them: its MSRAHeatmap(unbiased=True) and UDPHeatmap codecs. A network must have been trained for the map of its
crops and, for the last digits, on targets of its decoding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hrbench.contracts import LATER
from hrbench.errors import UsageError
from hrbench.tasks.pose.decoding import Decoding
from hrbench.tasks.pose.geometry import Affine


@dataclass(frozen=True, slots=True)
class TopDown:
    """The protocol; `version` is raised by hand whenever a prediction may change.

    A data set that scores each annotated person once (MPII) uses neither boxes, rescoring nor suppression.

    boxes: "detector" (the file behind the published tables), "ground_truth", or a file below the data set's folder;
        "annotated" for a data set with only a centre and a scale for each person (MPII).
    flip: whether heatmaps are averaged with those of the mirrored image.
    shift_heatmap: whether the mirrored image's heatmaps are first moved right by one pixel.
    quarter_offset: whether each maximum is moved a quarter pixel towards its higher neighbour; of decoding: maximum.
    image_threshold: minimum score of a detector's box.
    visibility_threshold: joints above it enter a person's score.
    oks_threshold: of suppression.
    soft_nms: whether the soft variant is used, with at most 20 people in an image.
    decoding: a joint is the "maximum" of its heatmap, or that refined by the expansion of "dark" or "udp".
    affine: the map from a person's region to the crop and back, "classic" or "udp".
    blur_kernel: side of the Gaussian, in heatmap pixels, that heatmaps are smoothed with before an expansion, odd; 0
        smooths nothing.
    blur_sigma: of that Gaussian, in heatmap pixels; 0 for 0.3 ((blur_kernel - 1) / 2 - 1) + 0.8, which is 2 for 11.
    """

    name: str = "top-down"
    version: int = 1
    boxes: Literal["detector", "ground_truth", "annotated"] | str = "detector"
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


NAMED_PROTOCOLS = (
    TopDown(),
    TopDown("dark", quarter_offset=False, decoding="dark", blur_kernel=11),
    TopDown("udp", quarter_offset=False, decoding="udp", blur_kernel=11, affine="udp", shift_heatmap=False),
)


def checked(protocol: TopDown) -> TopDown:
    """The protocol, if its settings go together. Raises UsageError otherwise."""
    kernel, sigma, refines = protocol.blur_kernel, protocol.blur_sigma, protocol.decoding != "maximum"
    if protocol.quarter_offset and refines:
        raise UsageError(
            f"protocol.quarter_offset is of decoding: maximum; set it to false for decoding: {protocol.decoding}"
        )
    if (kernel or sigma) and not refines:
        raise UsageError("protocol.blur_kernel and blur_sigma are of decoding: dark or udp; here it is maximum")
    if kernel < 0 or (kernel and kernel % 2 == 0):
        raise UsageError(f"protocol.blur_kernel is {kernel}; it is odd, or 0 to smooth nothing")
    if sigma < 0 or (sigma and kernel < 2):
        raise UsageError(f"protocol.blur_sigma is {sigma:g}; it is 0 or more, and above 0 only with a blur_kernel")
    return protocol
