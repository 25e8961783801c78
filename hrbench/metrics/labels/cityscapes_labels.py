"""The labels of Cityscapes: ids, train ids, categories, and which of them are evaluated.

Facts of cityscapesScripts 2.3.0: `helpers/labels.py`, and `avgClassSize` of
`evaluation/evalPixelLevelSemanticLabeling.py` (mean pixels of an instance in the training and validation sets).
Number plates have no id: no file holds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VOID = 255  # the train id of what is not evaluated


@dataclass(frozen=True)
class Label:
    """One of the 34 label ids. train: its train id, 255 for none. size: mean pixels of an instance, 0 without."""

    id: int
    name: str
    category: str
    train: int = VOID
    size: float = 0.0

    @property
    def evaluated(self) -> bool:
        return self.train != VOID


LABELS = (
    Label(0, "unlabeled", "void"),
    Label(1, "ego vehicle", "void"),
    Label(2, "rectification border", "void"),
    Label(3, "out of roi", "void"),
    Label(4, "static", "void"),
    Label(5, "dynamic", "void"),
    Label(6, "ground", "void"),
    Label(7, "road", "flat", 0),
    Label(8, "sidewalk", "flat", 1),
    Label(9, "parking", "flat"),
    Label(10, "rail track", "flat"),
    Label(11, "building", "construction", 2),
    Label(12, "wall", "construction", 3),
    Label(13, "fence", "construction", 4),
    Label(14, "guard rail", "construction"),
    Label(15, "bridge", "construction"),
    Label(16, "tunnel", "construction"),
    Label(17, "pole", "object", 5),
    Label(18, "polegroup", "object"),
    Label(19, "traffic light", "object", 6),
    Label(20, "traffic sign", "object", 7),
    Label(21, "vegetation", "nature", 8),
    Label(22, "terrain", "nature", 9),
    Label(23, "sky", "sky", 10),
    Label(24, "person", "human", 11, 3462.4756337644),
    Label(25, "rider", "human", 12, 3930.4788056518),
    Label(26, "car", "vehicle", 13, 12794.0202738185),
    Label(27, "truck", "vehicle", 14, 27855.1264367816),
    Label(28, "bus", "vehicle", 15, 35732.1511111111),
    Label(29, "caravan", "vehicle", VOID, 36771.8241758242),
    Label(30, "trailer", "vehicle", VOID, 16926.9763313609),
    Label(31, "train", "vehicle", 16, 67583.7075812274),
    Label(32, "motorcycle", "vehicle", 17, 6298.7200839748),
    Label(33, "bicycle", "vehicle", 18, 4672.3249222261),
)
CLASSES = tuple(label for label in LABELS if label.evaluated)
"""The 19 evaluated ones, in the order of train ids."""
INSTANCE_CLASSES = tuple(label for label in CLASSES if label.size)
"""The 8 of them that have instances."""
CATEGORIES = tuple(dict.fromkeys(label.category for label in CLASSES))
"""The 7 evaluated categories, in order."""
INSTANCE_CATEGORIES = tuple(dict.fromkeys(label.category for label in INSTANCE_CLASSES))
"""The 2 of which every label has instances."""
CATEGORY_OF = np.array([("void", *CATEGORIES).index(label.category) for label in LABELS], np.uint8)
"""(34,) number of each label's category, 0 for void."""
