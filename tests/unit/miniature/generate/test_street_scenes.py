"""The drawn streets: what a scene holds, and that labels, instances and pixels belong together."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hrbench.datasets.cityscapes import SCHEME
from hrbench.miniature.generate import street_scenes
from hrbench.miniature.generate.street_scenes import (
    HEIGHT,
    MIN_INSTANCE_PIXELS,
    TEST_SEED,
    TOWNS,
    WIDTH,
    StreetScene,
    scenes,
)
from hrbench.miniature.train.recipes import RECIPES

COUNTABLE = {24, 26, 28, 33}  # person, car, bus, bicycle
DRAWN = {"road", "sidewalk", "building", "pole", "traffic light", "traffic sign", "vegetation", "sky", "person", "car"}
DRAWN |= {"bus", "bicycle"}
VOID = {1, 3, 4, 5}  # the camera's own car, out of the region of interest, static, dynamic


@pytest.fixture(scope="module")
def some() -> list[StreetScene]:
    return list(scenes(TEST_SEED, 24))


def test_scenes_have_the_layout_of_cityscapes(some: list[StreetScene]) -> None:
    for index, scene in enumerate(some):
        assert scene.index == index and scene.town == TOWNS[index % 3].name
        assert scene.image.shape == (HEIGHT, WIDTH, 3) and scene.image.dtype == np.uint8
        assert scene.labels.shape == scene.instances.shape == (HEIGHT, WIDTH)
        assert scene.labels.dtype == np.uint8 and scene.instances.dtype == np.uint16


def test_labels_are_classes_that_are_judged_or_void(some: list[StreetScene]) -> None:
    values = set(np.unique([scene.labels for scene in some]).tolist())
    ids = dict(zip(SCHEME.names, SCHEME.ids, strict=True))
    assert values == {ids[name] for name in DRAWN} | VOID


def test_instances_determine_labels(some: list[StreetScene]) -> None:
    for scene in some:
        told_apart = scene.instances >= 1000
        np.testing.assert_array_equal(scene.labels[told_apart], scene.instances[told_apart] // 1000)
        np.testing.assert_array_equal(scene.labels[~told_apart], scene.instances[~told_apart])
        assert set(np.unique(scene.labels[told_apart]).tolist()) <= COUNTABLE


def test_no_instance_is_a_sliver_beyond_the_border(some: list[StreetScene]) -> None:
    """What shows fewer pixels than that is void; the border then takes a few more from those at the edge."""
    for scene in some:
        values, counts = np.unique(scene.instances[4:-4, 6:-6], return_counts=True)
        inside = [n for value, n in zip(values, counts, strict=True) if value >= 1000]
        whole = [int((scene.instances == value).sum()) for value in values if value >= 1000]
        at_edge = [a != b for a, b in zip(inside, whole, strict=True)]
        assert all(n >= MIN_INSTANCE_PIXELS or edge for n, edge in zip(whole, at_edge, strict=True))


def test_things_are_large_and_small_and_some_are_group_regions(some: list[StreetScene]) -> None:
    sizes: dict[int, list[int]] = {label: [] for label in COUNTABLE}
    groups = dict.fromkeys(COUNTABLE, 0)
    for scene in some:
        values, counts = np.unique(scene.instances, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            if value >= 1000:
                sizes[value // 1000].append(count)
            elif value in COUNTABLE:
                groups[value] += 1
    for label, found in sizes.items():
        assert len(found) >= 8, label
        assert max(found) > 4 * min(found), label
    assert groups[24] >= 2 and groups[26] >= 2


def test_every_scene_is_a_street_with_a_void_border_and_bonnet(some: list[StreetScene]) -> None:
    for scene in some:
        assert {7, 11, 23} <= set(np.unique(scene.labels).tolist())  # road, building, sky
        assert (scene.labels[:, :2] <= 3).all() and (scene.labels[0] == 3).all()
        assert scene.labels[-2, WIDTH // 2] == 1
        sky, road = (np.nonzero(scene.labels == label)[0].mean() for label in (23, 7))
        assert sky < road


def test_pixels_show_what_labels_say(some: list[StreetScene]) -> None:
    """Sky is brighter than road, leaves are greener than either, and noise changes neighbouring pixels."""
    sky, road, leaves = (
        np.concatenate([scene.image[scene.labels == label] for scene in some]).mean(axis=0) for label in (23, 7, 21)
    )
    assert sky.mean() > road.mean() + 40
    assert leaves[1] > max(leaves[0], leaves[2]) + 10 > road[1] - max(road[0], road[2]) + 10
    assert all((np.diff(scene.image[4:30, 100:140].astype(int), axis=1) != 0).mean() > 0.5 for scene in some)


def test_a_scene_is_its_seed_and_number_alone(some: list[StreetScene]) -> None:
    (alone,) = scenes(TEST_SEED, 1, first=5)
    for mine, other in ((alone.image, some[5].image), (alone.instances, some[5].instances)):
        np.testing.assert_array_equal(mine, other)
    (elsewhere,) = scenes(TEST_SEED + 1, 1, first=5)
    assert not np.array_equal(elsewhere.labels, alone.labels)


def test_training_never_sees_the_test_seed() -> None:
    plans = [plan for name, plan in RECIPES.items() if name.endswith("miniature_cityscapes")]
    assert len(plans) == 2 and all(plan.seed != TEST_SEED for plan in plans)


def test_the_labels_are_these(some: list[StreetScene]) -> None:
    """A changed label changes every stored result: then the folder's version (miniature/v1) must rise too."""
    drawn = hashlib.sha256(b"".join(scene.instances.tobytes() for scene in some))
    assert drawn.hexdigest() == "31a0fb7e5cffe0559a41e22a37c125b978be3bcc6de13becafb82ae47554e5d8"


def test_an_exhausted_canvas_makes_group_regions() -> None:
    camera = street_scenes.Camera(150, 128, 55, 1.5, (220, 220, 220), 0.01)
    paper = street_scenes.Paper(camera, 16, 8, 3)
    ids = [paper.instance(26) for _ in range(300)]
    values = paper.values[ids]
    assert values[:192].tolist() == list(range(26000, 26192)) and set(values[192:].tolist()) == {26}
