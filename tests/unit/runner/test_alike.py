"""A fault that many images have is one sentence; faults that differ in what matters stay apart."""

from __future__ import annotations

from pathlib import Path

from hrbench.runner.alike import told_once
from hrbench.types import Sample


def samples(count: int) -> list[Sample]:
    return [Sample(f"city/{number:04d}", Path(f"images/city/{number:04d}.jpg")) for number in range(count)]


def test_names_places_and_sizes_tell_no_faults_apart() -> None:
    faults = []
    for place, each in enumerate(samples(1000), 1):
        what = f"hold 255 at ({place}, 0), which is wrong; {place} of 1,024 pixels ({place} bytes)"
        faults.append((each, f"labels gt/{each.id}_ids.png {what}"))
    (said,) = told_once(faults)
    assert said.startswith(faults[0][1])
    assert said.endswith(" (1,000 alike, in 1,000 images: city/0000, city/0001, city/0002 and 997 more)")


def test_few_labels_are_told_one_by_one_and_many_together() -> None:
    def said(labels: int) -> list[str]:
        return told_once([(each, f"{each.path} holds {number % labels}") for number, each in enumerate(samples(20))])

    assert len(said(2)) == 2 and len(said(3)) == 3
    assert [text.partition(" (")[0] for text in said(3)][2] == "images/city/0002.jpg holds 2"
    (together,) = said(4)
    assert "holds 0 (20 alike, in 20 images" in together


def test_other_words_are_another_fault_and_a_single_one_has_no_number() -> None:
    first, second, *_ = samples(3)
    assert told_once([(first, "is empty"), (second, "is damaged")]) == ["is empty", "is damaged"]
    assert told_once([]) == []


def test_several_faults_of_one_image_are_counted_as_such() -> None:
    image = Sample(5, Path("5.jpg"))
    (said,) = told_once([(image, f"a.json: object {number} of image 5 has no box") for number in range(7)])
    assert said == "a.json: object 0 of image 5 has no box (7 alike, in 1 image: 5)"
