"""Suites as people write them: what comes out, and what is said where they are wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

import pytest

import hrbench
from hrbench.errors import EntryError, UsageError
from hrbench.suite.load import find_suite, load_suite, suite_names
from hrbench.suite.registry import CostOptions
from hrbench.types import DatasetRow, Known, Suite, Variant


@dataclass(frozen=True)
class Boxed:
    """A protocol like that of pose."""

    name: str = "boxed"
    version: int = 3
    boxes: Literal["detector", "ground_truth"] | str = "detector"
    flip: bool = True
    threshold: float = 0.5
    scales: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Whole:
    """A protocol of another task."""

    name: str = "whole"
    version: int = 1


WEIGHTS = {"official": "net.pth", "other": "net.pth.tar"}
VARIANTS = [
    Variant("net_a", "net", "pose", (64, 48), {"width": 32, "joints": 17}, weights=WEIGHTS, parameters=7, title="A",
            published={"file": "pose"}),
    Variant("net_b", "net", "pose", (96, 72), {"width": 48, "joints": 17}),
    Variant("seg_a", "seg", "segmentation", (64, 64)),
]  # fmt: skip
DATASETS = [
    DatasetRow("people-val", "people", "pose", ("ap",), {"split": "val"}, title="People", home="there"),
    DatasetRow("people-test", "people", "pose", ("ap",), {"split": "test"}),
    DatasetRow("streets", "streets", "segmentation", ("iou",)),
]
ARGUMENTS = {"net": ("width", "joints"), "people": ("root", "split", "annotations", "images", "sigmas")}
KNOWN = Known(
    variants={row.name: row for row in VARIANTS},
    datasets={row.name: row for row in DATASETS},
    protocols={"pose": Boxed, "segmentation": Whole},
    metrics=("ap", "pck", "iou"),
    exists=lambda group, name: name in ("net", "seg", "people", "streets", "json:loads"),
    arguments=lambda group, name, folders: ARGUMENTS.get(name),
    costs=CostOptions(),
)

Load = Callable[..., Suite]
Errors = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)

    def run(text: str, **options: Any) -> Suite:
        (tmp_path / "s.yaml").write_text(dedent(text), encoding="utf-8")
        return load_suite("s.yaml", KNOWN, **options)

    return run


@pytest.fixture
def errors(load: Load) -> Errors:
    def run(text: str, **options: Any) -> list[str]:
        with pytest.raises(UsageError) as caught:
            load(text, **options)
        return str(caught.value).splitlines()

    return run


QUICK = {"mode": "quick", "budget": None, "cap": None, "inputs": "auto", "cold": False}


# --- what comes out


def test_an_entry_is_filled_with_every_default(load: Load, tmp_path: Path):
    suite = load("suite: s\ntitle: T\nentries:\n  - model: net_a\n    dataset: people-val\n")
    assert (suite.name, suite.title, suite.table, suite.images) == ("s", "T", "", 3)
    entries = "entries:\n  - model: net_a\n    dataset: people-val\n"
    assert load(f"suite: s\nreport: {{images: 0}}\n{entries}").images == 0
    assert load(f"suite: s\nreport: {{}}\n{entries}").images == 3
    with pytest.raises(UsageError, match=r"2: .*image.*did you mean images"):
        load(f"suite: s\nreport: {{image: 4}}\n{entries}")
    with pytest.raises(UsageError, match=r"2: .*images"):
        load(f"suite: s\nreport: {{images: -1}}\n{entries}")
    assert suite.path == str(tmp_path / "s.yaml") and suite.text.startswith("suite: s")
    (entry,) = suite.entries
    assert entry.name == "net_a" and entry.variant is VARIANTS[0] and entry.dataset is DATASETS[0]
    assert entry.protocol == {
        "name": "boxed", "version": 3, "boxes": "detector", "flip": True, "threshold": 0.5, "scales": [1.0],
    }  # fmt: skip
    assert entry.metrics == ("ap",)
    assert entry.cost == {"operations": True, "latency": {"batch": [1], "dtype": ["float32"], **QUICK}}
    assert (entry.weights, entry.batch, entry.limit, entry.seed, entry.dtype) == (None, 16, None, 0, "float32")
    assert entry.where == "s.yaml:4"


def test_entries_are_laid_over_defaults(load: Load):
    first, second = load("""
        suite: s
        defaults:
          dataset: people-val
          protocol: {boxes: ground_truth, flip: false}
          cost: {operations: false, latency: {batch: [1, 8], dtype: float16, budget: 5}}
          batch: 4
          seed: 1
        entries:
          - model: net_a
          - model: net_b
            dataset: {split: train}
            protocol: {flip: true, scales: [1, 2]}
            cost: {latency: {batch: 2}}
            batch: 8
        """).entries
    assert first.cost == {
        "operations": False,
        "latency": {"batch": [1, 8], "dtype": ["float16"], **QUICK, "budget": 5.0},
    }
    assert (first.protocol["boxes"], first.protocol["flip"]) == ("ground_truth", False)
    assert second.dataset is not None and second.dataset.args == {"split": "train"}
    assert second.dataset.home == "there"
    assert second.protocol["boxes"] == "ground_truth" and second.protocol["flip"] is True
    assert second.protocol["scales"] == [1.0, 2.0]
    assert second.cost == {"operations": False, "latency": {"batch": [2], "dtype": ["float16"], **QUICK, "budget": 5.0}}
    assert (first.batch, second.batch, second.seed) == (4, 8, 1)


@pytest.mark.parametrize(
    ("cost", "latency"),
    [
        ("{latency: false}", None),
        ("{latency: true}", {"batch": [1], "dtype": ["float32"], **QUICK}),
        ("{latency: {batch: [1, 1, 2]}}", {"batch": [1, 2], "dtype": ["float32"], **QUICK}),
        ("{latency: {budget: null}}", {"batch": [1], "dtype": ["float32"], **QUICK}),
        (
            "{latency: {mode: gate, cap: 60}}",
            {"batch": [1], "dtype": ["float32"], **QUICK, "mode": "gate", "cap": 60.0},
        ),
    ],
)
def test_latency_is_normalised(load: Load, cost: str, latency: Any):
    (entry,) = load(f"suite: s\nentries: [{{model: net_a, cost: {cost}}}]").entries
    assert entry.cost["latency"] == latency


def test_no_data_set_is_costs_only(load: Load):
    first, second = load("""
        suite: s
        defaults: {dataset: people-val}
        entries: [{model: net_a, dataset: none}, {model: net_b, dataset: none, weights: none}]
        """).entries
    assert first.dataset is None and first.metrics == ()
    assert second.weights == "none"


def test_matrix_at_the_top_and_in_an_entry(load: Load):
    suite = load("""
        suite: s
        models: [net_a, net_b]
        datasets: [people-val, people-test]
        entries:
          - models:
              - net_a
              - {base: net_b, name: wide, input: [32, 32]}
            dataset: people-val
            protocol: {flip: false}
        """)
    assert [entry.name for entry in suite.entries] == [
        "net_a", "net_a-people-test", "net_b", "net_b-people-test", "net_a-flip-false", "wide",
    ]  # fmt: skip
    assert [entry.where for entry in suite.entries[-2:]] == ["s.yaml:7", "s.yaml:8"]


def test_names_are_unique_and_stable(load: Load):
    text = """
        suite: s
        defaults: {dataset: people-val}
        entries:
          - {model: net_a}
          - {model: net_a, weights: official}
          - {model: net_a, weights: other}
          - {model: net_a, protocol: {boxes: some file.json}}
          - {model: net_a, metrics: [pck]}
          - {model: net_a, dataset: people-test, dtype: float16}
          - {model: {base: net_a, input: [32, 32]}}
          - {model: net_a, name: ours, seed: 4}
        """
    assert [entry.name for entry in load(text).entries] == [
        "net_a", "net_a-official", "net_a-other", "net_a-boxes-some_file.json", "net_a-pck",
        "net_a-people-test-dtype-float16", "net_a-2", "ours",
    ]  # fmt: skip


def test_model_with_fields_exchanged(load: Load, tmp_path: Path):
    (tmp_path / "ournets.py").write_text("raise RuntimeError('imported while reading')\ndef net(depth): ...\n")
    wide, smaller, ours = (entry.variant for entry in load("""
        suite: s
        entries:
          - {name: wide, model: {base: net_a, args: {width: 64}}}
          - {name: smaller, model: {base: net_a, input: [32, 32]}}
          - {name: ours, model: {base: net_a, use: "ournets:net", args: {depth: 3}, title: Ours}}
        """).entries)  # fmt: skip
    assert wide.args == {"width": 64, "joints": 17}
    assert (wide.name, wide.weights, wide.parameters, wide.published, wide.title) == ("wide", {}, None, {}, "")
    assert (smaller.input, smaller.weights, smaller.parameters) == ((32, 32), WEIGHTS, 7)
    assert (smaller.published, smaller.title) == ({}, "")
    assert (ours.use, ours.args, ours.input, ours.title) == ("ournets:net", {"depth": 3}, (64, 48), "Ours")
    assert "ournets" not in sys.modules


def test_model_in_place(load: Load):
    first, second = load("""
        suite: s
        entries:
          - model: {use: net, input: [32, 24], args: {width: 2}, colour: bgr, mean: [0, 0, 0], std: [1, 1, 1]}
          - model: {use: "json:loads", task: segmentation, input: [8, 8], miniature: true}
        """).entries
    assert first.variant == Variant(
        "net", "net", "pose", (32, 24), {"width": 2}, colour="bgr", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    )
    assert (second.name, second.variant.task, second.variant.miniature) == ("loads", "segmentation", True)


def test_data_set_in_place(load: Load, tmp_path: Path):
    split, own, based = (entry.dataset for entry in load("""
        suite: s
        entries:
          - {model: net_a, dataset: {use: people, split: train}}
          - {model: net_a, dataset: {use: people, annotations: ours/a.json, images: ours, sigmas: [0.1, 1e-3]}}
          - {model: net_a, dataset: {base: people-val, split: other, metrics: [ap, pck]}}
        """).entries)  # fmt: skip
    assert split == DatasetRow("people-train", "people", "pose", ("ap",), {"split": "train"})
    assert own == DatasetRow("people-a", "people", "pose", ("ap",), {
        "annotations": str(tmp_path / "ours/a.json"), "images": str(tmp_path / "ours"), "sigmas": [0.1, 0.001],
    })  # fmt: skip
    assert based is not None and (based.args, based.metrics) == ({"split": "other"}, ("ap", "pck"))


def test_paths_are_relative_to_the_suite_file(tmp_path: Path):
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "s.yaml").write_text("suite: s\ntable: t.yaml\nentries: [{model: net_a, weights: ../w/a.pth}]")
    suite = load_suite(folder / "s.yaml", KNOWN)
    assert suite.table == str(folder / "t.yaml")
    assert suite.entries[0].weights == str(tmp_path / "w/a.pth")
    (folder / "s.yaml").write_text("suite: s\ntable: pose\nentries: [{model: net_a, weights: other}]")
    suite = load_suite(folder / "s.yaml", KNOWN)
    assert (suite.table, suite.entries[0].weights) == ("pose", "other")


def test_a_part_of_a_checkpoint_has_a_file_and_a_key(load: Load, tmp_path: Path):
    weights = "weights: {file: ./w.pth, key: ema.module}"
    (entry,) = load(f"suite: s\nentries: [{{model: net_a, dataset: people-val, {weights}}}]").entries
    assert (entry.weights, entry.weights_key) == (str(tmp_path / "w.pth"), "ema.module")
    (entry,) = load("suite: s\nentries: [{model: net_a, weights: {file: official, key: ema}}]").entries
    assert (entry.weights, entry.weights_key) == ("official", "ema")
    (entry,) = load('suite: s\nentries: [{model: net_a, weights: {file: ./w.pth, drop: "net."}}]').entries
    assert (entry.weights_key, entry.weights_drop) == ("", "net.")
    suite = load("suite: s\ndefaults: {weights: {file: ./w.pth, key: a}}\nmodels: [net_a, net_b]")
    assert {(one.weights_key, one.weights) for one in suite.entries} == {("a", str(tmp_path / "w.pth"))}


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("{key: ema}", "weights.file is missing"),
        ("{file: ./w.pth, kay: ema}", "unknown key 'kay'; did you mean key?"),
        ("{file: none, key: ema}", "weights: none are no file, of which a key could choose a part"),
        ("{file: none, drop: net.}", "weights: none are no file, of which all keys could lose a prefix"),
        ("{file: ./w.pth, drop: 3}", "weights.drop must"),
        ("{file: ./w.pth, key: 3}", "weights.key must"),
        ("{file: ./w.pth, key: }", "key has no value"),
        ("{file: oficial}", "net_a has no weights source 'oficial'; did you mean official?"),
    ],
)
def test_a_part_of_a_checkpoint_that_is_written_wrongly(load: Load, weights: str, said: str):
    with pytest.raises(UsageError, match=re.escape(said)):
        load(f"suite: s\nentries: [{{model: net_a, weights: {weights}}}]")


def test_weights_may_have_an_address_which_stays_as_it_is(load: Load):
    (entry,) = load("suite: s\nentries: [{model: net_a, weights: 's3://bucket/a/w.pth'}]").entries
    assert entry.weights == "s3://bucket/a/w.pth"
    weights = "weights: {file: 's3://bucket/w.pth', key: ema}"
    (entry,) = load(f"suite: s\nentries: [{{model: net_a, {weights}}}]").entries
    assert (entry.weights, entry.weights_key) == ("s3://bucket/w.pth", "ema")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("weights: 's3://key:wJalrXUtnFEMI@bucket/w.pth'", "s3://***@bucket/w.pth: an address holds no keys"),
        ("weights: 'ftp://host/w.pth'", "ftp:// is not read; known: s3://"),
        (
            "predictions: 's3://b/p.json?sig=wJalrXUtnFEMI', dataset: people-val",
            "s3://b/p.json?***: a path was expected",
        ),
        ("dataset: {base: people-val, images: 's3://b/i'}", "s3://b/i: a path was expected; addresses are for --data"),
    ],
)
def test_addresses_that_a_suite_cannot_name(load: Load, fields: str, said: str):
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        load(f"suite: s\nentries: [{{model: net_a, {fields}}}]")
    assert "wJalrXUtnFEMI" not in str(caught.value)


def test_paths_of_the_command_line_are_relative_to_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/s.yaml").write_text("suite: s\nentries: [{model: net_a, dataset: people-val}]")
    monkeypatch.chdir(tmp_path)
    settings = ["weights=w/a.pth", "dataset.annotations=a.json", "dataset.images=~nobody-at-all/i"]
    (entry,) = load_suite("deep/s.yaml", KNOWN, overrides=settings).entries
    assert entry.weights == str(tmp_path / "w/a.pth") and entry.dataset is not None
    assert entry.dataset.args["annotations"] == str(tmp_path / "a.json")
    assert entry.dataset.args["images"] == str(tmp_path / "~nobody-at-all/i")


# --- the command line

TWO = "suite: s\ndefaults: {dataset: people-val}\nentries: [{model: net_a}, {model: net_b, cost: {latency: false}}]"


def test_overrides_win(load: Load):
    suite = load(TWO, overrides=["cost.latency.batch=[1, 4]", "protocol.flip=false", "dataset.split=x", "seed=3"])
    for entry in suite.entries:
        assert entry.cost["latency"]["batch"] == [1, 4]
        assert entry.protocol["flip"] is False and entry.seed == 3
        assert entry.dataset is not None and entry.dataset.args == {"split": "x"}


def test_only_and_limit(load: Load, errors: Errors):
    suite = load(TWO, only="*_b", limit=5)
    assert [(entry.name, entry.limit) for entry in suite.entries] == [("net_b", 5)]
    assert errors(TWO, only="seg*") == ["--only 'seg*' matches no entry of s.yaml; there are: net_a, net_b"]
    assert errors(TWO, limit=0) == ["--limit 0: must be at least 1"]


def test_a_batch_is_a_number_or_auto(load: Load, errors: Errors):
    assert [entry.batch for entry in load(TWO, overrides=["batch=auto"]).entries] == ["auto", "auto"]
    (said,) = errors(TWO, overrides=["batch=autom"])
    assert said == "--set batch=autom: batch must be a whole number of at least 1, or 'auto', not 'autom'"


def test_shards_are_a_number_or_auto(load: Load, errors: Errors):
    assert [entry.shards for entry in load(TWO).entries] == ["auto", "auto"]
    assert [entry.shards for entry in load(TWO, overrides=["shards=7"]).entries] == [7, 7]
    (said,) = errors(TWO, overrides=["shards=many"])
    assert said == "--set shards=many: shards must be a whole number of at least 1, or 'auto', not 'many'"


def test_entries_that_only_leaves_out_need_not_know_a_setting(load: Load, errors: Errors):
    text = TWO.replace("]", ", {model: seg_a, dataset: streets}]")
    (entry,) = load(text, overrides=["protocol.flip=false"], only="net_b").entries
    assert entry.protocol["flip"] is False
    (other,) = errors(text, overrides=["protocol.flip=false"], only="seg*")
    assert other.startswith("--set protocol.flip=false: the protocol of task segmentation has no setting 'flip'")
    assert errors(text, overrides=["protocol.flip=false"]) == [other]
    assert len(errors(text, overrides=["protocol.flop=false"], only="net_b")) == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("cost.latncy=1", "--set cost.latncy=1: unknown key 'latncy'; did you mean latency?"),
        ("sed=1", "--set sed=1: unknown key 'sed'; did you mean seed?"),
        ("protocol.flp=1", "--set protocol.flp=1: the protocol of task pose has no setting 'flp'; did you mean flip?"),
        ("batch", "--set batch: must be KEY=VALUE, such as cost.latency.batch=1"),
        ("a..b=1", "--set a..b=1: must be KEY=VALUE, such as cost.latency.batch=1"),
        (
            "batch=[1",
            "--set batch=[1: not YAML: did not find expected ',' or ']' while parsing a flow sequence that begins "
            "in line 1",
        ),
        ("batch=", "--set batch=: batch has no value; give one or leave the key out"),
        ("name=x", "--set name=x: name cannot be the same for every entry; use --only to choose entries"),
    ],
)
def test_wrong_overrides(errors: Errors, override: str, message: str):
    assert errors(TWO, overrides=[override]) == [message]


# --- errors


def test_all_errors_at_once_each_with_its_line(errors: Errors):
    assert errors("""\
        suite: s s
        titel: T
        defaults:
          dataset: people-vall
          protocol: {boxs: detector, flip: "yes", version: 2}
          batch: 1e-3
        entries:
          - model: net_aa
          - model: net_a
            modle: net_b
            cost: {latncy: 1}
            weights: oficial
            metrics: [app]
          - models: []
          - modl: net_a
          - {model: net_b, dataset: streets}
          - {model: {base: net_a, args: {widht: 1}, colr: rgb}, seed: -1}
          - 7
        """) == [
        's.yaml:1: suite must consist of letters, digits and . _ + - (it names a file), '
        'and begin with a letter or digit, not "s s"',
        "s.yaml:2: unknown key 'titel'; did you mean title?",
        "s.yaml:4: no data set is called 'people-vall'; did you mean people-val?",
        "s.yaml:5: the protocol of task pose has no setting 'boxs'; did you mean boxes?",
        's.yaml:5: protocol.flip must be a valid boolean, not "yes"',
        "s.yaml:5: the protocol of task pose has no setting 'version'; version is not for suites to set",
        "s.yaml:6: batch must be a valid integer, not 0.001",
        "s.yaml:8: no model is called 'net_aa'; did you mean net_a?",
        "s.yaml:10: unknown key 'modle'; did you mean model?",
        "s.yaml:11: unknown key 'latncy'; did you mean latency?",
        "s.yaml:12: net_a has no weights source 'oficial'; did you mean official? (a file is written with its ending)",
        "s.yaml:13: no metric is called 'app'; did you mean ap?",
        "s.yaml:14: models must be a list with at least one model",
        "s.yaml:15: unknown key 'modl'; did you mean model?",
        "s.yaml:15: an entry needs `model:` or `models:`, or `predictions:`",
        "s.yaml:16: model net_b is for pose and data set streets for segmentation: they do not fit",
        "s.yaml:17: seed must be greater than or equal to 0, not -1",
        "s.yaml:17: unknown key 'colr'; did you mean colour?",
        "s.yaml:17: net takes no argument 'widht'; did you mean width?",
        "s.yaml:18: an entry is a mapping with `model:`, `models:` or `predictions:`",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{model: 3}", "model must be a name or a mapping, not 3"),
        ("{model: }", "model has no value; give one or leave the key out"),
        ("{model: {}}", "a model in place lacks use, task, input; give that or `base: NAME`"),
        ("{model: {base: net_c}}", "no model is called 'net_c'; did you mean net_b?"),
        ("{model: {use: nett, input: [1, 1]}}", "no model is called 'nett'; did you mean net?"),
        ('{model: {base: net_a, use: "no.such:x"}}', "no module 'no.such' beside the suite or installed"),
        ("{model: {base: net_a, args: {widht: 1}}}", "net takes no argument 'widht'; did you mean width?"),
        ("{model: {base: net_a, input: [1]}}", "model.input must have at least 2 values"),
        ("{model: {base: net_a, input: [0, 1]}}", "model.input.0 must be greater than or equal to 1, not 0"),
        ("{model: {base: net_a, mean: [0.5]}}", "mean has 1 values and std 3"),
        ("{model: {base: seg_a, task: cooking}}", "no task is called 'cooking'; known: pose, segmentation"),
        ("{model: net_a, models: [net_b]}", "give either model or models"),
        ("{model: net_a, datasets: people-val}", "datasets must be a list with at least one dataset"),
        ("{model: net_a, dataset: {use: people, splt: a}}", "people takes no argument 'splt'; did you mean split?"),
        ("{model: net_a, dataset: {use: peple}}", "no data set is called 'peple'; did you mean people?"),
        ("{model: net_a, dataset: {split: a}}", "a data set in place lacks `use`; give that or `base: NAME`"),
        ('{model: net_a, dataset: {use: "json:loads"}}',
         "a data set with `use: json:loads` lacks task and metrics"),
        ("{model: net_a, dataset: {use: people, images: 3}}", "dataset.images must be a valid string, not 3"),
        ("{model: net_a, metrics: []}", "metrics must have at least 1 values"),
        ("{model: net_a, dataset: streets, metrics: [iou, iou]}", "metrics names one twice: iou, iou"),
        ("{model: net_a, cost: {latency: {dtype: int8}}}", "cost.latency.dtype must be 'float32'"),
        ("{model: net_a, cost: {latency: {mode: slow}}}", "cost.latency.mode must be 'quick', 'gate' or 'smoke'"),
        ("{model: net_a, cost: {latency: {cap: 60}}}", "cost.latency.cap: cap is the time of mode gate"),
        ("{model: net_a, cost: {latency: {mode: gate, budget: 5}}}", "cost.latency: budget is the time of mode quick"),
        ("{model: net_a, cost: {latency: {budget: 0}}}", "cost.latency.budget must be greater than 0, not 0"),
        ("{model: net_a, cost: {operations: 1}}", "cost.operations must be a valid boolean, not 1"),
        ("{model: net_a, cost: {latency: {batch: [{a: 1}]}}}", "cost.latency.batch must be a valid integer"),
        ("{model: net_a, cost: {latency: {batch: [1, true]}}}", "cost.latency.batch must be a valid integer, not true"),
        ("{model: net_a, protocol: {scales: [a]}}", 'protocol.scales must be a valid number, not ["a"]'),
        ("{model: net_a, protocol: {threshold: true}}", "protocol.threshold must be a valid number, not true"),
        ("{model: net_a, protocol: {boxes: detectr}}",
         "protocol.boxes 'detectr' is no file (those have an ending); did you mean detector?"),
        ("{model: net_a, name: a/b}", "name must consist of letters, digits"),
        ("{model: net_a, (cost: 3}", "unknown key '(cost'; did you mean cost?"),
        ("{model: net_a, limit: 3}", "unknown key 'limit'"),
    ],
)  # fmt: skip
def test_wrong_entries(errors: Errors, entry: str, message: str):
    found = errors(f"suite: s\nentries:\n  - {entry}\n")
    assert any(line.startswith(f"s.yaml:3: {message}") for line in found), found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s.yaml:1: a suite is a mapping with `suite:` and `entries:` or `models:`"),
        ("suite: s", "s.yaml:1: there are neither `entries:` nor `models:`"),
        ("entries: [{model: net_a}]", "s.yaml:1: suite is missing"),
        ("suite: s\nentries: []", "s.yaml:2: entries must be a list with at least one entry"),
        ("suite: s\nentries: {model: net_a}", "s.yaml:2: entries must be a list with at least one entry"),
        ("suite: s\nmodels: []", "s.yaml:2: models must be a list with at least one model"),
        ("suite: s\ndatasets: [streets]\nentries: [{model: net_a}]", "s.yaml:2: `datasets:` at the top goes with"),
        ("suite: s\ndefaults: 3\nentries: [{model: net_a}]", "s.yaml:2: defaults must be a mapping"),
        ("suite: s\ndefaults: {model: net_a}\nentries: [{model: net_b}]", "s.yaml:2: unknown key 'model'; "),
        ("suite: s\nsuite: t\nentries: [{model: net_a}]", "s.yaml:2: duplicate key 'suite', first written in line 1"),
    ],
)
def test_wrong_suites(errors: Errors, text: str, message: str):
    found = errors(text)
    assert any(line.startswith(message) for line in found), found


def test_duplicate_entries(errors: Errors):
    assert errors("""\
        suite: s
        defaults: {dataset: people-val}
        entries:
          - {model: net_a, name: one}
          - {model: net_a, batch: 3, protocol: {flip: true}}
          - {model: net_b, name: ONE}
        """) == [
        "s.yaml:5: asks for the same as entry 'one' at s.yaml:4",
        "s.yaml:6: the name 'ONE' is taken by the entry at s.yaml:4",
    ]


def test_task_that_does_not_import_is_told(tmp_path: Path):
    class Failing(dict[str, type]):
        def get(self, key: str, default: Any = None) -> Any:
            raise EntryError(f"task {key!r} cannot be imported: ImportError: no cv2")

    known = Known(KNOWN.variants, KNOWN.datasets, Failing(), KNOWN.metrics, KNOWN.exists, costs=KNOWN.costs)
    (tmp_path / "s.yaml").write_text("suite: s\nentries: [{model: net_a}]")
    with pytest.raises(UsageError, match=r"s\.yaml:2: task 'pose' cannot be imported: ImportError: no cv2$"):
        load_suite(tmp_path / "s.yaml", known)


# --- files


def test_files_that_are_no_suites(tmp_path: Path):
    (tmp_path / "bytes.yaml").write_bytes(b"suite: \xff")
    with pytest.raises(UsageError, match=r"bytes\.yaml: not a text file in UTF-8 \(byte 7\)"):
        load_suite(tmp_path / "bytes.yaml", KNOWN)
    for name in (tmp_path / "absent.yaml", "posee", tmp_path, "a\0b", "x" * 5000):
        with pytest.raises(UsageError, match="no suite file"):
            load_suite(name, KNOWN)


def test_shipped_suites_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert {"miniature", "pose"} <= set(suite_names())
    assert find_suite("pose").name == "pose.yaml"
    with pytest.raises(UsageError, match=r"no suite file 'posee', .*; did you mean pose\?"):
        find_suite("posee")
    (tmp_path / "pose").mkdir()  # a run folder of that name is no suite
    assert find_suite("pose").is_file()


def test_what_is_not_yaml_is_one_error(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("suite: a\nentries:\n  - {model: x\n")
    with pytest.raises(UsageError) as error:
        load_suite(path, KNOWN)
    assert len(str(error.value).splitlines()) == 1 and "not YAML" in str(error.value)


def test_a_setting_that_run_does_not_take_is_named_before_anything_is_run(tmp_path: Path) -> None:
    suite = hrbench.load_suite("miniature")
    with pytest.raises(UsageError, match=r"^run takes no limit; it takes folder, data, .* are given to load_suite"):
        hrbench.run(suite, tmp_path / "run", limit=8)
    assert not (tmp_path / "run").exists()
