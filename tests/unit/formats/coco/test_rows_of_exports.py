"""Rows of results that are rendered are found by every name that the metrics take for an image."""

from __future__ import annotations

import json
from pathlib import Path

from hrbench.formats.coco.rows import objects_of, people_of
from hrbench.tasks.classification.render import read_rows
from hrbench.tasks.sample_names import names_of
from hrbench.types import Sample

SAMPLES = [Sample(3, Path("a/x.jpg")), Sample(5, Path("b/y.png")), Sample(7, Path("c/y.png"))]


def test_images_are_found_by_id_number_and_file_name(tmp_path: Path):
    names = names_of(SAMPLES)
    assert names == {"x.jpg": 3, "x": 3}
    row = {"category_id": 1.0, "score": 0.5, "bbox": [0, 0, 1, 1], "keypoints": [1, 2, 2]}
    rows = [{**row, "image_id": key} for key in (3, 3.0, "x", "shots\\x.jpg", "y", 9)]
    (tmp_path / "r.json").write_text(json.dumps(rows), encoding="utf-8-sig")
    found = objects_of(tmp_path / "r.json", [3, 5], names)
    assert len(found[3]) == 4 and not found[5] and found[3][0]["category_id"] == 1
    assert len(people_of(tmp_path / "r.json", [3, 5], names)[3]) == 4


def test_timm_s_lines_are_rendered(tmp_path: Path):
    samples = [Sample("n01/a", Path("n01/a.JPEG"))]
    for heading, line in (("index,prob", '"[2 0]","[0.75 0.25]"'), ("index_0,index_1,prob_0,prob_1", "2,0,0.75,0.25")):
        (tmp_path / "p.csv").write_text(f"filename,{heading}\na.JPEG,{line}\n")
        rows = read_rows(tmp_path / "p.csv", samples)["n01/a"]
        assert rows == [{"label": "2", "score": 0.75}, {"label": "0", "score": 0.25}]
