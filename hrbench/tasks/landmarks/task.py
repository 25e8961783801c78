"""Facial landmarks: one crop for each annotated face, heatmaps, landmarks in the image's frame.

The protocol of HRNet's landmark code (Sun et al., arXiv 1904.04514; tools/test.py of
https://github.com/HRNet/HRNet-Facial-Landmark-Detection): a square of 1.25 times the annotated one, 256 x 256, no
mirror images. torch is imported only where a network is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hrbench.contracts import HasScheme, Network
from hrbench.core.stages import stage
from hrbench.errors import EntryError, UsageError
from hrbench.formats.images import read_image
from hrbench.tasks.inputs import normalised_batch
from hrbench.tasks.landmarks import geometry
from hrbench.tasks.outputs import OutputMonitor, fetched, real
from hrbench.tasks.picture_files import write_picture
from hrbench.types import Item, KeypointScheme, Note, Person, Prediction, Sample, Variant

if TYPE_CHECKING:
    import torch

ENLARGED = 480
"""Pixels of the short side to which small images are drawn."""


@dataclass(frozen=True, slots=True)
class FaceCrops:
    """The protocol; `version` is raised by hand whenever a prediction may change.

    padding: how much larger than the face's annotated square the cropped region is.
    """

    name: str = "hrnet-face"
    version: int = 1
    padding: float = geometry.PADDING


@dataclass(frozen=True, slots=True)
class FacePlace:
    """Where an item's crop was taken: the face's row, the centre (2,) float32 and the padded scale."""

    index: int
    centre: np.ndarray
    scale: float


class Landmarks:
    """The task of facial landmarks for one variant, data set and protocol (contracts.Task)."""

    Protocol = FaceCrops

    def __init__(self, variant: Variant, dataset: HasScheme[KeypointScheme], protocol: Mapping[str, Any]) -> None:
        self.input, self.colour = variant.input, variant.colour
        self.mean, self.std = tuple(variant.mean), tuple(variant.std)
        self.scheme: KeypointScheme = dataset.scheme
        self.protocol = FaceCrops(**protocol)
        self.monitor = OutputMonitor("crops", "every heatmap is constant in {}, where landmarks go to a corner")
        if self.input[0] != self.input[1]:
            raise UsageError(f"landmarks are found in square crops; the input is {self.input[0]}x{self.input[1]}")

    def work(self, sample: Sample) -> int:
        """Forward passes of one crop: one for each face."""
        return len(sample.content)

    def prepare(self, sample: Sample) -> list[Item]:
        """One crop for each face: uint8 (h, w, 3) in the network's colour order."""
        if not sample.content:
            return []
        image = np.ascontiguousarray(read_image(sample.path, sample.size, sample.orientation)[..., ::-1])  # RGB
        items = []
        for face in sample.content:
            place = self._place(face)
            pixels = geometry.crop(image, place.centre, place.scale, self.input[0])
            pixels = pixels if self.colour == "rgb" else np.ascontiguousarray(pixels[..., ::-1])
            items.append(Item(sample=sample.id, image=pixels, content=place))
        return items

    def _place(self, face: Person) -> FacePlace:
        assert face.centre is not None and face.scale is not None
        return FacePlace(face.index, np.array(face.centre, np.float32), face.scale * self.protocol.padding)

    def forward(self, net: Network, items: Sequence[Item]) -> list[np.ndarray]:
        """Heatmaps (L, h, w) float32 for each item."""
        import torch

        with torch.inference_mode():
            batch = normalised_batch(net, items, self.mean, self.std)
            with stage("forward"):
                output = net(batch)
            self.monitor.note_dtype(self._checked(output, len(items)))
            return list(fetched(output.float())())

    def _checked(self, output: Any, n: int) -> torch.Tensor:
        """The output for n crops, if it is square heatmaps of all landmarks; EntryError otherwise."""
        import torch

        what = tuple(output.shape) if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"
        wanted = f"a network of landmarks returns heatmaps ({n}, {len(self.scheme.names)}, h, h)"
        right = isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3]
        if not right or output.shape[:2] != (n, len(self.scheme.names)):
            raise EntryError(f"the network returned {what} for {n} crops; {wanted}")
        return real(output, wanted)

    def check_output(self, output: Any, inputs: Sequence[tuple[int, int]]) -> None:
        """Raises EntryError unless the output is heatmaps (N, L, h, h) of the data set's L landmarks."""
        self._checked(output, len(inputs))

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, np.ndarray]]) -> Prediction:
        """Rows of the faces in one image: `index` and `keypoints`, x, y and maximum of each landmark."""
        rows = []
        for number, (item, heatmaps) in enumerate(pairs):
            self.monitor.note_maps((sample.id, number), heatmaps)
            place: FacePlace = item.content
            points, value = geometry.decode(heatmaps, place.centre, place.scale)
            found = np.concatenate([points, value[:, None]], axis=1)
            rows.append({"index": place.index, "keypoints": found.reshape(-1).tolist()})
        return Prediction(sample.id, rows)

    def notes(self) -> list[Note]:
        """Notes to print with a score, once all images are finished."""
        return self.monitor.notes()

    def tally(self) -> dict[str, Any]:
        """What was counted of the network's outputs (contracts.TalliesNotes)."""
        return self.monitor.tally()

    def add_tally(self, tally: Mapping[str, Any]) -> None:
        """Adds what was counted on other images."""
        self.monitor.add_tally(tally)

    def rows(self, predictions: Path, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> the faces that a prediction file holds for it, for `draw`."""
        table = np.load(predictions, allow_pickle=False)
        return {
            sample.id: [
                {"keypoints": np.concatenate([table[one.index][:, :2], np.ones((table.shape[1], 1))], 1).reshape(-1)}
                for one in sample.content
                if one.index < len(table)
            ]
            for sample in samples
        }

    def draw(self, sample: Sample, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Writes the image with the landmarks of `rows` as dots to `path`, whose suffix says the format."""
        image = read_image(sample.path, sample.size, sample.orientation)
        factor = max(1.0, min(4.0, ENLARGED / min(image.shape[:2])))
        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        canvas = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        for row in rows:
            for x, y, _ in np.asarray(row["keypoints"], np.float64).reshape(-1, 3).tolist():
                place = (round((x + 0.5) * factor - 0.5), round((y + 0.5) * factor - 0.5))
                cv2.circle(canvas, place, 3, (255, 255, 255), -1, cv2.LINE_AA)
                cv2.circle(canvas, place, 2, (60, 130, 245), -1, cv2.LINE_AA)
        write_picture(path, canvas)
