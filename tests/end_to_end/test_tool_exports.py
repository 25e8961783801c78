"""Exports like those of CVAT, Roboflow and labelme, and a user who does what the messages say and nothing else.

Each is drawn so that the right reading gives 100 points and a wrong one does not. At every step the command fails, the
message names an option, and exactly what it names is added.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from hrbench.cli.command_line import main

NETWORKS = """
import torch
from torch import nn


class Bright(nn.Module):
    "Class 1 where the picture is bright."

    def forward(self, x):
        return torch.cat([torch.full_like(x[:, :1], 0.5), x.mean(1, keepdim=True)], 1)


class Finder(nn.Module):
    "A box around the bright pixels; its class is the strongest colour."

    def forward(self, images):
        found = []
        for image in images:
            ys, xs = torch.where(image.max(0).values > 0.5)
            box = torch.stack([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()
            label = image.sum((1, 2)).argmax()
            found.append({"boxes": box[None], "scores": torch.tensor([0.9]), "labels": label[None]})
        return found


def bright():
    return Bright()


def finder():
    return Finder()
"""
SCORES = (0.53, 0.59, 0.6, 0.63, 0.66)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toolnets.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def objects(folder: Path, file_name: Callable[[int], str], on_disk: Callable[[int], str]) -> dict[str, Any]:
    """Five pictures with one box of one of two colours, and their annotations with ids from 1."""
    rng = np.random.default_rng(7)
    images, annotations = [], []
    for number in range(5):
        pixels = np.zeros((60, 80, 3), np.uint8)
        x, y, w, h = (int(rng.integers(*ends)) for ends in ((2, 30), (2, 20), (12, 40), (12, 35)))
        pixels[y : y + h, x : x + w, number % 2] = 255
        path = folder / on_disk(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, "PNG")
        images.append({"id": number + 1, "file_name": file_name(number), "width": 80, "height": 60})
        box = {"bbox": [x, y, w, h], "area": w * h, "iscrowd": 0, "segmentation": []}
        annotations.append({"id": number + 1, "image_id": number + 1, "category_id": 1 + number % 2, **box})
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }


def found(row: dict[str, Any], score: float) -> dict[str, Any]:
    return {"category_id": row["category_id"], "bbox": row["bbox"], "score": score}


def suite(use: str, task: str, dataset: dict[str, Any]) -> None:
    model = {"use": f"toolnets:{use}", "task": task, "input": [60, 80], "mean": [0, 0, 0], "std": [1, 1, 1]}
    entry = {"name": "own", "model": model, "weights": "own", "protocol": "plain", "dataset": dataset}
    if task == "detection":
        entry["metrics"] = ["coco-boxes"]
    cost = {"parameters": False, "operations": False, "latency": False}
    Path("suite.yaml").write_text(yaml.safe_dump({"suite": "own", "defaults": {"cost": cost}, "entries": [entry]}))


def run(capsys) -> tuple[float | None, str]:
    """The main score, None if there is none, and all that was said."""
    main(["run", "suite.yaml", "--out", "run", "--plain", "--in-process", "--device", "cpu"])
    said = "".join(capsys.readouterr())
    result = json.loads(Path("run/entries/own/result.json").read_text())["result"]
    said += str(result["reasons"])
    return (result["scores"][0]["value"] if result["status"] == "done" else None), " ".join(said.split())


def follow(use: str, task: str, dataset: dict[str, Any], steps: list[str], capsys) -> dict[str, Any]:
    """Runs, adds what the message names, and runs again; at last everything is found. Returns the data set."""
    for step in steps:
        suite(use, task, dataset)
        value, said = run(capsys)
        assert value is None and step in said, said
        dataset |= yaml.safe_load(step)
    suite(use, task, dataset)
    value, said = run(capsys)
    assert value == pytest.approx(1), said
    return dataset


def follow_score(arguments: list[str], steps: list[str], capsys) -> None:
    options: list[str] = []
    for step in steps:
        assert main(["score", *arguments, "--resamples", "0", *options]) != 0
        said = "".join(capsys.readouterr())
        assert step in said, said
        options += ["--option", step.replace(": ", "=", 1)]
    assert main(["score", *arguments, "--resamples", "0", "--verify", *options]) == 0
    out = capsys.readouterr().out
    assert "bit for bit" in out and " 100.00" in out.splitlines()[2], out


def test_an_export_like_cvat_s(here, capsys):
    """Written on Windows with a byte order mark: folders by backslashes, endings in other case, no areas, no crowds."""
    content = objects(here / "images", lambda n: f"task_1\\frame_{n:06d}.png", lambda n: f"task_1/frame_{n:06d}.PNG")
    for row in content["annotations"]:
        del row["area"], row["iscrowd"]
    (here / "instances_default.json").write_text(json.dumps(content), encoding="utf-8-sig")
    dataset = {"use": "coco-instances", "annotations": "instances_default.json", "images": "images"}
    steps = ["paths: windows", "truth_area: box", "iscrowd: 0"]
    follow("finder", "detection", dataset, steps, capsys)

    rows = [
        {
            "image_id": f"frame_{row['image_id'] - 1:06d}",
            "category_id": row["category_id"],
            "bbox": row["bbox"],
            "score": score,
        }
        for row, score in zip(content["annotations"], SCORES, strict=True)
    ]
    (here / "found.json").write_text(json.dumps(rows), encoding="utf-8-sig")
    arguments = ["coco-boxes", "--gt", "instances_default.json", "--pred", "found.json"]
    follow_score(arguments, ["truth_area: box", "iscrowd: 0", "match: file_name"], capsys)

    entry = {"name": "own", "predictions": "found.json", "metrics": ["coco-boxes"]}
    entry["dataset"] = {**dataset, "paths": "windows", "truth_area": "box", "iscrowd": 0, "match": "file_name"}
    Path("suite.yaml").write_text(yaml.safe_dump({"suite": "own", "entries": [entry]}))
    value, said = run(capsys)
    assert value == pytest.approx(1), said


def test_an_export_like_roboflow_s(here, capsys):
    """Ids from 0, and a category 0 that names the project: without a word the network's classes would be one off."""
    content = objects(here / "test", lambda n: f"a_{n}_png.rf.0f{n}.png", lambda n: f"a_{n}_png.rf.0f{n}.png")
    for row in content["annotations"]:
        row["id"] -= 1
        row["image_id"] -= 1
    for row in content["images"]:
        row["id"] -= 1
    for row in content["categories"]:
        row["supercategory"] = "pets"
    content["categories"].insert(0, {"id": 0, "name": "pets", "supercategory": "none"})
    (here / "test" / "_annotations.coco.json").write_text(json.dumps(content))
    dataset = {"use": "coco-instances", "annotations": "test/_annotations.coco.json", "images": "test"}
    told = follow("finder", "detection", dataset, ["root_category: drop", "renumber: true"], capsys)

    suite("finder", "detection", {**told, "root_category": "keep"})
    value, _ = run(capsys)
    assert value == 0  # what the silence would have given

    rows = [
        {**found(row, score), "image_id": float(row["image_id"])}
        for row, score in zip(content["annotations"], SCORES, strict=True)
    ]
    (here / "found.json").write_text(json.dumps(rows))
    arguments = ["coco-boxes", "--gt", "test/_annotations.coco.json", "--pred", "found.json"]
    follow_score(arguments, ["renumber: true", "whole_ids: true"], capsys)


def labelme(folder: Path, form: str) -> None:
    rng = np.random.default_rng(3)
    table = {"colours": [(0, 0, 0), (128, 0, 0)], "masks": [0, 255]}[form]
    for number in range(4):
        labels = (rng.random((60, 80)) < 0.3).astype(np.uint8)
        pixels = np.repeat(labels[..., None] * np.uint8(255), 3, axis=2)
        for place, content in (("JPEGImages", pixels), ("SegmentationClass", np.array(table, np.uint8)[labels])):
            (folder / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(folder / place / f"{number}.PNG")
            (folder / place / f"._{number}.PNG").write_bytes(b"\0\5\x16\7")
            (folder / place / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def test_an_export_like_labelme_s_in_colours(here, capsys):
    """Label maps in VOC's colours, endings in upper case, and what macOS leaves in folders."""
    labelme(here / "voc", "colours")
    names = {"names": ["background", "bright"]}
    dataset = {"use": "label-folders", "images": "voc/JPEGImages", "labels": "voc/SegmentationClass", **names}
    suite("bright", "segmentation", dataset)
    value, said = run(capsys)
    assert value is None and "option palette: [[red, green, blue], ...]" in said and "`colours: true`" in said
    assert "[128, 0, 0]" in said and "[0, 0, 0]" in said
    suite("bright", "segmentation", {**dataset, "palette": [[0, 0, 0], [128, 0, 0]], "colours": True})
    value, said = run(capsys)
    assert value == 1, said

    folder = "voc/SegmentationClass"
    arguments = ["miou", "--gt", folder, "--pred", folder, "--option", "names=[background, bright]"]
    assert main(["score", *arguments]) != 0 and "option palette" in "".join(capsys.readouterr())
    follow_score([*arguments, "--option", "palette=[[0, 0, 0], [128, 0, 0]]"], [], capsys)


def test_an_export_like_labelme_s_as_masks(here, capsys):
    """Masks of 0 and 255: the label 255 is ignored until something says what it is."""
    labelme(here / "voc", "masks")
    names = {"names": ["background", "bright"]}
    dataset = {"use": "label-folders", "images": "voc/JPEGImages", "labels": "voc/SegmentationClass", **names}
    suite("bright", "segmentation", dataset)
    value, said = run(capsys)
    assert value is None and "option values: {0: 0, 255: 1} reads 255 as the second class" in said
    suite("bright", "segmentation", {**dataset, "values": {0: 0, 255: 1}})
    value, said = run(capsys)
    assert value == 1, said

    folder = "voc/SegmentationClass"
    arguments = ["miou", "--gt", folder, "--pred", folder]
    assert main(["score", *arguments, "--option", "classes=2", "--resamples", "0"]) == 0
    said = capsys.readouterr().out
    assert "(option values: {0: 0, 255: 1})" in said
    follow_score([*arguments, "--option", "values={0: 0, 255: 1}"], [], capsys)


def test_files_outside_the_folder_of_images_are_never_read(here, capsys):
    content = objects(here / "images", lambda n: f"../secret/{n}.png", lambda n: f"{n}.png")
    (here / "a.json").write_text(json.dumps(content))
    suite("finder", "detection", {"use": "coco-instances", "annotations": "a.json", "images": "images"})
    value, said = run(capsys)
    assert value is None and "leads out of the folder of images, which no option allows" in said
