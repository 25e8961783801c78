"""Keys: what changes a number changes the key, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrbench.core.digests import canonical, digest
from hrbench.store.keys import accuracy_key, code_digest, content_key, cost_key, given_key, probe_key, source_digest
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


def accuracy(entry: Entry = ENTRY, weights: str | None = "w", data: str | None = "d", ap: int = 1) -> str:
    return accuracy_key(entry, weights, data, {"ap": ap})


def costs(entry: Entry = ENTRY, **where: Any) -> str:
    return cost_key(entry, **{"device": "cpu", "torch": "2.9", **where})


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


ACCURACY_CHANGES: Mapping[str, str] = {
    "weights digest": accuracy(weights="x"),
    "no weights": accuracy(weights=None),
    "data digest": accuracy(data="x"),
    "metric version": accuracy(ap=2),
    "protocol": accuracy(replace(ENTRY, protocol={**ENTRY.protocol, "flip": False})),
    "limit": accuracy(replace(ENTRY, limit=10)),
    "seed": accuracy(replace(ENTRY, seed=1)),
    "dtype": accuracy(replace(ENTRY, dtype="float16")),
    "split": accuracy(replace(ENTRY, dataset=replace(DATASET, args={"split": "train"}))),
    "use": accuracy(replace(ENTRY, variant=replace(VARIANT, use="other"))),
    "args": accuracy(replace(ENTRY, variant=replace(VARIANT, args={"width": 48}))),
    "input": accuracy(replace(ENTRY, variant=replace(VARIANT, input=(48, 64)))),
    "colour": accuracy(replace(ENTRY, variant=replace(VARIANT, colour="bgr"))),
    "mean": accuracy(replace(ENTRY, variant=replace(VARIANT, mean=(0.0, 0.0, 0.0)))),
}


def test_every_change_that_counts_gives_a_key_of_its_own():
    keys = [accuracy(), *ACCURACY_CHANGES.values()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "same",
    [
        replace(ENTRY, name="other", where="x:1", weights="/moved/v.pth", batch=1),
        replace(ENTRY, variant=replace(VARIANT, name="w", title="W", published={"file": "pose"}, weights={})),
        replace(ENTRY, dataset=replace(DATASET, name="x", title="X", home="there")),
        replace(ENTRY, dataset=replace(DATASET, args={"split": "val", "images": "/moved/images"})),
        replace(ENTRY, cost={"operations": False, "latency": None}),
    ],
)
def test_titles_names_and_paths_do_not_count(same: Entry):
    assert accuracy(same) == accuracy()


def test_cost_key():
    assert costs() == costs(replace(ENTRY, name="other", dataset=None, protocol={}, weights="none"))
    changed = [
        costs(),
        costs(device="gpu"),
        costs(driver="1"),
        costs(torch="2.8"),
        costs(threads=1),
        costs(threads=2),
        costs(flags={"tf32": True}),
        costs(flags={"tf32": False}),
        costs(version=1),
        costs(batch=8),
        costs(dtype="float16"),
        costs(replace(ENTRY, variant=replace(VARIANT, input=(48, 64)))),
        costs(replace(ENTRY, cost={"operations": True, "latency": None})),
        costs(replace(ENTRY, cost={**ENTRY.cost, "operations": False})),
    ]
    assert len(set(changed)) == len(changed)
    assert costs(batch=[1], dtype=["float32"]) == costs()


def probed(entry: Entry = ENTRY, **changed: Any) -> str:
    made = {"probe": "latency", "version": 1, "options": {"batch": (1,)}, "measured_with": {"device": "cpu"}}
    return probe_key(entry, **{**made, **changed})


def test_a_probe_s_key_holds_its_settings_and_nothing_of_other_costs():
    assert probed() == probed(replace(ENTRY, name="other", dataset=None, weights="none", cost={"memory": True}))
    assert probed() == probed(options={"batch": [1]}, libraries={})
    changed = [
        probed(),
        probed(probe="operations"),
        probed(version=2),
        probed(options={"batch": (2,)}),
        probed(measured_with={"device": "gpu"}),
        probed(measured_with={}),
        probed(libraries={"timm": "1.0"}),
        probed(replace(ENTRY, variant=replace(VARIANT, input=(48, 64)))),
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
    ours = replace(
        ENTRY,
        variant=replace(VARIANT, use="mynets_k:net"),
        dataset=replace(DATASET, use="mydata_k:Data"),
        metrics=("myscore_k:Score",),
    )
    keys = [(accuracy(ours), costs(ours), content_key(ours))]
    for name in ("mynets_k", "mydata_k", "myscore_k"):
        write(tmp_path / f"{name}.py", "a = 2")
        keys.append((accuracy(ours), costs(ours), content_key(ours)))
    accuracies, prices, contents = (list(column) for column in zip(*keys, strict=True))
    assert len(set(accuracies)) == 4
    assert prices[0] != prices[1] == prices[2] == prices[3]
    assert len(set(contents)) == 1
    assert accuracy_key(ours, "w", "d", {"ap": 1}, folders=[tmp_path / "nowhere"]) == accuracies[-1]


def test_keys_without_code_of_ones_own_know_nothing_of_it():
    """The key of an accuracy stored by an earlier version, of the fields written out here."""
    assert accuracy() == digest(
        {
            "variant": {
                "use": "net", "args": {"width": 32}, "task": "pose", "input": [64, 48], "colour": VARIANT.colour,
                "mean": list(VARIANT.mean), "std": list(VARIANT.std),
            },
            "weights": "w", "dataset": {"use": "coco", "task": "pose"}, "dataset_args": {"split": "val"},
            "dataset_digest": "d", "protocol": {"name": "p", "version": 1, "flip": True}, "metrics": {"ap": 1},
            "limit": None, "seed": 0, "dtype": "float32",
        }
    )  # fmt: skip


# --- networks of other sources, and predictions ----------------------------------------------------------------------


def from_file(path: Path) -> Entry:
    return replace(ENTRY, variant=replace(VARIANT, use=f"onnx:{path}", args={}))


def test_a_network_s_file_counts_by_its_content_not_its_path(tmp_path: Path):
    one, moved = tmp_path / "one.onnx", tmp_path / "moved.onnx"
    one.write_bytes(b"network")
    moved.write_bytes(b"network")
    assert accuracy(from_file(one)) == accuracy(from_file(moved)) and costs(from_file(one)) == costs(from_file(moved))
    assert content_key(from_file(one)) != content_key(from_file(moved))
    before = accuracy(from_file(one)), costs(from_file(one))
    one.write_bytes(b"another network")
    assert accuracy(from_file(one)) != before[0] and costs(from_file(one)) != before[1]
    within = replace(ENTRY, variant=replace(VARIANT, args={"backbone": {"use": f"onnx:{moved}", "args": {}}}))
    again = replace(ENTRY, variant=replace(VARIANT, args={"backbone": {"use": f"onnx:{one}", "args": {}}}))
    assert accuracy(within) != accuracy(again)
    assert source_digest(tmp_path / "nothing.onnx") is None


def test_the_weights_that_an_onnx_file_names_count_with_it(tmp_path: Path):
    path, beside = tmp_path / "net.onnx", tmp_path / "net.onnx.data"
    path.write_bytes(b"\x72\x18\n\x08location\x12\x0dnet.onnx.datarest")
    beside.write_bytes(b"weights")
    (tmp_path / "other.data").write_bytes(b"of another")
    before = source_digest(path)
    (tmp_path / "other.data").write_bytes(b"changed")
    assert source_digest(path) == before
    beside.write_bytes(b"other weights")
    assert source_digest(path) != before


def test_a_folder_counts_by_its_configuration(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    before = source_digest(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"counted as weights")
    assert source_digest(tmp_path) == before
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert source_digest(tmp_path) != before


def test_the_library_behind_a_source_is_in_cost_keys():
    assert costs(libraries={"timm": "1.0"}) != costs(libraries={"timm": "1.1"})
    assert costs(libraries={}) == costs()


def test_given_predictions_count_by_their_content_and_without_a_network():
    entry = replace(ENTRY, predictions="/a/p.json")
    key = given_key(entry, "p", "t", {"ap": 1})
    other = replace(VARIANT, use="", input=(0, 0))
    for same in (
        replace(entry, predictions="/b/q.json", name="x"),
        replace(entry, variant=other, weights="none", dtype="float16", protocol={}),
    ):
        assert given_key(same, "p", "t", {"ap": 1}) == key
    changed = [
        given_key(entry, "q", "t", {"ap": 1}),
        given_key(entry, "p", "u", {"ap": 1}),
        given_key(entry, "p", "t", {"ap": 2}),
        given_key(replace(entry, limit=3), "p", "t", {"ap": 1}),
        given_key(replace(entry, seed=3), "p", "t", {"ap": 1}),
        accuracy(entry),
    ]
    assert len({key, *changed}) == 7
    assert content_key(entry) != content_key(replace(entry, predictions="/b/q.json"))
