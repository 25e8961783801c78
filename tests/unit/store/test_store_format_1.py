"""Results of format 1 are read with everything they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hrbench.errors import InputError
from hrbench.store.results import from_json, to_json
from hrbench.types import DatasetRecord, FileRecord, Reason, Result, WeightsRecord

FORMAT_1 = Path(__file__).parents[2] / "data" / "format1"
FILES = sorted((FORMAT_1 / "entries").glob("*/result.json"))
RENAMED = {"view": "convention", "not counted": "not_counted"}


def raw(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["result"]


def read(result: dict[str, Any]) -> Result:
    return from_json(json.dumps({"result": result, "format": 1}).encode(), Path("run/entries/a/result.json"))


@pytest.fixture
def old() -> dict[str, Any]:
    """A result of format 1 that a test may change."""
    return raw(FORMAT_1 / "entries" / "pose_hrnet_miniature_coco" / "result.json")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_field_is_kept(path: Path) -> None:
    old, new = raw(path), from_json(path.read_bytes(), path)
    assert (new.name, new.status, new.reasons, new.limited) == (old["name"], "done", (), 8)
    assert new.prediction_key == new.score_key == old["accuracy_key"] and new.cost_key == old["cost_key"]
    assert list(new.notes) == old["notes"] and dict(new.seconds) == old["seconds"]
    assert new.folder == str(path.parent) and new.costs_reason is None
    assert [(drawing.file, drawing.caption) for drawing in new.drawings] == [
        (drawing["file"], drawing["caption"]) for drawing in old["drawings"]
    ]
    for one, was in zip(new.scores, old["scores"], strict=True):
        assert (one.metric, one.value, one.n, one.quantity.name) == (
            was["metric"], was["value"], was["n"], was["quantity"]["name"],
        )  # fmt: skip
        assert one.interval == (tuple(was["interval"]) if was["interval"] else None)
        assert str(one.reason or "") == was["reason"]
    for one, was in zip(new.costs, old["costs"], strict=True):
        said = {RENAMED.get(key, key): value for key, value in was["conditions"].items() if key != "interval"}
        held = json.loads(json.dumps(one.conditions.stated()))
        assert held == {key: value for key, value in said.items() if value not in (None, {})}
        assert list(one.interval or ()) == (was["conditions"].get("interval") or [])
        assert (one.value, list(one.samples), one.metric) == (was["value"], was["samples"], "")
        assert not one.conditions.more
    made, was = new.provenance, old["provenance"]
    assert made.weights == WeightsRecord(**was["weights"]) and made.dataset == DatasetRecord(**was["dataset"])
    assert {name: (one.version, one.engine) for name, one in made.metrics.items()} == {
        name: (one["version"], one["engine"]) for name, one in was["metrics"].items()
    }
    assert (made.protocol, made.environment, made.device) == (was["protocol"], was["environment"], was["device"])
    assert (new.entry.protocol, new.entry.variant.use) == (old["entry"]["protocol"], old["entry"]["variant"]["use"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_what_was_read_is_stored_in_the_format_of_today(path: Path) -> None:
    new = from_json(path.read_bytes(), path)
    again = to_json(new)
    assert json.loads(again)["format"] == 2 and from_json(again, path) == new
    assert len(again) < 1.02 * len(path.read_bytes())


def test_an_entry_for_costs_alone_was_an_empty_one(old: dict[str, Any]) -> None:
    weights = {"file": "a.pth", "source": "file", "sha256": "d", "fits": "k"}
    reason = "no data set was asked for, so only costs are measured"
    made = read(old | {"status": "empty", "reason": reason, "scores": [], "accuracy_key": None,
                       "provenance": {"costs_only": True, "weights": weights}})  # fmt: skip
    assert (made.status, made.reasons) == ("costs_only", (Reason("no data set was asked for"),))
    assert made.provenance.weights == WeightsRecord("file", "d", file="a.pth", fits="k")
    missing = read(old | {"status": "empty", "reason": "no data; no weights", "scores": [], "provenance": {}})
    assert (missing.status, missing.reasons) == ("empty", (Reason("no data; no weights"),))


def test_scores_that_a_server_computes_were_those_of_a_done_entry(old: dict[str, Any]) -> None:
    server = "the ground truth is not public: submit to the server"
    none = {**old["scores"][0], "value": None, "interval": None, "n": 0}
    archive = {"file": "results.zip", "sha256": "e"}
    text = f"{server}; it is results.zip in the entry's folder"
    made = read(old | {"scores": [none | {"reason": text}], "provenance": {"submission": archive}})
    assert made.status == "submitted" and made.provenance.submission == FileRecord("results.zip", "e")
    assert made.scores[0].reason == Reason(server, "it is results.zip in the entry's folder")
    limited = read(
        old | {"scores": [none | {"reason": f"{server}; no archive is made of a part of the images"}], "provenance": {}}
    )
    assert limited.status == "submitted"
    assert limited.scores[0].reason == Reason(server, "no archive is made of a part of the images")
    absent = read(old | {"scores": [none | {"reason": "no annotated person of large area in 8 images"}]})
    assert absent.status == "done" and absent.scores[0].reason == Reason(
        "no annotated person of large area in 8 images"
    )


def test_costs_that_failed_were_told_by_the_beginning_of_a_note(old: dict[str, Any]) -> None:
    note = "costs were not measured: RuntimeError: no"
    made = read(old | {"notes": ["one", note], "costs": [], "cost_key": None})
    assert made.notes == ("one",) and made.costs_reason == Reason(note) and made.status == "done"
    failed = read(old | {"status": "failed", "reason": note, "scores": [], "notes": []})
    assert (failed.status, failed.reasons, failed.costs_reason) == ("failed", (Reason(note),), Reason(note))


def test_a_traceback_and_a_warning_are_kept(old: dict[str, Any]) -> None:
    made = read(old | {"status": "failed", "reason": "KeyError: 'a'", "provenance": {"traceback": "at line 3"}})
    assert made.provenance.traceback == "at line 3" and made.reasons == (Reason("KeyError: 'a'"),)
    assert read(old | {"provenance": {"not_comparable": "other boxes"}}).provenance.not_comparable == "other boxes"


def test_conditions_have_their_names_of_today_and_none_is_lost(old: dict[str, Any]) -> None:
    quantity = old["costs"][2]["quantity"]
    conditions = {"view": "macs", "counted on": "the CPU", "not counted": "NMS", "proposals": 1000, "anchors": [1, 2]}
    cost = {"quantity": quantity, "value": 1.0, "conditions": conditions, "samples": [], "reason": "why"}
    (made,) = read(old | {"costs": [cost]}).costs
    under = made.conditions
    assert (under.convention, under.counted_on, under.not_counted) == ("macs", "the CPU", "NMS")
    assert under.proposals == 1000 and under.more == {"anchors": [1, 2]} and made.reason == Reason("why")
    assert under.stated()["anchors"] == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "finished"},
        {"scores": [{"metric": 3}]},
        {"costs": [{"quantity": None}]},
        {"provenance": {"weights": "a.pth"}},
        {"provenance": []},
        {"notes": [1]},
        {"entry": {}},
    ],
    ids=str,
)
def test_values_of_another_kind_are_an_input_error(old: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"is not a result of hrbench .*delete its folder"):
        read(old | change)


@pytest.mark.parametrize("conditions", [{"batch": "one"}, {"interval": 3}, {"input": [1, 2, 3]}], ids=str)
def test_conditions_of_another_kind_are_an_input_error(old: dict[str, Any], conditions: dict[str, Any]) -> None:
    cost = old["costs"][2] | {"conditions": conditions}
    with pytest.raises(InputError, match="is not a result of hrbench"):
        read(old | {"costs": [cost]})
