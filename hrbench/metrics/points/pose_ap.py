"""AP of joints of several people by distances in head sizes: that of poseval, by which PoseTrack judges poses.

In each frame a predicted person takes the annotated one of whom most joints lie within half a head size (0.6 diagonals
of the head box), as a share of the labelled ones; an annotated person keeps the best of those that took them, the first
of equals. Joints of that prediction within half a head size are right, all other predicted joints wrong. The AP of a
joint is the area under precision over recall, over all frames, ranked by the joints' own scores, with precision made
falling (Pascal VOC 2010). Head is the mean over head top, head bottom and nose, others over left and right; AP is the
mean over the 15 joints. Source: py/eval_helpers.py and py/evaluateAP.py of leonid-pishchulin/poseval; what is read, and
what is left out, `formats.posetrack`.

Equal scores go by image and row, later ones first; poseval leaves their order to the sort and to the order of files. A
joint that nobody has labelled is left out of all means; poseval takes it for 0 unless somebody predicts it.

State, rows by image (I images, N predicted joints): `image` (I,) int64; `labelled` (I, 15) int64, annotated joints;
`found` (I,) int64, how many follow; `joint` (N,) uint8; `score` (N,) float64; `hit` (N,) bool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hrbench.errors import InputError
from hrbench.formats.coco.forms import Layout, TruthArea
from hrbench.formats.coco.keypoint_results import Unseen
from hrbench.formats.coco.skeletons import POSETRACK18
from hrbench.formats.coco.write import write_results
from hrbench.formats.posetrack import JOINTS, ScoredPoses, TrackedPeople, read_people, read_poses
from hrbench.metrics.existing import mean_in_order
from hrbench.metrics.points.pose_ap_reference import plain_numbers
from hrbench.metrics.states import TRUTH, StateForm, arrays_of, merge, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, Reason, State

FORM = StateForm("posetrack-ap", 1, "image", ("labelled",), {"found": ("joint", "score", "hit")})
NEAR = 0.5
AT_ONCE = 16
"""How many weightings are taken at once: each takes a number for every predicted joint."""

GROUPS: Mapping[str, tuple[int, ...]] = {
    "head": tuple(JOINTS.index(joint) for joint in ("head top", "head bottom", "nose")),
    **{
        part: tuple(place for place, joint in enumerate(JOINTS) if joint.split()[-1] == part)
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
}

_BY = "by distances up to half a head size, ranked by the scores of joints; n is labelled joints."
QUANTITIES = (
    Quantity("ap", "AP", "fraction", "higher", f"Mean over 15 joints of average precision {_BY}", heading="AP (PCKh)"),
    *(
        Quantity(f"ap/{part}", part.capitalize(), "fraction", "higher", f"Average precision of {part} joints {_BY}")
        for part in GROUPS
    ),
)


class PoseAp:
    """AP of PoseTrack's poses, as poseval computes it.

    sigmas, category, truth_area, iscrowd, num_keypoints, unseen, frames, layout, missing_box: taken with a COCO data
        set's other options; nothing here depends on them.
    """

    name = FORM.metric
    version = FORM.version
    prediction_file = "predictions.json"
    prediction_form = PredictionForm(
        "a JSON list with an object for each person that was found, or a folder of poseval's submissions",
        "keypoints are x, y, score of each of PoseTrack18's 17 joints, in pixels of the original image; the scores of "
        "joints rank them, and a joint of three zeros is not predicted",
        '{"image_id": 10003420000, "category_id": 1, "keypoints": [421.0, 165.0, 0.9, 424.0, ...], "score": 0.87}',
    )
    oracle = "a plain count, joint by joint,"
    main = "ap"
    quantities: tuple[Quantity, ...] = QUANTITIES

    def __init__(
        self,
        sigmas: Sequence[float] | None = None,
        category: int | None = None,
        truth_area: TruthArea = "file",
        iscrowd: Literal["file", 0] = "file",
        num_keypoints: Literal["file", "joints"] = "file",
        unseen: Unseen = "keep",
        frames: Literal["all", "labelled"] = "all",
        layout: Layout = "posetrack18",
        missing_box: Literal["refuse", "joints"] = "refuse",
    ) -> None:
        pass

    def read_target(self, path: Path) -> TrackedPeople:
        """PoseTrack18's files, one for each video. Raises InputError, MissingError."""
        return read_people(Path(path))

    def read_predictions(self, path: Path, target: TrackedPeople) -> ScoredPoses:
        """COCO results, or a folder of poseval's submissions. Raises InputError, MissingError."""
        return read_poses(Path(path), target)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes rows as one JSON list, all or nothing. Raises InputError (NaN, missing key), UsageError (disk)."""
        write_results(predictions, Path(path), len(POSETRACK18.names))

    def measure(
        self, predictions: ScoredPoses, target: TrackedPeople, images: Sequence[int | str] | None = None
    ) -> State:
        """Which predicted joints are right. images: ids of frames to evaluate; None for all with an annotation."""
        chosen = _chosen(images, target)
        labelled = np.zeros((len(target.images), len(JOINTS)), np.int64)
        np.add.at(labelled, target.image, target.there)
        rows = [_frame(predictions, target, frame) for frame in chosen.tolist()]
        columns = zip(*rows, strict=True) if rows else ((),) * 3
        joint, score, hit = (np.concatenate([np.zeros(0), *parts]) for parts in columns)
        arrays = {
            "image": target.images[chosen],
            "labelled": labelled[chosen],
            "found": np.array([len(row[0]) for row in rows], np.int64),
            "joint": joint.astype(np.uint8),
            "score": score,
            "hit": hit.astype(bool),
            TRUTH: truth_digests(_truths(target, chosen)),
        }
        return State(self.name, self.version, {"near": NEAR}, arrays)

    def input_notes(self, predictions: ScoredPoses, target: TrackedPeople, state: State) -> list[Note]:
        """What is left out or cannot be found, and joints without a score."""
        arrays = state.arrays
        missed = int(((arrays["labelled"].sum(axis=1) > 0) & (arrays["found"] == 0)).sum())
        judged = np.isin(target.images[target.image], arrays["image"]) & target.there.any(axis=1)
        flat = int((judged & (target.head <= 0)).sum())
        told = [
            ("unpredicted_frames", "frames with labelled joints have no prediction", missed, "their joints are missed"),
            ("flat_heads", "annotated people have a head box without extent", flat, "no joint of theirs can be right"),
            ("unannotated_frames", "predicted people are in frames without an annotation", predictions.outside,
             "they are left out, as in poseval"),
            ("ignored_joints", "predicted joints lie in regions to ignore", predictions.ignored, "they are left out"),
            ("unscored_joints", "predicted joints have no score", predictions.unscored, "they rank last"),
        ]  # fmt: skip
        return [Note(kind, what, count, effect=effect) for kind, what, count, effect in told if count]

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image. Raises InputError if an image occurs twice."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """AP, then that of each part, with 95 % intervals over frames."""
        arrays = arrays_of(state, FORM)
        statistic = _statistic(arrays)
        images = len(arrays["image"])
        values = statistic(np.ones((1, images)))[0].tolist()
        ends = intervals(statistic, images, resamples, seed, at_once=AT_ONCE)
        joints = arrays["labelled"].sum(axis=0)
        many = [int(joints.sum()), *(int(joints[list(group)].sum()) for group in GROUPS.values())]
        scores = []
        for quantity, value, interval, n in zip(QUANTITIES, values, ends, many, strict=True):
            if value != value:
                reason = Reason(f"no {quantity.name.partition('/')[2] or 'joint'} is labelled")
                scores.append(Measurement(quantity, None, self.name, n=n, reason=reason))
            else:
                scores.append(Measurement(quantity, value, self.name, interval, n))
        return scores

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The numbers as a function of image weights."""
        arrays = arrays_of(state, FORM)
        names = tuple(quantity.name for quantity in QUANTITIES)
        qualities = lambda: _qualities(arrays)  # noqa: E731
        truth = arrays.get(TRUTH)
        return ByImage(arrays["image"], names, len(names), _statistic(arrays), qualities, AT_ONCE, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image -> 2 x right joints over predicted and labelled ones, from 0 to 1."""
        return _qualities(arrays_of(state, FORM))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """All numbers by going from frame to frame and joint to joint; NaN if there is none."""
        people = self.read_target(Path(target))
        poses = self.read_predictions(Path(predictions), people)
        found = plain_numbers(people, poses, _chosen(images, people).tolist(), GROUPS)
        return dict(zip([quantity.name for quantity in QUANTITIES], found, strict=True))


def _frame(poses: ScoredPoses, people: TrackedPeople, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """joint, score and hit of all predicted joints of a frame, person by person."""
    mine = slice(*np.searchsorted(people.image, [frame, frame + 1]))
    own = np.flatnonzero(poses.image == frame)
    there = poses.there[own]
    hit = np.zeros(there.shape, bool)
    if len(own) and len(people.head[mine]):
        labelled = people.there[mine]
        offset = poses.points[own, None] - people.points[None, mine]
        with np.errstate(divide="ignore", invalid="ignore"):  # a head of no size: nothing is near
            distance = np.sqrt((offset * offset).sum(axis=3)) / people.head[mine][None, :, None]
        near = there[:, None] & labelled[None] & (distance <= NEAR)
        share = near.sum(axis=2) / labelled.sum(axis=1)
        taken = share.argmax(axis=1)
        alone = np.where(np.arange(share.shape[1]) == taken[:, None], share, 0.0)
        best = alone.argmax(axis=0)
        for person in np.flatnonzero(alone.max(axis=0) > 0).tolist():
            hit[best[person]] = near[best[person], person]
    at = np.nonzero(there)
    return at[1], poses.score[own][at], hit[at]


def _statistic(arrays: Mapping[str, np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Image weights (B, I) -> (B, 8) numbers, NaN if nothing is labelled."""
    image = np.repeat(np.arange(len(arrays["image"])), arrays["found"])
    ranked = []
    for joint in range(len(JOINTS)):
        own = np.flatnonzero(arrays["joint"] == joint)
        own = own[np.argsort(arrays["score"][own], kind="stable")[::-1]]
        ranked.append((image[own], arrays["hit"][own]))

    def at(weights: np.ndarray) -> np.ndarray:
        weights = np.asarray(weights, np.float64)
        labelled = weights @ arrays["labelled"]
        each = [_precision(weights, rows, hit, labelled[:, joint]) for joint, (rows, hit) in enumerate(ranked)]
        joints = np.stack(each, axis=1)
        parts = [range(len(JOINTS)), *GROUPS.values()]
        return np.stack([mean_in_order(joints[:, list(part)]) for part in parts], axis=1)

    return at


def _precision(weights: np.ndarray, rows: np.ndarray, hit: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """(B,) average precision of a joint; NaN if it is labelled nowhere.

    rows: (n,) the image of each predicted joint, best score first.
    hit: (n,) whether it is right.
    labelled: (B,) how often the joint is labelled.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if not len(rows):
            return np.where(labelled > 0, 0.0, np.nan)
        many = weights[:, rows]
        right = many * hit
        precision = np.nan_to_num(np.cumsum(right, axis=1) / np.cumsum(many, axis=1), posinf=0.0)
        falling = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        # one after the other: a weight of 0 changes no bit
        return np.where(labelled > 0, np.cumsum(right * falling, axis=1)[:, -1] / labelled, np.nan)


def _qualities(arrays: Mapping[str, np.ndarray]) -> dict[int | str, float]:
    place = np.repeat(np.arange(len(arrays["image"])), arrays["found"])
    right = np.bincount(place, arrays["hit"], minlength=len(arrays["image"]))
    every = arrays["found"] + arrays["labelled"].sum(axis=1)
    rows = zip(arrays["image"].tolist(), right.tolist(), every.tolist(), strict=True)
    return {image: 2 * one / many for image, one, many in rows if many}


def _chosen(images: Sequence[int | str] | None, target: TrackedPeople) -> np.ndarray:
    """Places in `target.images` of those to judge, rising. Raises InputError for a frame that the files do not have."""
    if images is None:
        return np.arange(len(target.images))
    for image in images:
        if image not in target.known:
            raise InputError(f"{target.path}: image {image!r}, asked for, is none of its frames")
    return np.flatnonzero(np.isin(target.images, np.array([int(image) for image in images], np.int64)))


def _truths(target: TrackedPeople, chosen: np.ndarray) -> Iterator[bytes]:
    """What is annotated in each frame, as bytes: head sizes, joints, and which are labelled."""
    for frame in chosen.tolist():
        mine = slice(*np.searchsorted(target.image, [frame, frame + 1]))
        points = np.where(target.there[mine][..., None], target.points[mine], 0.0)
        yield target.head[mine].tobytes() + points.tobytes() + target.there[mine].tobytes()
