"""The poses that a keypoint state judged, to be judged again with other joints, scores or people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hrbench.formats.coco.columns import Detections, Truths
from hrbench.formats.coco.keypoint_results import KeypointResults
from hrbench.formats.coco.keypoints import KeypointTruth
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.groups import RowGroups, group_keys
from hrbench.metrics.coco.joint_errors import AnnotatedJoints
from hrbench.metrics.coco.matching import ONE_CLASS, Matches, MatchSettings, match, match_groups
from hrbench.metrics.coco.oks import oks

AP = Number("AP", "precision", None, 0)
EVERY_AREA = (("all", 0.0, 1e10),)


@dataclass(frozen=True)
class JudgedPoses:
    """N predicted people that were judged, by image, class and falling score, and G annotated people.

    truths, keypoints, box: of the annotated people, as of `KeypointTruth`.
    detections, poses: (N) of the predicted ones: their columns, and (N, K, 2) px.
    sigmas: (K,) the spread of each joint.
    mirror: (K,) the joint on the other side; None if not known.
    settings: of the measurement, over all areas and with its last limit of detections.
    images, categories: ids that are evaluated, rising.
    """

    truths: Truths
    keypoints: np.ndarray
    box: np.ndarray
    detections: Detections
    poses: np.ndarray
    sigmas: np.ndarray
    mirror: np.ndarray | None
    settings: MatchSettings
    images: np.ndarray
    categories: np.ndarray

    @classmethod
    def of(
        cls,
        target: KeypointTruth,
        results: KeypointResults,
        sigmas: Sequence[float],
        mirror: np.ndarray | None,
        settings: MatchSettings,
        images: np.ndarray,
        categories: np.ndarray,
    ) -> JudgedPoses:
        """What a state of these images and categories judged; classes that do not count become one."""
        truths, found = target.truths, results.detections
        t, d = np.arange(len(truths.image)), np.arange(len(found.image))
        of_truth, of_found = truths.category, found.category
        if settings.class_agnostic:  # in pycocotools' order: by class, then as in the file
            t, d = np.argsort(of_truth, kind="stable"), np.argsort(of_found, kind="stable")
            of_truth, of_found = (
                np.where(np.isin(of_one, categories), ONE_CLASS[0], ONE_CLASS[0] - 1) for of_one in (of_truth, of_found)
            )
            categories = ONE_CLASS
        keys = group_keys(found.image[d], of_found[d], images, categories)
        kept = d[RowGroups.of(keys, found.score[d], settings.max_detections[-1]).rows]
        alone = replace(settings, areas=EVERY_AREA, max_detections=settings.max_detections[-1:], class_agnostic=False)
        return cls(
            Truths(truths.image[t], of_truth[t], truths.area[t], truths.crowd[t], truths.ignore[t]),
            target.keypoints[t],
            target.box[t],
            Detections(found.image[kept], of_found[kept], found.score[kept], found.area[kept]),
            results.keypoints[kept],
            np.asarray(sigmas, np.float64),
            mirror,
            alone,
            images,
            categories,
        )

    @property
    def joints(self) -> AnnotatedJoints:
        return AnnotatedJoints.of(self.keypoints, self.truths.area, self.sigmas, self.mirror)

    def found(self) -> RowGroups:
        """The predicted people by image and class; rows are their positions."""
        keys = group_keys(self.detections.image, self.detections.category, self.images, self.categories)
        return RowGroups.of(keys, self.detections.score)

    def people(self, some: np.ndarray) -> RowGroups:
        """Some (G,) bool of the annotated people by image and class."""
        keys = group_keys(self.truths.image, self.truths.category, self.images, self.categories)
        return RowGroups.of(np.where(some, keys, -1))

    def similarity(self, poses: np.ndarray):
        """OKS of poses (N, K, 2) with the annotated people."""
        return oks(self.keypoints, self.truths.area, self.box, poses, self.sigmas)

    def matched(self, poses: np.ndarray, score: np.ndarray | None = None, images: np.ndarray | None = None) -> Matches:
        """The evaluation's matches with these joints.

        poses: (N, K, 2) px.
        score: (N,) instead of their own.
        images: rising ids, of these alone.
        """
        own = self.detections if score is None else replace(self.detections, score=score)
        some = self.images if images is None else images
        return match(self.truths, own, self.similarity(poses), self.settings, some, self.categories)

    def matched_within(self, outside: Sequence[np.ndarray]) -> Matches:
        """The evaluation's matches, in the place of each area range with other people that do not count.

        outside: for each, (G,) bool, who does not count. Predicted people are not spared, whatever their area.
        """
        settings = replace(self.settings, areas=EVERY_AREA * len(outside))
        every = np.ones(len(self.truths.image), bool)
        return match_groups(
            self.truths, self.detections, self.similarity(self.poses), settings, self.images, self.categories,
            self.people(every), self.found(), outside=outside,
        )  # fmt: skip

    def ap(self, matches: Matches) -> float:
        """AP over all thresholds; NaN if nobody counts."""
        value = float(Accumulator(matches, self.settings, (AP,)).at()[0])
        return value if value > -1 else float("nan")
