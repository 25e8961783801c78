"""COFW as it is distributed: images, boxes and landmarks in one MATLAB file of version 7.3, which is an HDF5 file.

COFW_{train,test}_color.mat, or without _color (grey): `IsTr` or `IsT`, cells with an image each, uint8; `bboxesTr` or
`bboxesT`, N x 4; `phisTr` or `phisT`, N x 87: x of 29 landmarks, y of each, and whether each is occluded
(Burgos-Artizzu et al., ICCV 2013). MATLAB writes columns first, so HDF5 has each array with its axes reversed, and
cells are references.

As in HRNet's code (lib/datasets/cofw.py of HRNet/HRNet-Facial-Landmark-Detection), coordinates are those of the file,
boxes are not used, and a face's square is that of its landmarks. An image is called by its place, "IsT/0000", and its
path is that of the file with this below it; `formats.images` reads such paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hrbench.core.files import MAX_COORDINATE
from hrbench.core.remote import mirror
from hrbench.errors import InputError, MissingError
from hrbench.formats.face_list import FaceList, squares

SUFFIX = ".mat"
POINTS = 29
MOST_PIXELS = 1 << 28
MOST_FACES = 1 << 20
_KINDS = {"IsT": ("phisT", "bboxesT"), "IsTr": ("phisTr", "bboxesTr")}
_NEEDS = "reading MATLAB files of version 7.3 needs h5py: pip install 'hrbench[matlab]'"


def read_cofw(path: Path) -> FaceList:
    """The faces of a COFW file. Raises InputError naming the face, MissingError, also if h5py is not installed."""
    with _opened(path) as file:
        images = next((name for name in _KINDS if name in file), "")
        if not images:
            raise InputError(f"{path}: holds neither IsT nor IsTr, the images of COFW's test and training file")
        truth, boxes = _KINDS[images]
        many = _cells(path, file, images).size
        table = _numbers(path, file, truth, many, 3 * POINTS)
        _numbers(path, file, boxes, many, 4)
    for face in np.flatnonzero(~(np.abs(table) <= MAX_COORDINATE).all(axis=1))[:1]:
        raise InputError(f"{path}: face {face}: a number in {truth} is not finite, or beyond {MAX_COORDINATE:.0e}")
    hidden = table[:, 2 * POINTS :]
    for face in np.flatnonzero(~np.isin(hidden, (0, 1)).all(axis=1))[:1]:
        raise InputError(f"{path}: face {face}: an occlusion in {truth} is neither 0 nor 1")
    points = np.stack([table[:, :POINTS], table[:, POINTS : 2 * POINTS]], axis=2)
    scale, centre = squares(points, [f"{path}: face {face}" for face in range(many)])
    names = np.array([f"{images}/{number:04d}" for number in range(many)])
    return FaceList(path, names, points, scale, centre, None, {}, hidden == 1)


def holds_image(path: Path) -> bool:
    """Whether a path leads into a MATLAB file: its images have no files of their own."""
    return path.parent.parent.suffix == SUFFIX and path.parent.parent.is_file()


def read_cell(path: Path) -> np.ndarray:
    """The image at a path into a file, uint8 (H, W, 3) RGB; a grey one has three equal channels.

    Raises InputError for a damaged file or a cell that is no image, MissingError if there is no such cell.
    """
    holder, cells = path.parent.parent, path.parent.name
    if cells not in _KINDS or not path.name.isdecimal():
        raise MissingError(f"no image {path}")
    with _opened(holder) as file:
        references = _cells(holder, file, cells).ravel()
        if int(path.name) >= references.size:
            raise MissingError(f"no image {path}")
        stored = file[references[int(path.name)]]
        shape = getattr(stored, "shape", ())
        right = len(shape) == 2 or (len(shape) == 3 and shape[0] == 3)
        if not right or str(stored.dtype) != "uint8" or not 0 < stored.size <= MOST_PIXELS:
            raise InputError(f"image {path} is no array of uint8 (height, width) or (height, width, 3)")
        pixels = np.asarray(stored[()]).T
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file by h5py. Raises MissingError; InputError for whatever the library says of a damaged file."""
    try:
        import h5py
    except ImportError:
        raise MissingError(f"{path}: {_NEEDS}") from None
    if not Path(path).is_file():
        raise MissingError(f"{path}: there is no such file; it should be COFW_test_color.mat, as distributed")
    mirror.present([path])  # HDF5 opens files without Python
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (InputError, MissingError):
        raise
    except Exception as error:  # h5py may raise anything for a damaged file
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a MATLAB file of version 7.3 (HDF5): {why}") from None


def _cells(path: Path, file: Any, name: str) -> np.ndarray:
    """References to the cells of an array (N, 1) or (1, N)."""
    import h5py

    stored = file.get(name)
    if not isinstance(stored, h5py.Dataset) or h5py.check_ref_dtype(stored.dtype) is None:
        raise InputError(f"{path}: {name} is no array of cells with an image each")
    many = int(stored.size or 0)
    if not 0 < many <= MOST_FACES or many != max(stored.shape or (0,)):
        raise InputError(f"{path}: {name} has the shape {stored.shape[::-1]}; one image for each face is expected")
    return np.asarray(stored[()])


def _numbers(path: Path, file: Any, name: str, many: int, width: int) -> np.ndarray:
    """(N, width) float64, as MATLAB has it."""
    import h5py

    stored = file.get(name)
    if not isinstance(stored, h5py.Dataset) or stored.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} is missing, or holds no numbers")
    if stored.shape != (width, many):
        raise InputError(f"{path}: {name} has the shape {stored.shape[::-1]}; ({many}, {width}) is expected")
    with np.errstate(invalid="ignore"):  # a damaged NaN is NaN
        return np.asarray(stored[()]).astype(np.float64).T
