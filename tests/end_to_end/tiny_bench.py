"""A data folder, a network and a suite so small that the whole flow takes a second."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import cv2
import numpy as np

NETWORK = '''
"""A pose network of one convolution, beside the suite as a user would have it."""
import time
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


class Tiny(nn.Module):
    def __init__(self, joints):
        super().__init__()
        self.net = nn.Conv2d(3, joints, 5, stride=4, padding=2)

    def forward(self, x):
        return self.net(x)


def pose(joints=17):
    return Tiny(joints)


def broken(joints=17):
    raise RuntimeError("this network cannot be built")


class Held(Tiny):
    """Says by the file `reached` that it is asked for an image, and answers once there is the file `go`."""

    def forward(self, x):
        if x.device.type == "cpu":  # not when operations are counted
            (HERE / "reached").touch()
            while not (HERE / "go").exists():
                time.sleep(0.01)
        return self.net(x)


def held(joints=17):
    return Held(joints)
'''


@dataclass
class Bench:
    """`folder` holds data/, weights/ and nets beside the suites it writes."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def annotations(self) -> Path:
        return self.data / "coco" / "annotations" / "person_keypoints_val2017.json"

    def suite(self, text: str, name: str = "suite.yaml") -> Path:
        """A suite file. Of each entry one picture of a kind is drawn, unless the text says how many."""
        path, text = self.folder / name, dedent(text)
        told = "report:" in text or text.lstrip().startswith("{")
        path.write_text(text if told else f"{text.rstrip()}\nreport: {{images: 1}}\n")
        return path

    def arguments(self, suite: Path, *more: str, out: str = "run", apart: bool = False) -> list[str]:
        """Of `hrbench run`. apart: entries in processes of their own, as users have them; here they cost seconds."""
        places = ["--data", str(self.data), "--weights", str(self.folder / "weights"), "--device", "cpu"]
        where = [] if apart else ["--in-process"]
        return ["run", str(suite), *places, "--out", str(self.folder / out), "--plain", *where, *more]


def draw_coco(folder: Path, images: int, people: int = 2) -> None:
    """Noise with annotated people, in COCO's official layout."""
    rng = np.random.default_rng(0)
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    listed, annotated = [], []
    for number in range(1, images + 1):
        name = f"{number:012d}.png"
        pixels = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "val2017" / name), pixels)
        listed.append({"id": number, "file_name": name, "width": 160, "height": 120})
        for _ in range(people):
            x, y = rng.uniform(0, 60, 2)
            w, h = rng.uniform(30, 60, 2)
            joints = np.column_stack([rng.uniform(x, x + w, 17), rng.uniform(y, y + h, 17), np.full(17, 2)])
            annotated.append(
                {
                    "id": len(annotated) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "bbox": [x, y, w, h],
                    "area": w * h * 0.5,
                    "num_keypoints": 17,
                    "keypoints": joints.reshape(-1).tolist(),
                }
            )
    whole = {"images": listed, "annotations": annotated, "categories": [{"id": 1, "name": "person"}]}
    (folder / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(whole))
