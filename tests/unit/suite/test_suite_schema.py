"""The JSON Schema of suites: up to date, naming what is known, and of one mind with the parser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from hrbench.catalog import variants
from hrbench.core.resources import shared
from hrbench.suite.load import load_suite, suite_names
from hrbench.suite.registry import known
from hrbench.suite.schema import suite_schema

SHIPPED = shared("suites") / "suite.schema.json"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return suite_schema(known())


def test_shipped_schema_is_up_to_date(made: dict[str, Any]):
    assert json.loads(SHIPPED.read_text()) == made, "run `hrbench schema > suites/suite.schema.json`"


def test_shipped_suites_refer_to_it():
    for name in suite_names():
        first = (shared("suites") / f"{name}.yaml").read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=suite.schema.json"


def properties(part: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every (name, schema) under a `properties`, at any depth."""
    found = []
    if isinstance(part, dict):
        found += list(part.get("properties", {}).items())
        found += [pair for inner in part.values() for pair in properties(inner)]
    elif isinstance(part, list):
        found += [pair for inner in part for pair in properties(inner)]
    return found


def test_every_field_is_described(made: dict[str, Any]):
    protocol = json.dumps(made["$defs"]["Defaults"]["properties"]["protocol"])
    for name, field in properties(made):
        assert field.get("description") or json.dumps(field) in protocol, name


def test_known_names_are_in_it(made: dict[str, Any]):
    names = made["$defs"]["ModelFields"]["properties"]["base"]["enum"]
    assert names == sorted(variants())
    tasks = [task["properties"] for task in made["$defs"]["EntryFields"]["properties"]["protocol"]["anyOf"][1:]]
    for one in ("boxes", "scales", "extent", "crop_fraction"):
        assert sum(one in settings for settings in tasks) == 1
    assert not any("version" in settings for settings in tasks)
    assert '"known"' not in json.dumps(made)


GOOD = [
    "{suite: s, entries: [{model: net}]}",
    "{suite: s, models: [net, {base: net, args: {a: 1}}], datasets: [{use: x, split: y}, none]}",
    "{suite: s, defaults: {cost: {latency: {batch: [1, 8], dtype: float16, budget: 3}}}, entries: [{model: net}]}",
    "{suite: s, defaults: {cost: {latency: false}, protocol: {flip: true}}, entries: [{models: [net], seed: 3}]}",
]
BAD = [
    "{entries: [{model: net}]}",
    "{suite: s}",
    "{suite: s, entries: []}",
    "{suite: s, entries: [{}]}",
    "{suite: a/b, entries: [{model: net}]}",
    "{suite: s, entries: [{model: nett}]}",
    "{suite: s, entries: [{model: net, modle: net}]}",
    "{suite: s, entries: [{model: net, batch: 0}]}",
    "{suite: s, entries: [{model: net, cost: {latency: {dtype: int8}}}]}",
    "{suite: s, entries: [{model: {base: net, input: [1]}}]}",
    "{suite: s, entries: [{model: net, protocol: {flp: true}}]}",
    "{suite: s, entries: [{model: net, metrics: ap}]}",
]


@pytest.mark.parametrize(("text", "fine"), [(text, True) for text in GOOD] + [(text, False) for text in BAD])
def test_editors_and_the_parser_agree(made: dict[str, Any], text: str, fine: bool):
    text = text.replace("nett", "pose_hrnt").replace("net", "pose_hrnet_w32_coco_256x192").replace("hrnt", "hrnett")
    valid = Draft202012Validator(made).is_valid(YAML(typ="safe").load(text))
    assert valid == fine


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_are_valid_and_load(made: dict[str, Any], name: str):
    suite = load_suite(name, known())
    assert suite.name == name and suite.title
    Draft202012Validator(made).validate(YAML(typ="safe").load(suite.text))


def test_the_pose_suite_has_the_papers_rows():
    entries = load_suite("pose", known()).entries
    rows = [(entry.variant.name, entry.dataset.name if entry.dataset else "") for entry in entries]
    assert sum(data == "coco-keypoints-val2017" for _, data in rows) == 10
    assert sum(data == "mpii-val" for _, data in rows) == 8
    published = {json.dumps(dict(entry.variant.published)) for entry in entries if entry.variant.published}
    assert len(published) == 17
    assert all(entry.cost["latency"]["batch"] == [1, 8] for entry in entries)


def test_the_miniature_suite_shows_every_task_and_both_boxes():
    entries = load_suite("miniature", known()).entries
    assert all(entry.variant.miniature and entry.dataset and entry.dataset.miniature for entry in entries)
    assert {entry.protocol.get("boxes") for entry in entries} == {"detector", "ground_truth", "annotated", None}
    for task in set(known().protocols) - {"landmarks", "panoptic"}:  # of these nothing is generated
        assert len({entry.variant.name for entry in entries if entry.variant.task == task}) >= 2
