"""Generated data that several benchmarks share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def coco_scale_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Paths of annotations and keypoint results of val2017's size; see `coco_scale`."""
    import coco_scale

    return coco_scale.write(tmp_path_factory.mktemp("coco_scale"))


@pytest.fixture(scope="session")
def box_scale_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Paths of annotations and box results of val2017's size; see `instance_scale`."""
    import instance_scale

    return instance_scale.write(tmp_path_factory.mktemp("box_scale"))


@pytest.fixture(scope="session")
def mask_scale_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Paths of annotations and mask results, 5,000 images with 20 masks each; see `instance_scale`."""
    import instance_scale

    return instance_scale.write(tmp_path_factory.mktemp("mask_scale"), each=20, masks=True)
