"""Names in annotations that no file can have are told like a file that is not there, or that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.core.digests import sha256
from hrbench.core.files import reading
from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.errors import InputError
from hrbench.formats.images import decoded_size, image_faults, read_image
from hrbench.formats.labels import read_labels

NAMES = ["a\0b.png", "\ud800.png", "x" * 5000, "a/" * 3000]


@pytest.mark.parametrize("name", NAMES)
def test_images(tmp_path: Path, name: str):
    path = tmp_path / name
    with pytest.raises(InputError, match="cannot be read"):
        read_image(path)
    with pytest.raises(InputError, match="cannot be read"):
        decoded_size(path)
    (fault,) = image_faults(path)
    assert fault.isprintable() or "\\" in repr(fault)


@pytest.mark.parametrize("name", NAMES)
def test_files(tmp_path: Path, name: str):
    path = tmp_path / name
    with pytest.raises(InputError, match="cannot be read"):
        sha256(path)
    with pytest.raises(InputError, match="cannot be read"), reading(path, "a file"):
        pass
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(path, "labels")


@pytest.mark.parametrize("name", [*NAMES, "b\0/c.png", "\ud800/c.png"])
def test_folders_of_images(tmp_path: Path, name: str):
    (tmp_path / "there.png").write_bytes(b"123")
    sizes = file_sizes(tmp_path, [name, "there.png"])
    assert sizes == {name: None, "there.png": 3}
    assert missing_images(tmp_path, [name, "there.png"], "home")[0].startswith("1 of 2 images are missing")
    assert len(digest_of([], sizes)) == 64
