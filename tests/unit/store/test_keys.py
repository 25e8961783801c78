"""Keys: what changes a number changes the key, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.onnx_messages import naming
from hypothesis import given
from hypothesis import strategies as st

from hrbench.core.digests import canonical, digest
from hrbench.core.limit import RULE
from hrbench.errors import InputError
from hrbench.statistics.bootstrap import VERSION
from hrbench.store.keys import (
    code_digest,
    content_key,
    precomputed_key,
    prediction_key,
    probe_key,
    score_key,
    source_digest,
)
from hrbench.types import DatasetRow, Entry, Variant

VARIANT = Variant("v", "net", "pose", (64, 48), args={"width": 32}, weights={"official": "v.pth"}, title="V")
DATASET = DatasetRow("d", "coco", "pose", ("ap",), args={"split": "val", "images": "/a/images"})
ENTRY = Entry(
    name="e",
    variant=VARIANT,
    dataset=DATASET,
    protocol={"name": "p", "version": 1, "flip": True},
    metrics=("ap",),
    cost={"operations": True, "latency": {"batch": [1], "dtype": ["float32"], "budget": None}},
)


def predictions(entry: Entry = ENTRY, weights: str | None = "w", data: str | None = "d") -> str:
    return prediction_key(entry, weights, data)


def scores(entry: Entry = ENTRY, **changed: Any) -> str:
    made = {"predictions": {"p.json": "p"}, "truth": "t", "versions": {"ap": 1}, "options": {"category": 1}, **changed}
    return score_key(entry, made["predictions"], made["truth"], made["versions"], made["options"])


def costs(entry: Entry = ENTRY, **changed: Any) -> str:
    made = {"probe": "latency", "version": 1, "options": {"batch": (1,)}, "measured_with": {"device": "cpu"}}
    return probe_key(entry, **{**made, **changed})


def test_key_is_sha256_of_canonical_json():
    import hashlib

    assert digest({"b": (1,), "a": "é"}) == hashlib.sha256('{"a":"é","b":[1]}'.encode()).hexdigest()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("abé"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_reading_back_changes_no_key(value: Any):
    assert canonical(json.loads(canonical(value))) == canonical(value)


def test_not_a_number_has_no_key():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


PREDICTION_CHANGES: Mapping[str, str] = {
    "weights digest": predictions(weights="x"),
    "no weights": predictions(weights=None),
    "data digest": predictions(data="x"),
    "protocol": predictions(replace(ENTRY, protocol={**ENTRY.protocol, "flip": False})),
    "limit": predictions(replace(ENTRY, limit=10)),
    "another limit": predictions(replace(ENTRY, limit=11)),
    "seed": predictions(replace(ENTRY, seed=1)),
    "dtype": predictions(replace(ENTRY, dtype="float16")),
    "split": predictions(replace(ENTRY, dataset=replace(DATASET, args={"split": "train"}))),
    "orientation": predictions(
        replace(ENTRY, dataset=replace(DATASET, args={"split": "val", "orientation": "applied"}))
    ),
    "data set": predictions(replace(ENTRY, dataset=replace(DATASET, use="crowd"))),
    "use": predictions(replace(ENTRY, variant=replace(VARIANT, use="other"))),
    "args": predictions(replace(ENTRY, variant=replace(VARIANT, args={"width": 48}))),
    "input": predictions(replace(ENTRY, variant=replace(VARIANT, input=(48, 64)))),
    "colour": predictions(replace(ENTRY, variant=replace(VARIANT, colour="bgr"))),
    "mean": predictions(replace(ENTRY, variant=replace(VARIANT, mean=(0.0, 0.0, 0.0)))),
    "std": predictions(replace(ENTRY, variant=replace(VARIANT, std=(1.0, 1.0, 1.0)))),
}

SCORE_CHANGES: Mapping[str, str] = {
    "predictions": scores(predictions={"p.json": "q"}),
    "another file of predictions": scores(predictions={"p.json": "p", "q.json": "q"}),
    "ground truth": scores(truth="u"),
    "metric version": scores(versions={"ap": 2}),
    "another metric": scores(versions={"ap": 1, "pck": 1}),
    "metric options": scores(options={"category": 2}),
    "limit": scores(replace(ENTRY, limit=10)),
    "seed": scores(replace(ENTRY, seed=1)),
    "resamples": scores(replace(ENTRY, resamples=100)),
}


@pytest.mark.parametrize(("key", "changes"), [(predictions, PREDICTION_CHANGES), (scores, SCORE_CHANGES)])
def test_every_change_that_counts_gives_a_key_of_its_own(key: Callable[[], str], changes: Mapping[str, str]):
    keys = [key(), *changes.values()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "same",
    [
        replace(ENTRY, name="other", where="x:1", weights="/moved/v.pth"),
        replace(ENTRY, batch=1),
        replace(ENTRY, timeout=3.0),
        replace(ENTRY, shards=7),
        replace(ENTRY, variant=replace(VARIANT, name="w", title="W", published={"file": "pose"}, weights={})),
        replace(ENTRY, dataset=replace(DATASET, name="x", title="X", home="there")),
        replace(ENTRY, dataset=replace(DATASET, args={"split": "val", "images": "/moved/images"})),
        replace(ENTRY, dataset=replace(DATASET, args={"split": "val", "orientation": "stored"})),
        replace(ENTRY, cost={"operations": False, "latency": None}),
    ],
)
def test_titles_names_paths_batch_shards_and_timeout_count_in_no_key(same: Entry):
    assert (predictions(same), scores(same)) == (predictions(), scores())


def test_how_predictions_are_scored_changes_the_score_key_alone(monkeypatch: pytest.MonkeyPatch):
    for other in (replace(ENTRY, metrics=("pck",)), replace(ENTRY, resamples=0)):
        assert predictions(other) == predictions()
    before = predictions(), scores()
    monkeypatch.setattr("hrbench.store.keys.BOOTSTRAP_VERSION", "another")
    assert predictions() == before[0] and scores() != before[1]


def test_what_made_the_predictions_is_in_the_score_key_by_their_digest_alone():
    for other in (
        replace(ENTRY, dtype="float16"),
        replace(ENTRY, protocol={**ENTRY.protocol, "flip": False}),
        replace(ENTRY, variant=replace(VARIANT, args={"width": 48})),
    ):
        assert scores(other) == scores() and predictions(other) != predictions()


def test_options_count_without_paths():
    assert scores(options={"category": 1, "annotations": "/a"}) == scores(options={"category": 1, "annotations": "/b"})


def test_the_rule_of_a_limit_is_in_the_keys(monkeypatch: pytest.MonkeyPatch):
    few = replace(ENTRY, limit=10)
    before = predictions(), scores(), predictions(few), scores(few)
    monkeypatch.setattr("hrbench.store.keys.RULE", "another")
    assert (predictions(), scores()) == before[:2]
    assert predictions(few) != before[2] and scores(few) != before[3]


def test_a_probe_s_key_holds_its_settings_and_nothing_of_other_costs():
    assert costs() == costs(replace(ENTRY, name="other", dataset=None, protocol={}, weights="none"))
    assert costs() == costs(replace(ENTRY, cost={"memory": True}, timeout=3.0, batch=1))
    assert costs() == costs(options={"batch": [1]}, libraries={})
    changed = [
        costs(),
        costs(probe="operations"),
        costs(version=2),
        costs(options={"batch": (2,)}),
        costs(measured_with={"device": "gpu"}),
        costs(measured_with={"device": "cpu", "threads": 1}),
        costs(measured_with={"device": "cpu", "threads": [2, 1]}),
        costs(measured_with={}),
        costs(libraries={"timm": "1.0"}),
        costs(libraries={"timm": "1.1"}),
        costs(replace(ENTRY, variant=replace(VARIANT, input=(48, 64)))),
    ]
    assert len(set(changed)) == len(changed)


def test_content_key_tells_what_would_be_measured_twice():
    assert content_key(replace(ENTRY, name="other", where="x:1")) == content_key(ENTRY)
    assert content_key(replace(ENTRY, weights="official")) != content_key(ENTRY)
    assert content_key(replace(ENTRY, variant=replace(VARIANT, weights={"official": "w.pth"}))) != content_key(ENTRY)
    assert content_key(replace(ENTRY, cost={"operations": True, "latency": None})) != content_key(ENTRY)
    assert content_key(replace(ENTRY, seed=1)) != content_key(ENTRY)


# --- code of one's own


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_code_digest_covers_the_package_and_what_it_imports(tmp_path: Path):
    write(tmp_path / "ownpkg_k/__init__.py", "")
    write(tmp_path / "ownpkg_k/nets.py", "import json, numpy\nfrom ownmodule_k import helper\n")
    write(tmp_path / "ownpkg_k/deep/block.py", "WIDTH = 1\n")
    write(tmp_path / "ownmodule_k.py", "def helper():\n    import ownother_k\n")
    write(tmp_path / "ownother_k.py", "")
    write(tmp_path / "strange_k.py", "")

    def now() -> str | None:
        return code_digest("ownpkg_k.nets:pose", [tmp_path])

    seen = [now()]
    assert seen[0] is not None and len(seen[0]) == 64
    for file in ("ownpkg_k/nets.py", "ownpkg_k/deep/block.py", "ownmodule_k.py", "ownother_k.py"):
        write(tmp_path / file, (tmp_path / file).read_text() + "# edited\n")
        seen.append(now())
    write(tmp_path / "ownpkg_k/further.py", "")
    seen.append(now())
    assert len(set(seen)) == len(seen)

    write(tmp_path / "strange_k.py", "# edited")
    write(tmp_path / "ownpkg_k/.hidden/more.py", "# no module")
    write(tmp_path / "ownpkg_k/notes.txt", "no code")
    assert now() == seen[-1]
    assert code_digest("ownpkg_k.nets:other", [tmp_path]) == seen[-1]


def test_code_moved_as_a_whole_keeps_its_digest(tmp_path: Path):
    for folder in ("one", "two"):
        write(tmp_path / folder / "moved_k.py", "WIDTH = 1")
    assert code_digest("moved_k:net", [tmp_path / "one"]) == code_digest("moved_k:net", [tmp_path / "two"])


def test_what_has_no_code_of_ones_own():
    assert code_digest("pose_hrnet") is None
    assert code_digest("no_such_module_k:net") is None
    assert code_digest("hrbench.core.text:suggestion") is None
    assert code_digest("sys:exit") is None


def test_editing_code_of_ones_own_changes_the_keys_it_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "mynets_k.py", "a = 1")
    write(tmp_path / "mydata_k.py", "a = 1")
    write(tmp_path / "myscore_k.py", "a = 1")
    write(tmp_path / "mycost_k.py", "a = 1")
    ours = replace(
        ENTRY,
        variant=replace(VARIANT, use="mynets_k:net"),
        dataset=replace(DATASET, use="mydata_k:Data"),
        metrics=("myscore_k:Score",),
    )

    def now() -> tuple[str, ...]:
        return predictions(ours), scores(ours), costs(ours), costs(ours, probe="mycost_k:Cost"), content_key(ours)

    keys = [now()]
    for name in ("mynets_k", "mydata_k", "myscore_k", "mycost_k"):
        write(tmp_path / f"{name}.py", "a = 2")
        keys.append(now())
    predicted, scored, timed, probed, contents = (list(column) for column in zip(*keys, strict=True))
    assert len(set(predicted[:3])) == 3 and len(set(predicted[2:])) == 1  # network and data
    assert scored[0] == scored[1] and len(set(scored[1:4])) == 3 and scored[3] == scored[4]  # data and metric
    assert timed[0] != timed[1] and len(set(timed[1:])) == 1  # network
    assert probed[0] != probed[1] == probed[2] == probed[3] != probed[4]  # network and probe
    assert len(set(contents)) == 1
    assert prediction_key(ours, "w", "d", folders=[tmp_path / "nowhere"]) == predicted[-1]


def test_keys_without_user_defined_code_know_nothing_of_it():
    """The keys of the fields written out here, by which stored results are known again."""
    assert predictions(replace(ENTRY, limit=3)) == digest(
        {
            "variant": {
                "use": "net", "args": {"width": 32}, "task": "pose", "input": [64, 48], "colour": VARIANT.colour,
                "mean": list(VARIANT.mean), "std": list(VARIANT.std),
            },
            "weights": "w", "dataset": {"use": "coco", "task": "pose"}, "dataset_args": {"split": "val"},
            "dataset_digest": "d", "protocol": {"name": "p", "version": 1, "flip": True},
            "limit": [3, RULE], "seed": 0, "dtype": "float32",
        }
    )  # fmt: skip
    assert scores() == digest(
        {
            "predictions": {"p.json": "p"}, "truth": "t", "metrics": {"ap": 1}, "options": {"category": 1},
            "limit": None, "seed": 0, "resamples": 1000, "bootstrap": VERSION,
        }
    )  # fmt: skip


# --- networks of other sources, and predictions ----------------------------------------------------------------------


def from_file(path: Path) -> Entry:
    return replace(ENTRY, variant=replace(VARIANT, use=f"onnx:{path}", args={}))


def test_a_network_s_file_counts_by_its_content_not_its_path(tmp_path: Path):
    one, moved = tmp_path / "one.onnx", tmp_path / "moved.onnx"
    one.write_bytes(b"\x12\x07network")  # a message whose producer is called so
    moved.write_bytes(b"\x12\x07network")
    assert predictions(from_file(one)) == predictions(from_file(moved)) and costs(from_file(one)) == costs(
        from_file(moved)
    )
    assert content_key(from_file(one)) != content_key(from_file(moved))
    before = predictions(from_file(one)), costs(from_file(one))
    one.write_bytes(b"\x12\x0fanother network")
    assert predictions(from_file(one)) != before[0] and costs(from_file(one)) != before[1]
    within = replace(ENTRY, variant=replace(VARIANT, args={"backbone": {"use": f"onnx:{moved}", "args": {}}}))
    again = replace(ENTRY, variant=replace(VARIANT, args={"backbone": {"use": f"onnx:{one}", "args": {}}}))
    assert predictions(within) != predictions(again)
    assert source_digest(tmp_path / "nothing.onnx") is None


@pytest.mark.parametrize("name", ["n", "net.onnx.data", "w" * 127, "w" * 128, "g\u00f6" * 85, "sub/w.bin"])
def test_the_weights_that_an_onnx_file_names_count_with_it(tmp_path: Path, name: str):
    path, beside = tmp_path / "net.onnx", tmp_path / name
    beside.parent.mkdir(exist_ok=True)
    path.write_bytes(naming(name))
    beside.write_bytes(b"weights")
    (tmp_path / "other.data").write_bytes(b"of another")
    before = source_digest(path)
    (tmp_path / "other.data").write_bytes(b"changed")
    assert source_digest(path) == before
    beside.write_bytes(b"other weights")
    assert source_digest(path) != before


def test_an_onnx_file_that_is_damaged_or_reaches_outside_its_folder_has_no_key(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(naming("w.bin")[:-3])
    with pytest.raises(InputError, match=r"net\.onnx: not a whole ONNX file"):
        predictions(from_file(path))
    path.write_bytes(naming("../w.bin"))
    with pytest.raises(InputError, match=r"lie at '\.\./w\.bin'; they must lie in the folder"):
        predictions(from_file(path))


def test_a_folder_counts_by_its_configuration(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    before = source_digest(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"counted as weights")
    assert source_digest(tmp_path) == before
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert source_digest(tmp_path) != before


def test_precomputed_predictions_count_by_their_content_and_without_a_network():
    entry = replace(ENTRY, predictions="/a/p.json")
    assert precomputed_key("p") == precomputed_key("p")
    assert len({precomputed_key("p"), precomputed_key("q"), predictions(entry)}) == 3
    other = replace(VARIANT, use="", input=(0, 0))
    for same in (
        replace(entry, predictions="/b/q.json", name="x"),
        replace(entry, variant=other, weights="none", dtype="float16", protocol={}),
    ):
        assert scores(same) == scores(entry)
    assert content_key(entry) != content_key(replace(entry, predictions="/b/q.json"))


def test_how_predictions_are_judged_is_in_no_key_of_theirs():
    """Other thresholds of COCO's metrics are another key of the scores alone."""
    row = replace(DATASET, use="coco-instances")
    asked = {"iou_thresholds": [0.3], "areas": {"a": [0, 9]}, "recall_thresholds": 11, "class_agnostic": True}
    plain, other = (replace(ENTRY, dataset=replace(row, args={**row.args, **more})) for more in ({}, asked))
    assert predictions(plain) == predictions(other) and content_key(plain) != content_key(other)
    assert scores(plain, options={}) != scores(other, options=asked)
    for use in ("coco-keypoints", "mpii", "label-folders"):
        told = {"metric_args": {"pck": {"reference": "torso"}}}
        plain, other = (
            replace(ENTRY, dataset=replace(DATASET, use=use, args={**row.args, **more})) for more in ({}, told)
        )
        assert predictions(plain) == predictions(other) and scores(plain, options={}) != scores(other, options=told)
    own = {**row.args, "iou_thresholds": 0.3, "areas": {"a": [0, 9]}, "recall_thresholds": 11}
    plain, other = (replace(ENTRY, dataset=replace(DATASET, use="lvis", args=args)) for args in (row.args, own))
    assert predictions(plain) == predictions(other)
    named = replace(ENTRY, dataset=replace(DATASET, args={**DATASET.args, "areas": [1]}))
    assert predictions(named) != predictions()  # of a reader that is not ours
