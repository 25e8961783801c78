"""Top-down pose estimation: one crop for each person, heatmaps, joints in the image's frame.

The protocols of HRNet and SimpleBaseline, of DARK and of UDP, as `protocols.py` describes them. torch is
imported only where a network is called, so that worker processes and listings start without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrbench.contracts import HasScheme, Network
from hrbench.core.stages import stage
from hrbench.errors import EntryError
from hrbench.formats.images import read_image
from hrbench.tasks.inputs import normalised_batch
from hrbench.tasks.outputs import OutputMonitor, fetched, real
from hrbench.tasks.picture_files import write_picture
from hrbench.tasks.pose import decoding, geometry, nms
from hrbench.tasks.pose.one_stage import FoundPeople, OneStage
from hrbench.tasks.pose.protocols import NAMED_PROTOCOLS, TopDown, checked, usual
from hrbench.tasks.pose.render import read_rows, render_people
from hrbench.types import Item, KeypointScheme, Note, Person, Prediction, Sample, Variant

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an item's crop was taken: the person, its centre and padded scale, (2,) each in the protocol's dtype."""

    person: Person
    centre: np.ndarray
    scale: np.ndarray


class Pose:
    """The pose task for one variant, data set and protocol (contracts.Task)."""

    Protocol = TopDown
    protocols = NAMED_PROTOCOLS
    usual = staticmethod(usual)

    def __init__(self, variant: Variant, dataset: HasScheme[KeypointScheme], protocol: Mapping[str, Any]) -> None:
        self.input = variant.input
        self.colour = variant.colour
        self.mean, self.std = tuple(variant.mean), tuple(variant.std)
        self.scheme: KeypointScheme = dataset.scheme
        self.protocol = checked(TopDown(**protocol))
        self.maps = decoding.COMBINED_MAPS if self.protocol.decoding == "combined" else 1
        self.one_stage = OneStage(variant, self.scheme, self.protocol) if self.protocol.boxes == "none" else None
        self.monitor = OutputMonitor("crops", "every heatmap is constant in {}, where joints go to a corner")

    def work(self, sample: Sample) -> int:
        """Forward passes of one crop: one for each person, two with the mirrored crop's; of a whole image one."""
        if self.one_stage is not None:
            return 1
        return len(sample.content) * (2 if self.protocol.flip else 1)

    def prepare(self, sample: Sample) -> list[Item]:
        """One crop for each person: uint8 (h, w, 3) in the network's colour order. The image is decoded once.

        The whole image, if the protocol has no boxes.
        """
        if self.one_stage is not None:
            return self.one_stage.prepare(sample)
        if not sample.content:
            return []
        image = read_image(sample.path, sample.size, sample.orientation)
        height, width = self.input
        items = []
        for person in sample.content:
            place = self._place(person)
            pixels = geometry.crop(image, place.centre, place.scale, (width, height), affine=self.protocol.affine)
            if self.colour == "rgb":
                pixels = np.ascontiguousarray(pixels[..., ::-1])
            items.append(Item(sample=sample.id, image=pixels, content=place))
        return items

    def _place(self, person: Person) -> Placement:
        if person.box is not None:
            return Placement(person, *geometry.box_to_centre_scale(person.box, self.input))
        assert person.centre is not None and person.scale is not None
        return Placement(person, *geometry.mpii_centre_scale(person.centre, person.scale))

    def forward(self, net: Network, items: Sequence[Item]) -> list[np.ndarray] | list[FoundPeople]:
        """Heatmaps (K, h, w) float32 for each item, averaged with the mirrored crop's if the protocol has `flip`.

        With decoding: combined (3 K, h, w).
        The people found in each item, if the protocol has no boxes.
        """
        return self.launch(net, items)()

    def launch(
        self, net: Network, items: Sequence[Item]
    ) -> Callable[[], list[np.ndarray]] | Callable[[], list[FoundPeople]]:
        """As `forward`; what is returned waits for the device (contracts.ForwardsAhead)."""
        if self.one_stage is not None:
            return self.one_stage.launch(net, items)
        import torch

        with torch.inference_mode():
            batch = normalised_batch(net, items, self.mean, self.std)
            direct, mirrored = self._heatmaps(net, batch), None
            if self.protocol.flip:
                with stage("preprocess"):
                    mirrored_batch = batch.flip(3)
                mirrored = self._heatmaps(net, mirrored_batch)
        return partial(self._averaged, direct, mirrored)

    def _averaged(
        self, direct: Callable[[], np.ndarray], mirrored: Callable[[], np.ndarray] | None
    ) -> list[np.ndarray]:
        found = direct()
        if mirrored is not None:
            back = mirrored()
            with stage("postprocess"):
                pairs, shift = self.scheme.flip_pairs, self.protocol.shift_heatmap
                found = geometry.average_flip(found, back, pairs, shift, self.maps > 1)
        return list(found)

    def _heatmaps(self, net: Network, batch: torch.Tensor) -> Callable[[], np.ndarray]:
        with stage("forward"):
            output = net(batch)
        self.monitor.note_dtype(self._checked(output, len(batch)))
        with stage("transfer"):
            return fetched(output.float())

    def _checked(self, output: Any, n: int) -> torch.Tensor:
        """The output for n crops, if it is heatmaps of all joints; EntryError otherwise."""
        import torch

        what = tuple(output.shape) if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"
        maps = self.maps * len(self.scheme.names)
        wanted = f"a pose network returns heatmaps ({n}, {maps}, h, w)"
        if self.maps > 1:
            wanted += f", {self.maps} of each joint with decoding: combined"
        if not isinstance(output, torch.Tensor) or output.ndim != 4 or output.shape[:2] != (n, maps):
            raise EntryError(f"the network returned {what} for {n} crops; {wanted}")
        return real(output, wanted)

    def check_output(self, output: Any, inputs: Sequence[tuple[int, int]]) -> None:
        """Raises EntryError unless the output is heatmaps (N, K, h, w) of the data set's K joints, or people."""
        if self.one_stage is not None:
            return self.one_stage.check_output(output, inputs)
        self._checked(output, len(inputs))

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, Any]]) -> Prediction:
        """COCO results rows of the people kept in one image, joints in its pixels (0-based), best first."""
        if self.one_stage is not None:
            return self.one_stage.finish(sample, pairs)
        if not pairs:
            return Prediction(sample.id, [])
        places = [item.content for item, _ in pairs]
        heatmaps = np.stack([raw for _, raw in pairs])
        for number, maps in enumerate(heatmaps):
            self.monitor.note_maps((sample.id, number), maps[:: self.maps])
        points, confidence = self._decoded(heatmaps, places)
        people = np.concatenate([points, confidence], axis=2)
        if self.scheme.annotated:
            return Prediction(
                sample.id,
                [
                    {"index": place.person.index, "keypoints": person.reshape(-1).tolist()}
                    for place, person in zip(places, people, strict=True)
                ],
            )
        scores = np.array(
            [
                nms.rescore(person[:, 2], place.person.score, self.protocol.visibility_threshold)
                for place, person in zip(places, people, strict=True)
            ]
        )
        return Prediction(
            sample.id, [self._row(sample, places[i], people[i], scores[i]) for i in self._keep(places, people, scores)]
        )

    def _decoded(self, heatmaps: np.ndarray, places: Sequence[Placement]) -> tuple[np.ndarray, np.ndarray]:
        """Joints (N, K, 2) in image pixels and confidences (N, K, 1) of heatmaps (N, K, h, w)."""
        protocol = self.protocol
        return decoding.decode(
            heatmaps,
            [place.centre for place in places],
            [place.scale for place in places],
            decoding=protocol.decoding,
            affine=protocol.affine,
            quarter_offset=protocol.quarter_offset,
            kernel=protocol.blur_kernel,
            sigma=protocol.blur_sigma,
            radius=protocol.offset_radius,
        )

    def notes(self) -> list[Note]:
        """Notes to print with a score, once all images are finished."""
        return self.monitor.notes() if self.one_stage is None else self.one_stage.notes()

    def tally(self) -> dict[str, Any]:
        """What was counted of the network's outputs (contracts.TalliesNotes)."""
        return self.monitor.tally() if self.one_stage is None else self.one_stage.tally()

    def add_tally(self, tally: Mapping[str, Any]) -> None:
        """Adds what was counted on other images."""
        (self.monitor if self.one_stage is None else self.one_stage).add_tally(tally)

    def rows(self, predictions: Path, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> the rows that a prediction file holds for it, for `draw`."""
        return read_rows(predictions, samples)

    def draw(self, sample: Sample, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Writes a picture of the rows on their image to `path`, whose suffix says the format."""
        image = render_people(
            read_image(sample.path, sample.size, sample.orientation),
            rows,
            self.scheme,
            self.protocol.visibility_threshold,
        )
        write_picture(path, image)

    def _keep(self, places: Sequence[Placement], people: np.ndarray, scores: np.ndarray) -> list[int]:
        areas = np.array([np.prod(place.scale * geometry.PIXEL_STD) for place in places])
        suppress = nms.soft_oks_nms if self.protocol.soft_nms else nms.oks_nms
        with stage("suppression"):
            return suppress(people, scores, areas, np.array(self.scheme.sigmas), self.protocol.oks_threshold)

    def _row(self, sample: Sample, place: Placement, person: np.ndarray, score: float) -> dict[str, Any]:
        return {
            "image_id": sample.id,
            "category_id": self.scheme.category if place.person.category is None else place.person.category,
            "keypoints": person.reshape(-1).tolist(),
            "score": float(score),
            "center": place.centre.tolist(),
            "scale": place.scale.tolist(),
        }
