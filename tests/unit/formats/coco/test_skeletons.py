"""Skeletons of public sets: of one length, mirrored onto themselves, with OKS constants as their sources have them."""

from __future__ import annotations

import pytest

from hrbench.errors import UsageError
from hrbench.formats.coco.skeletons import COCO_SIGMAS, SKELETONS, WHOLEBODY_PARTS, skeleton_named

SIZES = {
    "coco": 17, "crowdpose": 14, "coco-wholebody": 133, "ap-10k": 17, "ai-challenger": 14, "posetrack18": 17,
    "halpe-26": 26, "halpe-136": 136,
}  # fmt: skip


def test_all_are_known_here():
    assert set(SIZES) == set(SKELETONS)


@pytest.mark.parametrize("name", SIZES)
def test_a_skeleton_is_in_order(name: str):
    skeleton = SKELETONS[name]
    many = SIZES[name]
    assert len(skeleton.names) == len(set(skeleton.names)) == len(skeleton.sigmas) == many
    assert all(0 < sigma < 0.2 for sigma in skeleton.sigmas)
    assert all(0 <= joint < many for limb in skeleton.limbs for joint in limb)
    paired = [joint for pair in skeleton.flip_pairs for joint in pair]
    assert len(paired) == len(set(paired)) and set(paired) <= set(range(many))
    for left, right in skeleton.flip_pairs:
        if skeleton.names[left].startswith("left"):
            assert skeleton.names[right] == skeleton.names[left].replace("left", "right")
    sided = {at for at, joint in enumerate(skeleton.names) if joint.startswith(("left", "right"))}
    assert sided <= set(paired)


def test_of_most_skeletons_mirrored_joints_have_one_constant():
    for name in ("coco", "crowdpose", "posetrack18", "halpe-26", "halpe-136"):
        skeleton = SKELETONS[name]
        assert all(skeleton.sigmas[a] == skeleton.sigmas[b] for a, b in skeleton.flip_pairs), name
    animal = SKELETONS["ap-10k"]  # which takes COCO's by place, though its joints are others
    assert sum(animal.sigmas[a] != animal.sigmas[b] for a, b in animal.flip_pairs) == 6


def test_known_values():
    assert COCO_SIGMAS[3] == 0.35 / 10 != 0.035 == SKELETONS["coco-wholebody"].sigmas[3]
    whole = SKELETONS["coco-wholebody"]
    assert [whole.names[place] for place in (0, 17, 23, 91, 112, 132)] == [
        "nose", "left big toe", "face 0", "left hand root", "right hand root", "right pinky finger 4",
    ]  # fmt: skip
    pairs = set(whole.flip_pairs)
    # the outline's ends, the inner ends of the brows, the corners of the mouth; chin and nose lie in the middle
    assert {(23, 39), (44, 45), (71, 77), (91, 112)} <= pairs
    assert not {31, 53} & {joint for pair in pairs for joint in pair}
    assert [places.stop - places.start for _, _, places in WHOLEBODY_PARTS] == [17, 6, 68, 21, 21]
    assert SKELETONS["ai-challenger"].sigmas[::13] == (0.01388152, 0.01236173)


def test_an_unknown_name():
    with pytest.raises(UsageError, match="skeleton 'crowd-pose': did you mean crowdpose"):
        skeleton_named("crowd-pose")
