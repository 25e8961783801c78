"""The miniature data sets with few images: drawing one whole takes up to twenty seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

IMAGE_NUMBERS = {
    "hrbench.miniature.generate.shape_dataset:generate_imagenet": "TEST_IMAGES",
    "hrbench.miniature.generate.street_dataset:generate": "IMAGES",
    "hrbench.miniature.generate.object_dataset:generate": "IMAGES",
    "hrbench.miniature.generate.pose_datasets:generate_coco": "COCO_IMAGES",
    "hrbench.miniature.generate.pose_datasets:generate_mpii": "MPII_IMAGES",
}
"""What draws a set, and the name of its number of images."""


@contextmanager
def drawn_with(images: int) -> Iterator[int]:
    """Every set that this process draws meanwhile has so many images."""
    with pytest.MonkeyPatch.context() as patch:
        for draw, name in IMAGE_NUMBERS.items():
            patch.setattr(f"{draw.partition(':')[0]}.{name}", images)
        yield images
