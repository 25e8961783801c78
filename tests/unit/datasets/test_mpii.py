"""MPII's rows by image, and what is missing."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hrbench.datasets.mpii import Mpii
from hrbench.errors import InputError


def write(folder, rows, split="valid"):
    (folder / "mpii" / "annot").mkdir(parents=True)
    (folder / "mpii" / "images").mkdir()
    (folder / "mpii" / "annot" / f"{split}.json").write_text(json.dumps(rows))
    (folder / "mpii" / "annot" / f"gt_{split}.mat").write_bytes(b"mat")
    for row in rows:
        (folder / "mpii" / "images" / row["image"]).write_bytes(b"image")
    return Mpii(folder, split=split)


ROWS = [
    {"image": "b.jpg", "center": [10, 20], "scale": 1.5},
    {"image": "a.jpg", "center": [30, 40], "scale": 2},
    {"image": "b.jpg", "center": [50, 60], "scale": 3},
]


def test_people_of_an_image_are_together_and_keep_their_rows(tmp_path):
    samples = write(tmp_path, ROWS).samples({})
    assert [sample.id for sample in samples] == ["b.jpg", "a.jpg"]
    assert [[person.index for person in sample.content] for sample in samples] == [[0, 2], [1]]
    assert samples[1].content[0].centre == (30, 40) and samples[1].content[0].scale == 2


def test_missing_parts_are_named(tmp_path):
    gaps = Mpii(tmp_path).missing({})
    assert len(gaps) == 3 and "human-pose.mpi-inf.mpg.de" in gaps[-1]
    data = write(tmp_path, ROWS)
    assert data.missing({}) == []
    (tmp_path / "mpii" / "images" / "a.jpg").unlink()
    assert data.missing({})[0].startswith("1 of 2 images are missing")


@pytest.mark.parametrize("change", [{"scale": 0}, {"scale": -1}, {"scale": 1e300}, {"center": [1e300, 2]}])
def test_a_person_without_a_size_or_a_place_is_refused(tmp_path, change):
    with pytest.raises(InputError, match="person 1 has the centre"):
        write(tmp_path, [ROWS[0], {**ROWS[1], **change}]).samples({})


def test_another_split_is_its_own_files(tmp_path):
    data = write(tmp_path, ROWS, "train")
    assert data.missing({}) == [] and len(data.samples({})) == 2
    assert "valid.json is missing" in Mpii(tmp_path).missing({})[0]
    data.annotations.write_text("[")
    with pytest.raises(InputError, match=r"is not MPII's train\.json"):
        Mpii(tmp_path, split="train").samples({})


@pytest.mark.parametrize(
    ("content", "words"), [("[", "is not MPII"), ("[]", "lists nobody"), ('[{"image": 3}]', "is not MPII")]
)
def test_a_damaged_list(tmp_path, content, words):
    data = write(tmp_path, ROWS)
    data.annotations.write_text(content)
    with pytest.raises(InputError, match=words):
        data.samples({})


def test_the_digest_follows_content(tmp_path):
    data = write(tmp_path, ROWS)
    digest = data.digest({})
    data.target.write_bytes(b"another")
    assert data.digest({}) != digest


def test_what_check_looks_at(tmp_path):
    data = write(tmp_path, ROWS)
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (60, 50)).save(data.images / name)
    first, second = data.samples({})
    assert data.facts() == {"images": 2, "people": 3}
    assert data.look(second) == []
    (fault,) = data.look(first)
    assert fault.endswith("valid.json: person 2 of b.jpg has centre (50, 60) and scale 3 in 60x50 pixels")
    first.path.write_bytes(first.path.read_bytes()[:200])
    (fault,) = data.look(first)
    assert f"image {first.path} cannot be read" in fault


def test_lists_of_other_people_than_the_ground_truth_are_refused(tmp_path, monkeypatch):
    data = write(tmp_path, ROWS)
    truth = SimpleNamespace(head=np.ones(2), visible=np.ones((2, 16), bool), position=np.ones((2, 16, 2)))
    monkeypatch.setattr("hrbench.datasets.mpii.read_truth", lambda path: truth)
    with pytest.raises(InputError, match=r"lists 3 people and .*gt_valid.mat 2; both list the same people"):
        data.truth(data.samples({}))
