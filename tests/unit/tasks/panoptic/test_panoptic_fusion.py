"""Segments of queries: equal to transformers' own post-processing to the last pixel, and to the rule of the paper."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hrbench.errors import UsageError
from hrbench.tasks.panoptic.fusion import fused
from hrbench.tasks.panoptic.protocols import MASK2FORMER, TRANSFORMERS, Fusion, checked

CLASSES, STUFF = 6, {3, 4, 5}
PROCESSORS = {
    "MaskFormerImageProcessor": TRANSFORMERS,
    "Mask2FormerImageProcessor": replace(TRANSFORMERS, masks_to=(384, 384)),
    "OneFormerImageProcessor": TRANSFORMERS,
}


def drawn(seed: int, queries: int = 14, sure: float = 3.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of classes (Q, C + 1), some of "no object", and smooth masks (Q, h, w)."""
    made = torch.Generator().manual_seed(seed)
    classes = sure * torch.randn(queries, CLASSES + 1, generator=made)
    masks = 6 * F.interpolate(torch.randn(1, queries, 4, 5, generator=made), size=(16, 20), mode="bilinear")[0]
    return classes, masks


def theirs(kind: str, classes: torch.Tensor, masks: torch.Tensor, size: tuple[int, int], **more: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    outputs = SimpleNamespace(class_queries_logits=classes[None], masks_queries_logits=masks[None].clone())
    own = getattr(transformers, kind)
    post = own.post_process_panoptic_segmentation
    (found,) = post(SimpleNamespace(), outputs, label_ids_to_fuse=STUFF, target_sizes=[size], **more)
    return found["segmentation"].numpy().astype(np.int64), found["segments_info"]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("kind", PROCESSORS)
def test_equal_to_the_library_to_the_last_pixel(kind: str, threshold: float) -> None:
    """But for the numbers: where the library gives two segments one, only pixels of the others can be compared."""
    compared = segments = 0
    for seed in range(6):
        classes, masks = drawn(seed)
        expected, info = theirs(kind, classes, masks, (33, 47), threshold=threshold, overlap_mask_area_threshold=0.5)
        protocol = replace(PROCESSORS[kind], threshold=threshold, overlap=0.5)
        own = fused(classes, masks, ((16, 20), (16, 20), (33, 47)), protocol, STUFF)
        if not info:  # the library says -1 where nothing was found at all, and 0 for pixels of no segment else
            assert not own.ids.any() and not own.labels
            continue
        label_of: dict[int, set[int]] = {}
        for one in info:
            label_of.setdefault(one["id"], set()).add(one["label_id"])
        made = [one for one in info if not one["was_fused"]]
        shared = len({one["id"] for one in made}) < len(made) or any(len(some) > 1 for some in label_of.values())
        assert np.array_equal(own.ids > 0, expected > 0)
        if shared:
            continue
        pairs = set(zip(own.ids.ravel().tolist(), expected.ravel().tolist(), strict=True))
        assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
        assert all(own.labels[one - 1] in label_of[other] for one, other in pairs if one)
        compared, segments = compared + 1, segments + len(own.labels)
    assert compared >= 3 and segments > 4


def official(classes: torch.Tensor, masks: torch.Tensor, sizes: Any, protocol: Fusion) -> tuple[np.ndarray, list[int]]:
    """The rule of Mask2Former's own code, query by query."""
    whole, inner, image = sizes
    masks = F.interpolate(masks[None], size=whole, mode="bilinear", align_corners=False)[..., : inner[0], : inner[1]]
    masks = F.interpolate(masks, size=image, mode="bilinear", align_corners=False)[0].sigmoid().numpy()
    scores, labels = (each.numpy() for each in classes.softmax(-1).max(-1))
    kept = [k for k in range(len(labels)) if labels[k] != CLASSES and scores[k] > np.float32(protocol.threshold)]
    ids, found, of_stuff = np.zeros(image, np.int64), [], {}
    if not kept:
        return ids, found
    best = np.array(kept)[np.argmax(np.stack([masks[k] * scores[k] for k in kept]), axis=0)]
    for k in kept:
        mine, above = best == k, masks[k] >= 0.5
        if not (mine & above).any() or mine.sum() / above.sum() < protocol.overlap:
            continue
        label = int(labels[k])
        if label not in of_stuff:
            found.append(label)
            number = len(found)
            if label in STUFF:
                of_stuff[label] = number
        else:
            number = of_stuff[label]
        ids[mine & above] = number
    return ids, found


@pytest.mark.parametrize(("overlap", "queries"), [(0.3, 14), (0.8, 4)])
def test_equal_to_the_rule_of_the_paper(overlap: float, queries: int) -> None:
    protocol, sizes, many = replace(MASK2FORMER, overlap=overlap), ((32, 64), (32, 40), (25, 50)), 0
    for seed in range(20):
        classes, masks = drawn(seed, queries, sure=5.0)
        own = fused(classes, masks, sizes, protocol, STUFF)
        ids, labels = official(classes, masks, sizes, protocol)
        assert np.array_equal(own.ids, ids) and list(own.labels) == labels
        assert set(np.unique(own.ids).tolist()) - {0} == set(range(1, len(labels) + 1))
        many += len(labels)
    assert many > 4


def test_two_segments_never_share_a_number_as_they_do_in_the_library() -> None:
    """A thing, a part of stuff, another thing, more of the stuff, and one thing more."""
    labels = [0, 3, 1, 3, 2]
    classes = torch.full((5, CLASSES + 1), -9.0)
    classes[torch.arange(5), torch.tensor(labels)] = 9.0
    masks = torch.full((5, 10, 10), -20.0)
    for query in range(5):
        masks[query, 2 * query : 2 * query + 2] = 20.0
    sizes = ((10, 10), (10, 10), (10, 10))
    for protocol in (TRANSFORMERS, replace(MASK2FORMER, multiple=1)):
        own = fused(classes, masks, sizes, protocol, STUFF)
        assert own.ids[:, 0].tolist() == [1, 1, 2, 2, 3, 3, 2, 2, 4, 4] and own.labels == (0, 3, 1, 2)
    ids, info = theirs("MaskFormerImageProcessor", classes, masks, (10, 10))
    assert [one["id"] for one in info] == [1, 2, 3, 2, 3] and ids[4, 0] == ids[8, 0] == 3


def test_nothing_is_found_where_no_query_is_sure() -> None:
    classes, masks = drawn(0, sure=0.0)
    for protocol in (TRANSFORMERS, MASK2FORMER):
        own = fused(classes, masks, ((16, 20), (16, 20), (7, 9)), protocol, STUFF)
        assert own.ids.shape == (7, 9) and not own.ids.any() and own.labels == ()


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"threshold": 1.5}, "threshold: from 0 to 1"),
        ({"overlap": -0.1}, "overlap: from 0 to 1"),
        ({"short": None}, "short: a number"),
        ({"long": 10}, "long: at least short"),
        ({"masks_to": (0, 384)}, "masks_to"),
        ({"multiple": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(settings: dict[str, Any], rule: str) -> None:
    with pytest.raises(UsageError, match=rule):
        checked(replace(MASK2FORMER, **settings))
