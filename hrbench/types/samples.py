"""What flows through an evaluation: samples, network inputs, predictions, and what a data set's labels mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # annotations only: this module imports nothing at run time
    import numpy as np


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with what the protocol needs of its annotation.

    id: the image id of the data set.
    size: (width, height) in pixels as annotated, or None.
    group: the images that may be resampled together, such as a city; "" for none.
    content: what the task's `prepare` needs. Pose: a tuple of `Person`; classification: None, or the only box (x, y,
        width, height) in pixels to classify; segmentation and detection: None.
    orientation: whether the annotation belongs to the picture as the file stores it, or turned as its EXIF orientation
        says ("applied"); "" if nobody says, and then a file with such a tag is refused.
    """

    id: int | str
    path: Path
    size: tuple[int, int] | None = None
    group: str = ""
    content: Any = None
    orientation: Literal["", "stored", "applied"] = "stored"


@dataclass(frozen=True, slots=True)
class Person:
    """A person whose pose is estimated: a box, or a centre and a scale as MPII annotates them.

    index: position in the official order of the data set (row in MPII, in the box file, or in COCO's annotations).
    score: the box's confidence, 1 for ground truth.
    box: x, y, width, height in image pixels.
    centre: x, y in image pixels, 1-based as annotated.
    scale: the person's height / 200.
    category: the id of its class, None if all people of the data set are of one (`KeypointScheme.category`).
    """

    index: int
    score: float = 1.0
    box: tuple[float, float, float, float] | None = None
    centre: tuple[float, float] | None = None
    scale: float | None = None
    category: int | None = None


@dataclass(frozen=True, slots=True)
class KeypointScheme:
    """The joints of a pose data set.

    names: K joint names in output order.
    flip_pairs: (left, right) indices exchanged by a mirror.
    sigmas: K OKS constants, empty if the metric needs none.
    limbs: pairs of joints that are connected in rendered images.
    category: COCO id of the person class.
    annotated: every annotated person gets exactly one prediction, neither rescored nor suppressed.
    """

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...] = ()
    limbs: tuple[tuple[int, int], ...] = ()
    category: int = 1
    annotated: bool = False


@dataclass(frozen=True, slots=True)
class ClassScheme:
    """The classes of a segmentation, detection or classification data set, in the order of a network's outputs.

    names: C names.
    ids: the number of each class in the files of the data set (label ids of Cityscapes, category ids of COCO, positions
        of the synsets of ImageNet: then 0..C-1).
    palette: C colours (red, green, blue), 0 to 255; () for none.
    flip_pairs: (left, right) indices exchanged by a mirror (LIP).
    things: of each class whether it is of things that are counted; () where nothing says (panoptic sets do).
    """

    names: tuple[str, ...]
    ids: tuple[int, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    things: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One network input: `image` uint8 (H, W, 3) in the variant's colour order, and what `finish` needs to map back."""

    sample: int | str
    image: np.ndarray
    content: Any = None


@dataclass(frozen=True, slots=True)
class PredictionForm:
    """What a file of predictions looks like, in words for people.

    shape: of the file: "a JSON list with an object for each detection".
    frame: of its numbers: units, where the origin is, classes.
    example: one line of it as it stands in the file; "" for a file of pixels or of bytes.
    """

    shape: str
    frame: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted for one image, in the frame of the original image.

    Pose and detection: a list of COCO results rows (dicts). Segmentation: class indices (H, W) uint8, or uint16 for
    more than 255 classes. Classification: (class indices (k,), scores (k,)), best first. Panoptic: (segment ids
    (H, W), 0 for none; a list of {"id", "category_id"}, one for each).
    """

    sample: int | str
    value: Any
