"""One name means the same data, in every entry of a suite and in the catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from hrbench.errors import UsageError
from hrbench.suite.datasets import dataset_name
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known
from hrbench.types import DatasetRow, Suite

MODEL = "pose_hrnet_w32_coco_256x192"
OFFICIAL = "coco-keypoints-val2017"
Load = Callable[..., Suite]
Rows = Callable[..., list[DatasetRow]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def run(entries: str, defaults: str = "{}", **options: object) -> Suite:
        text = f"suite: s\ndefaults: {defaults}\nentries:\n" + indent(dedent(entries).strip(), "  ") + "\n"
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return load_suite(tmp_path / "s.yaml", known(), **options)  # pyright: ignore[reportArgumentType]

    return run


@pytest.fixture
def rows(load: Load) -> Rows:
    """The data sets of entries that differ in `dataset:` alone."""

    def run(*datasets: str, defaults: str = "{}", **options: object) -> list[DatasetRow]:
        entries = "\n".join(f"- {{model: {MODEL}, seed: {i}, dataset: {row}}}" for i, row in enumerate(datasets))
        found = [entry.dataset for entry in load(entries, defaults, **options).entries]
        return [row for row in found if row is not None]

    return run


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("{split: train2017}", "coco-keypoints-train2017"),
        (f"{{base: {OFFICIAL}, split: train2017}}", "coco-keypoints-train2017"),
        (f"{{base: {OFFICIAL}, annotations: x/mine.json, images: mine}}", "coco-keypoints-mine"),
        (f"{{base: {OFFICIAL}, folder: crops}}", f"{OFFICIAL}-crops"),
        (f"{{base: {OFFICIAL}, folder: moved/coco-keypoints}}", f"{OFFICIAL}-moved"),
        (f"{{base: {OFFICIAL}, images: sharpened}}", f"{OFFICIAL}-sharpened"),
        (f"{{base: {OFFICIAL}, sigmas: [0.1]}}", f"{OFFICIAL}-sigmas"),
        ("{use: coco-keypoints, annotations: mine/val2017.json}", f"{OFFICIAL}-mine"),
    ],
)
def test_altered_data_lose_the_official_name_and_title(rows: Rows, written: str, name: str):
    (row,) = rows(written, defaults=f"{{dataset: {OFFICIAL}}}")
    assert (row.name, row.title) == (name, "")
    assert row.metrics == ("coco-keypoints",)


@pytest.mark.parametrize("written", [OFFICIAL, "{split: val2017}", f"{{base: {OFFICIAL}, metrics: [coco-keypoints]}}"])
def test_unaltered_data_keep_the_official_name_and_title(rows: Rows, written: str):
    (row,) = rows(written, defaults=f"{{dataset: {OFFICIAL}}}")
    assert (row.name, row.title) == (OFFICIAL, "COCO val2017")


def test_a_name_that_is_given_stays(rows: Rows):
    both, name = rows(
        f"{{base: {OFFICIAL}, folder: a, name: ours, title: Ours}}", f"{{base: {OFFICIAL}, folder: b, name: other}}"
    )
    assert (both.name, both.title) == ("ours", "Ours")
    assert (name.name, name.title) == ("other", "")


def test_a_given_name_does_not_pass_to_other_data(rows: Rows):
    named = "{dataset: {use: coco-keypoints, annotations: a.json, name: ours, title: Ours}}"
    same, other = rows("{annotations: a.json}", "{annotations: b.json}", defaults=named)
    assert (same.name, same.title) == ("ours", "Ours")
    assert (other.name, other.title) == ("coco-keypoints-b", "")
    (set_,) = rows("{annotations: a.json}", defaults=named, overrides=["dataset.annotations=c.json"])
    assert (set_.name, set_.title) == ("coco-keypoints-c", "")


def test_what_a_data_set_fixes_of_the_protocol_is_inherited(load: Load):
    (entry,) = load("- {model: pose_hrnet_w32_mpii_256x256, dataset: {base: mpii-val, folder: other}}").entries
    assert entry.dataset is not None and (entry.dataset.name, entry.dataset.title) == ("mpii-other", "")
    assert entry.dataset.fixed == {"boxes": "annotated"} and entry.protocol["boxes"] == "annotated"


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (["{annotations: A/test.json}", "{annotations: B/test.json}"], ["test-A", "test-B"]),
        (["{annotations: A/x/test.json}", "{annotations: B/x/test.json}"], ["test-A-x", "test-B-x"]),
        (["{annotations: a.json, images: x}", "{annotations: a.json, images: y}"], ["a-x", "a-y"]),
        (["{annotations: a.json}", "{annotations: a.json, sigmas: [0.1]}"], ["a", "a-sigmas"]),
        (["{annotations: a.json, sigmas: [0.2]}", "{annotations: a.json, sigmas: [0.1]}"], ["a-1", "a-2"]),
        (["{split: x, folder: A/c}", "{split: x, folder: B/c}"], ["x-c-A", "x-c-B"]),
        (["{annotations: A/test.json}", "{annotations: A/test.json}"], ["test", "test"]),
    ],
)
def test_derived_names_differ(rows: Rows, written: list[str], names: list[str]):
    found = rows(*(row.replace("{", "{use: coco-keypoints, ", 1) for row in written))
    assert [row.name for row in found] == [f"coco-keypoints-{name}" for name in names]


def test_numbers_of_single_classes_make_no_other_data(load: Load):
    entry = "- {{model: faster_rcnn_hrnetv2p_w18, dataset: {{base: coco-val2017, {}}}}}"
    told, loose = (load(entry.format(more)).entries[0].dataset for more in ("per_class: true", "iou_thresholds: 0.3"))
    assert told is not None and loose is not None and told.args["per_class"] is True
    assert told.name == "coco-val2017" and told.title
    assert (loose.name, loose.title) == ("coco-instances-val2017", "")


def test_names_do_not_depend_on_the_entries_that_are_chosen(rows: Rows):
    written = [f"{{use: coco-keypoints, annotations: {place}/test.json}}" for place in "AB"]
    (second,) = rows(*written, only="*-seed-1")
    assert second.name == "coco-keypoints-test-B"


def test_a_derived_name_gives_way_to_a_given_one(rows: Rows):
    given, derived = rows(
        "{use: coco-keypoints, annotations: B/other.json, name: coco-keypoints-test}",
        "{use: coco-keypoints, annotations: A/test.json}",
    )
    assert (given.name, derived.name) == ("coco-keypoints-test", "coco-keypoints-test-A")


def test_a_given_name_of_other_data_is_refused(load: Load):
    with pytest.raises(UsageError) as caught:
        load(f"""
            - {{model: {MODEL}, dataset: {{base: {OFFICIAL}, folder: x, name: mpii-val}}}}
            - {{model: {MODEL}, dataset: {{base: {OFFICIAL}, folder: y, name: ours}}}}
            - {{model: {MODEL}, dataset: {{base: {OFFICIAL}, folder: z, name: ours}}}}
            """)
    first, second = str(caught.value).splitlines()
    assert first.endswith("s.yaml:4: the data set's name 'mpii-val' is taken by the catalog's, which is of other data")
    assert ":6: the data set's name 'ours' is taken by that at " in second and second.count("s.yaml:5") == 1


def test_names_of_data_sets_in_place():
    assert dataset_name("coco-keypoints", {}) == "coco-keypoints"
    assert (
        dataset_name("coco-keypoints", {"split": "a", "annotations": "/x/b.json", "folder": "/"}) == "coco-keypoints-b"
    )
