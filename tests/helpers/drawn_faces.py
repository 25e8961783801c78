"""Small seeded sets of faces in the layout of their distribution: COFW's MATLAB files, and 300W's folders of .pts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 60, 50
PARTS = {"helen/testset": ".jpg", "lfpw/testset": ".png", "ibug": ".jpg", "afw": ".jpg", "helen/trainset": ".jpg"}


def _image(rng: np.random.Generator, grey: bool = False) -> np.ndarray:
    """uint8 (50, 60, 3), or (50, 60)."""
    return rng.integers(0, 256, (HEIGHT, WIDTH) if grey else (HEIGHT, WIDTH, 3), np.uint8)


def _landmarks(rng: np.random.Generator, many: int) -> np.ndarray:
    return rng.uniform(5, 45, (many, 2)).round(3)


def cofw(path: Path, faces: int = 3, part: str = "T", seed: int = 3) -> tuple[list[np.ndarray], np.ndarray]:
    """Writes a file as MATLAB 7.3 does; its second image is grey. Returns images (H, W[, 3]) and landmarks (N, 29, 3).

    part: "T" for the test file, "Tr" for the training file.
    """
    import h5py

    rng = np.random.default_rng(seed)
    images = [_image(rng, face == 1) for face in range(faces)]
    points = np.stack([_landmarks(rng, 29) for _ in range(faces)])
    hidden = (rng.random((faces, 29, 1)) < 0.3).astype(float)
    phis = np.concatenate([points[..., 0], points[..., 1], hidden[..., 0]], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = file.create_dataset(f"Is{part}", (1, faces), h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        for face, image in enumerate(images):
            stored = file.create_dataset(f"#refs#/{face}", data=image.T)
            stored.attrs["MATLAB_class"] = np.bytes_("uint8")
            cells[0, face] = stored.ref
        file[f"phis{part}"] = phis.T
        file[f"bboxes{part}"] = np.tile([5.0, 5.0, 40.0, 40.0], (faces, 1)).T
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return images, np.concatenate([points, hidden], axis=2)


def pts_text(points: np.ndarray) -> str:
    """A .pts file of landmarks (L, 2)."""
    rows = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    return f"version: 1\nn_points:  {len(points)}\n{{\n{rows}\n}}\n"


def full_300w(folder: Path, each: int = 2, seed: int = 5) -> dict[str, np.ndarray]:
    """iBUG's folders with some faces each; returns those of the full set, counted from 0: name -> (68, 2)."""
    return _pts(folder, PARTS, each, seed, lambda part: part in ("helen/testset", "lfpw/testset", "ibug"))


def own_test_300w(folder: Path, each: int = 2, seed: int = 6) -> dict[str, np.ndarray]:
    """The folders of 300W's test set; as `full_300w`."""
    return _pts(folder, {"01_Indoor": ".png", "02_Outdoor": ".png"}, each, seed, lambda part: True)


def _pts(
    folder: Path, parts: dict[str, str], each: int, seed: int, kept: Callable[[str], bool]
) -> dict[str, np.ndarray]:
    rng, found = np.random.default_rng(seed), {}
    for part, suffix in parts.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            name, points = f"{part}/{number:03d}_1", _landmarks(rng, 68)
            (folder / f"{name}.pts").write_text(pts_text(points + 1))
            assert cv2.imwrite(str(folder / f"{name}{suffix}"), _image(rng))
            if kept(part):
                found[name] = points
    return found
