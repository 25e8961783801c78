"""Results as a table of numbers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
from report_factory import PROTOCOL, make, of, spend

import hrbench
from hrbench.report.numbers import json_schema, render_json
from hrbench.store.dataframe import frame
from hrbench.store.number_rows import COLUMNS, number_rows
from hrbench.types import DatasetRecord, Provenance, Reason, Result, RuntimeSettings, WeightsRecord

FIRST = [
    "run", "date", "entry", "model", "use", "input", "dataset", "protocol", "status", "limited", "metric", "quantity",
    "unit", "value", "low", "high", "n", "reason", "batch", "dtype", "device", "runtime", "threads", "mode", "inputs",
    "weights", "weights_file", "weights_sha256", "data_sha256", "caches", "passes", "spread", "p90_bound", "p99_bound",
    "stability", "unstable_because", "hrbench", "label",
]  # fmt: skip


def test_scores_and_costs_are_rows_of_one_table():
    score = of("AP", 0.75, (0.7, 0.8), n=16)
    none = of("APL", None, reason=Reason("no annotated person of large area"))
    timed = spend("latency", 0.1, "seconds", batch=2, dtype="float32", interval=(0.09, 0.12), mode="quick",
                  stability="unstable", p90_bound=0.13)  # fmt: skip
    table = frame([make("a", score, none, costs=(timed, spend("macs", None, reason="no rule")))])
    assert list(table.columns) == list(COLUMNS) == FIRST
    assert list(table["metric"]) == ["coco-keypoints", "coco-keypoints", "cost", "cost"]
    assert list(table["quantity"]) == ["AP", "APL", "latency", "macs"]
    assert (table["low"][0], table["high"][0], table["n"][0]) == (0.7, 0.8, 16)
    assert (table["low"][2], table["high"][2], table["batch"][2], table["dtype"][2]) == (0.09, 0.12, 2, "float32")
    assert math.isnan(table["value"][1]) and table["n"][1] == 0 and pd.isna(table["n"][2])
    assert (table["mode"][2], table["stability"][2]) == ("quick", "unstable") and pd.isna(table["mode"][0])
    assert list(table["reason"]) == ["", "no annotated person of large area", "", "no rule"]
    assert table["p90_bound"][2] == 0.13 and pd.isna(table["p99_bound"][2]) and pd.isna(table["p90_bound"][0])
    assert pd.isna(table["batch"][0]) and pd.isna(table["dtype"][0])
    assert table["batch"].dtype == table["n"].dtype == "Int64"


def test_an_entry_without_a_score_has_a_row_with_its_reasons():
    missing = (Reason("no images", "get them"), Reason("no weights"))
    table = frame([make("a", status="empty", reasons=missing)])
    assert list(table["reason"]) == ["no images; get them; no weights"] and list(table["status"]) == ["empty"]


def test_costs_say_how_they_were_run_what_was_fed_and_how_they_spread():
    under = {"dtype": "float32", "device": "a CPU", "threads": 2}
    costs = (
        spend(
            "latency", 0.1, "seconds", **under, inputs="8 images of pets", weights="official", caches="cold", passes=9
        ),
        spend(
            "throughput", 9.0, "rate", **under, runtime="compile", stability="unstable", stability_reasons=("drift",)
        ),
        spend("macs-on-images", 2e9, images=8, spread=1e8, inputs="8 images of pets", weights="official"),
        spend("memory-weights", 2e9, "bytes", dtype="float32"),
    )
    table = frame([make("a", of("AP", 0.7), costs=costs)]).set_index("quantity")
    told = ["device", "runtime", "threads", "inputs", "weights", "caches", "passes"]
    assert list(table.loc["latency", told]) == ["a CPU", "eager", 2, "8 images of pets", "official", "cold", 9]
    assert list(table.loc["throughput", told[:5]]) == ["a CPU", "compile", 2, "standard normal", "random"]
    assert table.loc["throughput", "unstable_because"] == "drift"
    assert table.loc["macs-on-images", "spread"] == 1e8 and table.loc["macs-on-images", "weights"] == "official"
    assert table.loc["memory-weights", told].isna().all()
    assert table.loc["AP", "runtime"] == "eager" and pd.isna(table.loc["AP", "threads"])
    assert table["threads"].dtype == "Int64" and pd.isna(table.loc["throughput", "spread"])


def test_a_network_in_a_file_has_its_own_runtime_and_weights():
    one = make("a", costs=(spend("latency", 0.1, "seconds", device="a CPU"),))
    own = replace(one, entry=replace(one.entry, runtime=RuntimeSettings("own")))
    table = frame([own])
    assert table["runtime"][0] == "own" and pd.isna(table["weights"][0]) and table["inputs"][0] == "standard normal"


def stored(folder: Path, *numbers: Any, **more: Any) -> Result:
    """A result of net in a run folder."""
    weights = WeightsRecord("official", "ab" * 32, "net.pth")
    made = Provenance(weights, DatasetRecord("coco", "cd" * 32, 10), device="cpu",
                      environment={"hrbench": "0.3", "processor": "a CPU"})  # fmt: skip
    result = make("net", *numbers, **more)
    place = folder / "entries" / "net"
    place.mkdir(parents=True)
    (folder / "environment.json").write_text(json.dumps({"date": f"2026-11-0{len(folder.name)}T00:00:00+00:00"}))
    return replace(result, folder=str(place), provenance=made)


def test_a_row_says_where_and_when_with_what_and_on_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    costs = (spend("latency", 0.1, "seconds", samples=(0.1, 0.2), device="a GPU"),)
    first = stored(tmp_path / "a" / "pose", of("AP", 0.7, n=3), costs=costs)
    table = frame([first, stored(tmp_path / "b" / "pose", of("AP", 0.8)), make("new", of("AP", 0.9))], samples=True)
    assert list(table["run"]) == ["a/pose", "a/pose", "b/pose", ""]
    assert list(table["date"][:2]) == ["2026-11-04T00:00:00+00:00"] * 2 and pd.isna(table["date"][3])
    row = table.iloc[0]
    assert (row.input, row.weights, row.weights_file) == ("256x192", "official", "net.pth")
    assert (row.weights_sha256, row.data_sha256, row.device, row.hrbench) == ("ab" * 32, "cd" * 32, "a CPU", "0.3")
    assert json.loads(row.protocol) == PROTOCOL
    assert list(table["samples"]) == [[], [0.1, 0.2], [], []] and "samples" not in frame([first])
    assert frame([]).columns.tolist() == FIRST


def test_no_folder_of_a_machine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    secret = "/srv/secret-user/nets"
    one = make("net", reasons=(Reason(f"no file {secret}/a.pth", f"put it into {tmp_path}/weights"),), status="empty")
    variant = replace(one.entry.variant, use=f"onnx:{secret}/a.onnx")
    one = replace(one, entry=replace(one.entry, variant=variant, protocol={"name": "x", "boxes": f"{secret}/b.json"}))
    (row,) = number_rows([one])
    assert row["use"] == "onnx:a.onnx" and row["reason"] == "no file a.pth; put it into weights"
    assert "secret" not in json.dumps(row) + render_json([one]) + frame([one]).to_csv()


def test_the_docstring_tells_every_column():
    told = " ".join(hrbench.frame.__doc__.split())
    assert [f"{name}: {text}" for name, text in COLUMNS.items() if f"{name}: {text}" not in told] == []


def test_report_json_has_the_same_rows_with_all_digits_and_a_schema():
    score = of("AP", 0.1 + 0.2, (0.25, float("nan")), n=16)
    results = [make("a", score, costs=(spend("macs", None, reason="no rule"),))]
    document = json.loads(render_json(results, "Mine"))
    jsonschema.validate(document, json_schema())
    assert document["title"] == "Mine" and document["columns"] == dict(COLUMNS)
    first, second = document["numbers"]
    assert list(first) == list(COLUMNS) and first["protocol"] == PROTOCOL
    assert first["value"] == 0.1 + 0.2 and (first["low"], first["high"]) == (0.25, None)
    assert second["value"] is None and second["reason"] == "no rule" and second["n"] is None
    assert render_json(results) == render_json(results)


def test_a_flat_result_has_stable_names_and_finite_numbers_only():
    scores = (
        of("AP", 0.7, (0.6, 0.8)), of("pckh@0.5/mean", 0.9, metric="mpii-pckh"), of("AR", None),
        of("IoU/a b", 0.5, metric="miou"), of("IoU/a_b", 0.6, metric="miou"), of("bad", float("nan")),
    )  # fmt: skip
    costs = (
        spend("latency", 0.1, "seconds", batch=1, dtype="float32", caches="warm"),
        spend("latency", 0.2, "seconds", batch=1, dtype="bfloat16", caches="cold"),
        spend("parameters", 5.0, "count"),
        spend("energy", float("inf"), "joules"),
    )
    result = make("net", *scores, costs=costs)
    assert hrbench.flat(result) == {
        "coco-keypoints/AP": 0.7, "coco-keypoints/AP/low": 0.6, "coco-keypoints/AP/high": 0.8,
        "mpii-pckh/pckh_at_0.5/mean": 0.9, "miou/IoU/a_b": 0.5, "miou/IoU/a_b-2": 0.6,
        "cost/latency/batch-1": 0.1, "cost/latency/batch-1/bfloat16/cold": 0.2, "cost/parameters": 5.0,
    }  # fmt: skip
    alone = hrbench.flat(make("net", scores[4], costs=costs[:1]))
    assert set(alone) == {"miou/IoU/a_b", "cost/latency/batch-1"}
