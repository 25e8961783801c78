"""Faces with landmarks in .pts files, one beside each image, as iBUG distributes 300W.

A file has a line "version: 1", a line "n_points: 68", and in braces a line with x and y of each landmark. The first
pixel is 1: "the re-annotated data for this challenge are saved in the Matlab convention of 1 being the first index,
i.e. the coordinates of the top left pixel in an image are x=1, y=1" (ibug.doc.ic.ac.uk, 300-W). menpo subtracts 1, and
so does this reader, unless it is told that files count from 0. Of HRNet's lists nobody says which it is.

A folder is one of

    helen/testset, lfpw/testset, ibug      300W's full set: `common` are helen and lfpw, `challenge` is ibug; afw and
                                           helen/trainset and lfpw/trainset beside them are for training, and not read
    01_Indoor, 02_Outdoor                  300W's test set: `indoor` and `outdoor`, also in a folder 300W
    anything else                          all .pts files in it and below it

There are no boxes, so a face's square is that of its landmarks (`face_list.squares`). Mirrored copies that dlib's
archive of the set adds (NAME_mirror.pts beside NAME.pts) are left out, with a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hrbench.core.files import MAX_COORDINATE, reading
from hrbench.core.units import amount
from hrbench.errors import InputError, UsageError
from hrbench.formats.face_list import MOST_POINTS, FaceList, squares

SUFFIX = ".pts"
IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg", ".bmp")
MOST_BYTES = 1 << 20
FULL: Mapping[str, str] = {"helen/testset": "common", "lfpw/testset": "common", "ibug": "challenge"}
TEST: Mapping[str, str] = {"01_Indoor": "indoor", "02_Outdoor": "outdoor"}
FACES: Mapping[str, int] = {
    "helen/testset": 330, "lfpw/testset": 224, "ibug": 135, "01_Indoor": 300, "02_Outdoor": 300,
}  # fmt: skip
"""How many faces the distributed folders have."""

_HEAD = (re.compile(r"version:\s*(\d+)"), re.compile(r"n_points:\s*(\d+)"), re.compile(r"\{"))


def read_pts_folder(folder: Path, origin: int | None = None) -> FaceList:
    """The faces of a folder, by part and name.

    origin: what the files count the top left pixel as, 0 or 1; None: 1.

    Raises InputError naming the file and line, UsageError for another origin.
    """
    if origin not in (None, 0, 1):
        raise UsageError(f"origin: 0 or 1 was expected, not {origin!r}")
    counted = 1 if origin is None else origin
    parts, base = _parts(folder)
    notes, names, files, of = [], [], [], []
    for part, subset in parts.items():
        own, mirrored = _files(base / part)
        place = (base / part).relative_to(folder).as_posix()
        if mirrored:
            notes.append(f"{place}: {amount(mirrored, 'mirrored copy', 'mirrored copies')} left out")
        if part in FACES and len(own) != FACES[part]:
            notes.append(f"{place}: {amount(len(own), 'face')}; 300W has {FACES[part]} there")
        names += [(f"{place}/" if place != "." else "") + path.relative_to(base / part).with_suffix("").as_posix()
                  for path in own]  # fmt: skip
        files += own
        of += [subset] * len(own)
    if not files:
        raise InputError(f"{folder}: holds no .pts file")
    points = _points(files) - counted
    scale, centre = squares(points, [str(file) for file in files])
    belongs = np.array(of)
    subsets = {subset: belongs == subset for subset in dict.fromkeys(parts.values()) if subset}
    return FaceList(folder, np.array(names), points, scale, centre, None, subsets, None, counted, tuple(notes))


def _parts(folder: Path) -> tuple[Mapping[str, str], Path]:
    """Folders to read -> the subset that each is, and what they lie in. Raises InputError for half a set."""
    for wanted, base in ((FULL, folder), (TEST, folder), (TEST, folder / "300W")):
        there = [part for part in wanted if (base / part).is_dir()]
        if there and len(there) < len(wanted):
            absent = next(part for part in wanted if part not in there)
            raise InputError(f"{base}: has {there[0]} but not {absent}; name one of them to read it alone")
        if there:
            return wanted, base
    return {"": ""}, folder


def _files(folder: Path) -> tuple[list[Path], int]:
    """The .pts files below a folder by name, and how many mirrored copies were left out."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == SUFFIX and path.is_file())
    stems = {path.with_suffix("") for path in found}
    copies = {path for path in found if path.stem.endswith("_mirror")
              and path.with_name(path.stem.removesuffix("_mirror")) in stems}  # fmt: skip
    return [path for path in found if path not in copies and not path.name.startswith(".")], len(copies)


def _points(files: list[Path]) -> np.ndarray:
    """(N, L, 2) float64 of files with as many landmarks each."""
    faces = [read_pts(path) for path in files]
    for path, face in zip(files, faces, strict=True):
        if len(face) != len(faces[0]):
            raise InputError(f"{path}: has {len(face)} landmarks, {files[0]} {len(faces[0])}")
    return np.array(faces)


def read_pts(path: Path) -> np.ndarray:
    """(L, 2) float64 of one file, px as it counts them. Raises InputError naming the line, MissingError."""
    with reading(path, "landmarks (.pts)") as stream:
        data = stream.read(MOST_BYTES + 1)
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text: {error}") from None
    rows = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    found = [pattern.fullmatch(text) for pattern, (_, text) in zip(_HEAD, rows, strict=False)]
    if len(data) > MOST_BYTES or len(found) < 3 or None in found:
        raise InputError(f"{path}: is no .pts file; it begins with version: 1, n_points: 68 and a brace")
    version, many = (int(one[1][:6]) for one in found[:2] if one)
    if version != 1:
        raise InputError(f"{path}:{rows[0][0]}: has version {version}; 1 is read")
    body = rows[3:]
    if not body or body[-1][1] != "}":
        raise InputError(f"{path}: does not end with a brace; is it cut off?")
    if len(body) - 1 != many or not 0 < many <= MOST_POINTS:
        raise InputError(f"{path}: has {len(body) - 1} landmarks, and says n_points: {many}")
    return np.array([_pair(path, number, text) for number, text in body[:-1]])


def _pair(path: Path, number: int, text: str) -> tuple[float, float]:
    try:
        x, y = map(float, text.split())
    except ValueError:
        raise InputError(f"{path}:{number}: is no pair of numbers, x and y of a landmark") from None
    if not (abs(x) <= MAX_COORDINATE and abs(y) <= MAX_COORDINATE):
        raise InputError(f"{path}:{number}: a number is not finite, or beyond {MAX_COORDINATE:.0e}")
    return x, y


def images_beside(folder: Path, names: list[str]) -> dict[str, str | None]:
    """Name of a face -> its image below the folder, that of its .pts file with another ending; None if there is none.

    Spaces in names are not compared: of the image "image_092 _01.jpg" of ibug the file may be called without one.
    """
    listed: dict[str, dict[str, str]] = {}
    found: dict[str, str | None] = {}
    for name in names:
        place, _, stem = name.rpartition("/")
        if place not in listed:
            listed[place] = _images(folder / place)
        image = listed[place].get(stem.replace(" ", ""))
        found[name] = None if image is None else f"{place}/{image}" if place else image
    return found


def _images(folder: Path) -> dict[str, str]:
    """Name without spaces and ending -> name of an image; endings in the order of IMAGE_SUFFIXES."""
    try:
        files = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    except OSError:
        return {}
    files.sort(key=lambda name: IMAGE_SUFFIXES.index(Path(name).suffix.lower()), reverse=True)
    return {Path(name).stem.replace(" ", ""): name for name in files}
