"""The keys of a data set in a suite file, as a pydantic model: what editors know of them, and what they mean."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


def known_names(kind: str) -> Any:
    """Marks a string for `suite_schema`, which inserts the known names of this kind."""
    return Field(json_schema_extra={"known": kind})


DatasetName = Annotated[str, known_names("datasets")]


class DatasetFields(BaseModel):
    """A data set written in the suite, or one of the catalog with some arguments replaced.

    Keys that are not listed are arguments of `use`, such as `split`, `annotations`, `images`, `sigmas`, `flip_pairs`.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    base: DatasetName | None = Field(None, description="Name of the catalog row that the other fields override.")
    use: Annotated[str, known_names("dataset_uses")] | None = Field(
        None, description='Entry point of hrbench.datasets, or "package.module:callable".'
    )
    name: str | None = Field(None, description="What to call it.")
    title: str | None = Field(None, description="Its name in tables.")
    task: str | None = Field(None, description="Task it is for; by default that of catalog rows with the same `use`.")
    metrics: Annotated[list[Annotated[str, known_names("metrics")]], Field(min_length=1)] | None = Field(
        None, description="Metrics that score predictions on it; by default those of catalog rows with the same `use`."
    )
    home: str | None = Field(None, description="Where to get it, in words.")
    annotations: str | None = Field(None, description="Annotation file, relative to the suite file.")
    images: str | None = Field(None, description="Folder of images, relative to the suite file.")
    segments: str | None = Field(None, description="Folder of PNGs of panoptic segments, relative to the suite file.")
    orientation: Any = Field(
        None,
        description="Of photographs with an EXIF orientation: whether annotations belong to the picture as its file "
        "stores it, or as viewers show it. Data of one's own with such files must say.",
        json_schema_extra={"enum": ["stored", "applied"]},
    )
    paths: Any = Field(
        None,
        description="COCO's form: how file_name is taken; windows: backslashes separate folders, case does not count.",
        json_schema_extra={"enum": ["posix", "windows"]},
    )
    renumber: Any = Field(
        None,
        description="COCO's form: annotations are numbered 1, 2, ..., whatever their ids (pycocotools takes a match "
        "with id 0 for none).",
        json_schema_extra={"type": "boolean"},
    )
    truth_area: Any = Field(
        None,
        description="COCO's form: where the area of annotations comes from; box*0.53 is CrowdPose's and AI "
        "Challenger's rule, and pixels are those of panoptic segments.",
        json_schema_extra={"enum": ["file", "box", "box*0.53", "segmentation", "pixels"]},
    )
    iscrowd: Any = Field(
        None,
        description="COCO's form: 0 takes annotations that do not say for no crowds.",
        json_schema_extra={"enum": ["file", 0]},
    )
    num_keypoints: Any = Field(
        None,
        description="COCO's form: joints counts those with a visibility above 0.",
        json_schema_extra={"enum": ["file", "joints"]},
    )
    match: Any = Field(
        None,
        description="COCO's form: what image ids mean, in annotations and results.",
        json_schema_extra={"enum": ["id", "file_name"]},
    )
    whole_ids: Any = Field(
        None, description="COCO's form: ids may be written as 3.0.", json_schema_extra={"type": "boolean"}
    )
    text_numbers: Any = Field(
        None, description='COCO\'s form: numbers may be written as text, "10.5".', json_schema_extra={"type": "boolean"}
    )
    root_category: Any = Field(
        None,
        description="COCO's form: what becomes of a category that only names the others (Roboflow's id 0).",
        json_schema_extra={"enum": ["keep", "drop"]},
    )
    frames: Any = Field(
        None,
        description="COCO's form: labelled leaves out images whose is_labeled is false.",
        json_schema_extra={"enum": ["all", "labelled"]},
    )
    origin: Any = Field(
        None,
        description="Points: what files count the top left pixel as (faces in .pts files: 1; MPII's predictions).",
        json_schema_extra={"enum": [0, 1]},
    )
    layout: Any = Field(
        None,
        description="Keypoints: AI Challenger's or PoseTrack18's own annotations (a folder of its videos' files).",
        json_schema_extra={"enum": ["coco", "ai-challenger", "posetrack18"]},
    )
    missing_box: Any = Field(
        None,
        description="Keypoints: joints makes the box of a person without one of the labelled joints.",
        json_schema_extra={"enum": ["refuse", "joints"]},
    )
    skeleton: Any = Field(
        None,
        description="Keypoints: the joints of a public set, with OKS constants and mirror pairs.",
        json_schema_extra={"type": "string"},
    )
    unseen: Any = Field(
        None,
        description="Keypoints: what becomes of predicted people of whom no joint has a third number above 0.",
        json_schema_extra={"enum": ["keep", "drop"]},
    )
    categories: Any = Field(
        None, description="Keypoints: all estimates the joints of every class, one those of people alone."
    )
    crowd_bounds: Any = Field(
        None,
        description="CrowdPose: crowd indices between easy and medium, and between medium and hard, images.",
        json_schema_extra={"type": "array"},
    )
    max_detections: Any = Field(
        None,
        description="COCO's AP: how many detections of an image and class are judged: a rising list of which the last "
        "is that of all numbers, or the last alone.",
        json_schema_extra={"type": ["integer", "array"]},
    )
    iou_thresholds: Any = Field(
        None,
        description="COCO's and LVIS's AP of boxes and masks: up to 16 rising thresholds in place of 0.5 to 0.95.",
        json_schema_extra={"type": ["number", "array"]},
    )
    oks_thresholds: Any = Field(
        None,
        description="AP of keypoints: up to 16 rising thresholds in place of 0.5 to 0.95.",
        json_schema_extra={"type": ["number", "array"]},
    )
    areas: Any = Field(
        None,
        description="COCO's AP: ranges of areas in px^2 by name, {tiny: [0, 256]}, in place of small, medium, large.",
        json_schema_extra={"type": "object"},
    )
    recall_thresholds: Any = Field(
        None,
        description="COCO's AP: recalls at which precision is read, or how many of them, in place of 101.",
        json_schema_extra={"type": ["integer", "array"]},
    )
    class_agnostic: Any = Field(
        None,
        description="COCO's AP of boxes and masks: whether all classes count as one.",
        json_schema_extra={"type": "boolean"},
    )
    per_class: Any = Field(
        None,
        description="COCO's AP of boxes and masks: whether AP, AP50, AP75 and AR of each class are told, too.",
        json_schema_extra={"type": "boolean"},
    )
    values: Any = Field(
        None,
        description="Label maps: label -> index of its class, for all labels: {0: 0, 255: 1}.",
        json_schema_extra={"type": "object"},
    )
    colours: Any = Field(
        None,
        description="Label maps: whether they hold the colours of `palette`.",
        json_schema_extra={"type": "boolean"},
    )
    ignore_colours: Any = Field(
        None,
        description="Label maps: further colours, which are not evaluated.",
        json_schema_extra={"type": "array"},
    )
    channels: Any = Field(
        None,
        description="Label maps: equal reads several channels that are equal as one.",
        json_schema_extra={"enum": ["one", "equal"]},
    )
    part: Any = Field(
        None,
        description="Class folders: whether those of some of `classes` are enough.",
        json_schema_extra={"type": "boolean"},
    )
