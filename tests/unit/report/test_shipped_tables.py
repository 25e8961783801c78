"""The shipped suites in their own tables: published figures beside the networks they are of, and no difference formed
from figures that were made otherwise, by made-up scores of every entry."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import shipped_tables
from helpers.shipped_tables import IMAGES, tables_of

from hrbench.report.grid import Column, Table


def called(column: Column) -> str:
    """The quantity's name: keys of those that two metrics of a table share say the metric too."""
    return column.key.partition(".")[0].removeprefix("coco-boxes/").removeprefix("coco-masks/")


def cells(table: Table, name: str, part: str, group: str = "") -> list[str]:
    """Texts of one column, a row after the other."""
    places = [
        i
        for i, column in enumerate(table.columns)
        if (called(column), column.part) == (name, part) and column.group == group
    ]
    assert places, f"{table.name} has no column {name} {part}"
    return [row.cells[places[0]].text for row in table.rows]


def differences(table: Table) -> list[str]:
    """All texts of columns of differences that are numbers."""
    places = [i for i, column in enumerate(table.columns) if column.part == "difference"]
    return [row.cells[i].text for row in table.rows for i in places if any(c.isdigit() for c in row.cells[i].text)]


@pytest.mark.parametrize("suite", ["segmentation", "detection", "classification"])
def test_every_row_stands_beside_its_published_figure(suite: str):
    main = {"segmentation": ("mIoU", ""), "detection": ("AP", "Box"), "classification": ("top1", "")}[suite]
    found = 0
    for table in tables_of(suite).values():
        keys = {(called(column), column.part, column.group) for column in table.columns}
        if (main[0], "published", main[1]) in keys:
            texts = cells(table, main[0], "published", main[1])
            assert all(texts), f"{table.name}: {texts}"
            assert len(differences(table)) >= len(texts), table.name
            found += len(texts)
    assert found > 15


def test_figures_of_the_paper_beside_those_that_a_readme_leaves_out():
    tables = tables_of("segmentation")
    assert cells(tables["segmentation-lip"], "pixel_acc", "published")[-1] == "88.2"
    assert cells(tables["segmentation-lip"], "mean_acc", "published")[-1] == "67.8"
    tables = tables_of("spinenet")
    assert cells(tables["spinenet-mask-rcnn"], "AP", "published", "Box")[-1] == "52.2"
    assert cells(tables["spinenet-mask-rcnn"], "AP", "published", "Mask")[-1] == "46.1"
    ablation = tables_of("ablations")["ablation-spinenet"]
    assert cells(ablation, "AP", "published")[:4] == ["37.8", "39.6", "40.7", "40.8"]


def test_the_suites_name_every_network_of_the_tables():
    fcos = tables_of("detection")["detection-fcos"]
    assert [row.cells[0].text for row in fcos.rows][:2] == ["FCOS, ResNet-50-FPN", "FCOS, ResNet-101-FPN"]


@pytest.mark.parametrize("changes", [{"flip": True}, {"scales": [1.0]}, {"scales": [0.5, 1.0]}])
def test_refinenets_papers_figures_are_of_several_scales(changes: dict[str, Any]):
    several = {"refinenet-nyudv2", "refinenet-sun-rgbd", "refinenet-pascal-context", "refinenet-ade20k"}
    made, other = tables_of("refinenet"), tables_of("refinenet", **changes)
    assert all(differences(made[name]) for name in several)
    assert {name for name, table in other.items() if differences(table)} <= {"refinenet-voc"}
    assert bool(differences(other["refinenet-voc"])) == (changes == {"scales": [1.0]})


@pytest.mark.parametrize(
    ("suite", "other", "table"),
    [
        ("segmentation", "coco-stuff-164k-val2017", "segmentation-coco-stuff-single"),
        ("segmentation", "coco-stuff-164k-val2017", "segmentation-coco-stuff-multi"),
        ("classification", "imagenet-real", "classification-imagenet"),
    ],
)
def test_another_data_set_has_no_difference(suite: str, other: str, table: str):
    made = tables_of(suite, other)
    assert table not in made or not differences(made[table])


@pytest.mark.parametrize(
    "table", ["pascal-context-59", "pascal-context-60", "lip", "ade20k-single", "coco-stuff-single"]
)
def test_another_protocol_has_no_difference(table: str):
    """The plain protocol, also where its scales and flip are the published ones."""
    made = tables_of("segmentation", name="plain", size="own", windows="none")[f"segmentation-{table}"]
    assert not differences(made)


SUITES = ["segmentation", "refinenet", "detection", "spinenet", "ablations", "classification", "pose-decodings"]
ANY_NUMBER = {"refinenet-cityscapes", "pose-ai-challenger", "pose-ap10k", "pose-ochuman"}
"""Tables without a number of images: the server's are all there are, or no source says how many there are."""


@pytest.mark.parametrize("suite", [*SUITES, "pose-sets"])
def test_fewer_images_have_no_difference(suite: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shipped_tables, "IMAGES", dict.fromkeys(IMAGES, 7))
    for table in tables_of(suite).values():
        assert not differences(table) or table.name in ANY_NUMBER, table.name


def test_each_decoding_has_a_table_with_a_difference_in_every_row():
    tables = tables_of("pose-decodings")
    assert {name: len(differences(table)) for name, table in tables.items()} == {
        "pose-coco-val-dark": 4 * 10,  # AP, AP50, AP75 and AR
        "pose-coco-val-udp": 4 * 4,
        "pose-coco-val-udp-combined": 4,
    }
    texts = [text for table in tables.values() for text in cells(table, "AP", "published")]
    assert len(texts) == 15 and all(texts)


def test_each_set_of_poses_has_a_table_with_a_difference_in_every_row():
    tables = tables_of("pose-sets")
    assert {name: len(differences(table)) for name, table in tables.items()} == {
        "pose-crowdpose": 6 * 5,
        "pose-wholebody": 8 * 10,
        "pose-wholebody-dark": 8 * 2,
        "pose-ai-challenger": 5 * 2,
        "pose-ap10k": 5 * 4,
        "pose-ochuman": 5 * 10,
        "pose-halpe": 2,
        "pose-posetrack18": 0,  # published figures are of another metric
    }
    assert not any(differences(table) for table in tables_of("pose-sets", boxes="other").values())
    assert len(tables["pose-posetrack18"].rows) == 5


@pytest.mark.parametrize(
    "changed",
    [{"quarter_offset": True}, {"affine": "other"}, {"blur_kernel": 17}, {"shift_heatmap": None}, {"blur_sigma": 2.0}],
)
def test_another_decoding_has_no_difference(changed: dict[str, Any]):
    assert not any(differences(table) for table in tables_of("pose-decodings", **changed).values())


def test_the_map_of_udp_is_not_that_of_the_figures_of_hrnet():
    assert not differences(tables_of("pose", affine="udp")["pose-coco-val"])
    assert differences(tables_of("pose")["pose-coco-val"])
